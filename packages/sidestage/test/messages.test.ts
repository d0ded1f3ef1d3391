import assert from "node:assert/strict";
import { test } from "node:test";
import type { Request } from "../src/protocol.js";
import { encode } from "../src/worker/messages.js";

const said = (message: unknown): unknown =>
  JSON.parse(new TextDecoder().decode(encode(message as Request)));

test("half a character of a text that was cut is replaced", () => {
  const text = "a \ud83d\ude00 \\ud83d é\ude00\ud83d";
  assert.deepEqual(said({ text }), { text: "a \ud83d\ude00 \\ud83d é\ufffd\ufffd" });
});

test("the bias that bans a token is minus infinity in single precision", () => {
  const { logitBias } = said({ logitBias: [[5, -Infinity]] }) as { logitBias: number[][] };
  assert.equal(Math.fround(logitBias[0]?.[1] ?? 0), -Infinity);
});

test("what is not given is left out, what is no JSON is refused", () => {
  assert.deepEqual(said({ a: undefined, b: null }), { b: null });
  assert.throws(() => encode({ id: 1n } as unknown as Request), TypeError);
});
