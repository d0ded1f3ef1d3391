import assert from "node:assert/strict";
import { test } from "node:test";
import { SidestageError } from "../src/errors.js";
import type { Generated } from "../src/protocol.js";
import { Run, WINDOW } from "../src/run.js";
import { Views } from "../src/stream.js";

function answer(text: string, finishReason: Generated["finishReason"] = "stop"): Generated {
  return {
    text,
    reasoning: null,
    tokens: [],
    finishReason,
    usage: { promptTokens: 1, completionTokens: 1, totalTokens: 2, cachedTokens: 0 },
    timings: {
      loadMs: 0,
      queueMs: 0,
      timeToFirstTokenMs: 0,
      prefillTokensPerSecond: null,
      decodeTokensPerSecond: null,
    },
  };
}

function begin() {
  const run = new Run();
  const port = { credits: 0, aborts: 0 };
  run.sent({
    credit: (count) => {
      port.credits += count;
    },
    abort: () => {
      port.aborts += 1;
    },
  });
  return { run, port, views: new Views(run) };
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const piece of stream) out.push(piece);
  return out;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("both streams give everything, whitespace untouched, also to a late reader", async () => {
  const { run, views } = begin();
  run.delta("  indented\n", "", 1);
  run.delta("", "why", 1);
  const text = all(views.text);
  run.delta("\n\n", "", 1);
  run.finish(answer("  indented\n\n\n"));
  assert.deepEqual(await text, ["  indented\n", "\n\n"]);
  assert.deepEqual(
    (await all(views.full)).map((part) => (part.type === "finish" ? part.type : part)),
    [
      { type: "text-delta", textDelta: "  indented\n", text: "  indented\n" },
      { type: "reasoning", textDelta: "why", text: "why" },
      { type: "text-delta", textDelta: "\n\n", text: "\n\n" },
      "finish",
    ],
  );
  assert.equal((await run.result).text, "  indented\n\n\n");
});

test("break ends the run in the worker", async () => {
  const { run, port, views } = begin();
  run.delta("a", "", 1);
  run.delta("b", "", 1);
  for await (const piece of views.text) {
    assert.equal(piece, "a");
    break;
  }
  assert.equal(port.aborts, 1);
  run.finish(answer("ab", "abort"));
  assert.equal((await run.result).finishReason, "abort");
});

test("cancel ends the run; with another reader at work it does not", async () => {
  const { run, port, views } = begin();
  run.delta("a", "", 1);
  const full = views.full.getReader();
  assert.equal((await full.read()).done, false);
  const text = views.text.getReader();
  assert.equal((await text.read()).value, "a");
  await text.cancel();
  assert.equal(port.aborts, 0);
  await full.cancel();
  assert.equal(port.aborts, 1);
});

test("abort ends waiting text readers at once, without the worker", async () => {
  const { run, views } = begin();
  run.delta("a", "", 1);
  const text = all(views.text);
  await turn();
  run.abort();
  run.abort();
  assert.deepEqual(await text, ["a"]);
  run.delta("late", "", 1);
  run.finish(answer("alate", "abort"));
  const parts = await all(views.full);
  assert.deepEqual(
    parts.map((part) => part.type),
    ["text-delta", "finish"],
  );
});

test("aborted before it was sent: an empty result, nothing asked of the worker", async () => {
  const run = new Run();
  run.abort();
  const result = await run.result;
  assert.equal(result.finishReason, "abort");
  assert.equal(result.text, "");
});

test("failure: text throws after what there was, full has an error part, result rejects", async () => {
  const { run, views } = begin();
  const error = new SidestageError("WORKER_TERMINATED", "gone");
  run.delta("a", "", 1);
  const reader = views.text.getReader();
  run.fail(error);
  assert.equal((await reader.read()).value, "a");
  await assert.rejects(reader.read(), error);
  assert.deepEqual(await all(views.full), [
    { type: "text-delta", textDelta: "a", text: "a" },
    { type: "error", error },
  ]);
  await assert.rejects(run.result, error);
});

test("a rejected result that nobody reads is no unhandled rejection", async () => {
  const seen: unknown[] = [];
  const note = (reason: unknown) => seen.push(reason);
  process.on("unhandledRejection", note);
  const { run } = begin();
  run.fail(new SidestageError("X", "x"));
  await turn();
  await turn();
  process.off("unhandledRejection", note);
  assert.deepEqual(seen, []);
});

test("credits: a slow reader holds the worker back, a fast one does not", async () => {
  const { run, port, views } = begin();
  const reader = views.text.getReader();
  run.delta("0", "", 1);
  await reader.read();
  for (let i = 1; i < WINDOW; i += 1) run.delta(String(i), "", 1);
  assert.equal(port.credits, 0, "unread, so nothing more is granted");
  for (let i = 1; i < WINDOW; i += 1) await reader.read();
  assert.ok(port.credits >= WINDOW / 2, `granted ${port.credits}`);
});

test("credits: without a reader, and with only the result awaited, nothing is held back", async () => {
  const { run, port, views } = begin();
  for (let i = 0; i < 10 * WINDOW; i += 1) {
    assert.ok(i < WINDOW + port.credits, `stuck at ${i}`);
    run.delta("x", "", 1);
  }
  const stalled = views.text.getReader();
  await stalled.read();
  // The reader stands still now; whoever waits for the result must get it.
  const result = run.result.then((value) => value.text);
  for (let i = 10 * WINDOW; i < 20 * WINDOW; i += 1) {
    assert.ok(i < WINDOW + port.credits, `stuck at ${i}`);
    run.delta("x", "", 1);
  }
  run.finish(answer("all"));
  assert.equal(await result, "all");
});

test("credits: tokens that show no text do not stop a waiting reader", async () => {
  const { run, port, views } = begin();
  const reader = views.text.getReader();
  const first = reader.read();
  await turn();
  for (let i = 0; i < 4 * WINDOW; i += 1) {
    assert.ok(i < WINDOW + port.credits, `stuck at ${i}`);
    run.delta("", "", 1);
  }
  run.delta("at last", "", 1);
  assert.equal((await first).value, "at last");
});

test("iterating does not need the platform's iterator (Safari)", async () => {
  const own = Object.getOwnPropertyDescriptor(ReadableStream.prototype, Symbol.asyncIterator)!;
  delete (ReadableStream.prototype as { [Symbol.asyncIterator]?: unknown })[
    Symbol.asyncIterator
  ];
  try {
    const { run, views } = begin();
    run.delta("a", "", 1);
    run.finish(answer("a"));
    assert.deepEqual(await all(views.text), ["a"]);
    assert.equal((await all(views.full)).length, 2);
  } finally {
    Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, own);
  }
});
