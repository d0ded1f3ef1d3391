import assert from "node:assert/strict";
import { test } from "node:test";
import { patiently } from "../src/patience.js";

test("a timer calls once, in time, unless it was ended", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let calls = 0;
  patiently(500, () => (calls += 1));
  patiently(500, () => (calls += 10))();
  context.mock.timers.tick(499);
  assert.equal(calls, 0);
  context.mock.timers.tick(1);
  assert.equal(calls, 1);
});

test("a timer that comes late, as after sleep, is let pass once", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let calls = 0;
  patiently(500, () => (calls += 1));
  // Every timer due in it comes when it is over.
  context.mock.timers.tick(60_000);
  assert.equal(calls, 0);
  context.mock.timers.tick(499);
  assert.equal(calls, 0);
  context.mock.timers.tick(60_000);
  assert.equal(calls, 1);
});
