import assert from "node:assert/strict";
import { test } from "node:test";
import { watchLife } from "../src/watch.js";

/** A worker that only counts what it is asked. */
function silentWorker(): { worker: Worker; asked: unknown[] } {
  const asked: unknown[] = [];
  const worker = Object.assign(new EventTarget(), {
    postMessage: (message: unknown) => asked.push(message),
  }) as unknown as Worker;
  return { worker, asked };
}

test("without a lock, a busy worker that stays silent is dead; one that answers is not", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const { worker, asked } = silentWorker();
  const deaths: string[] = [];
  const end = new AbortController();
  let busy = false;
  const life = watchLife({
    worker,
    lock: null,
    busy: () => busy,
    signal: end.signal,
    onDead: (why) => deaths.push(why),
  });
  context.mock.timers.tick(60_000);
  assert.deepEqual([asked.length, deaths.length], [0, 0], "nobody waits, nobody asks");
  busy = true;
  for (let i = 0; i < 20; i += 1) {
    context.mock.timers.tick(2_000);
    life.heard();
  }
  assert.ok(asked.length > 10);
  assert.equal(deaths.length, 0);
  for (let i = 0; i < 10; i += 1) context.mock.timers.tick(2_000);
  assert.ok(deaths.length > 0);
  end.abort();
  const before = asked.length;
  context.mock.timers.tick(20_000);
  assert.equal(asked.length, before, "the watch ends with its signal");
});

test("silence while the machine sleeps, or the page is frozen, is no death", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const { worker } = silentWorker();
  const deaths: string[] = [];
  const end = new AbortController();
  const onDead = (why: string): unknown => deaths.push(why);
  watchLife({ worker, lock: null, busy: () => true, signal: end.signal, onDead });
  // Every timer due in it comes when it is over.
  context.mock.timers.tick(60_000);
  assert.deepEqual(deaths, []);
  for (let i = 0; i < 10; i += 1) context.mock.timers.tick(2_000);
  assert.ok(deaths.length > 0, "silence afterwards is");
  end.abort();
});

test("an error event is death, with the error's words", () => {
  const { worker } = silentWorker();
  const deaths: string[] = [];
  const end = new AbortController();
  watchLife({
    worker,
    lock: null,
    busy: () => false,
    signal: end.signal,
    onDead: (why) => deaths.push(why),
  });
  worker.dispatchEvent(Object.assign(new Event("error"), { message: "boom" }));
  end.abort();
  worker.dispatchEvent(new Event("error"));
  assert.deepEqual(deaths, ["boom"]);
});
