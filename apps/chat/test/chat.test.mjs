import assert from "node:assert/strict";
import { test } from "node:test";
import { runnerImport } from "vite";

const { module: chat } = await runnerImport("./src/chat.ts", {
  logLevel: "error",
});
const { module: figures } = await runnerImport("./src/figures.ts", {
  logLevel: "error",
});
const { reduce, START, canAsk, isAnswering, messagesFor } = chat;

const run = (...actions) => actions.reduce(reduce, START);
const box = { kind: "box" };
const engine = { name: "box", threads: 1, place: "worker", variant: "simd" };
const ready = [
  { type: "loadStarted", source: box },
  { type: "loadReady", engine },
];
const report = {
  phase: "download",
  file: "box.gguf",
  loadedBytes: 5,
  bytesPerSecond: 1,
};
const counted = {
  promptTokens: 3,
  cachedTokens: 0,
  answerTokens: 2,
  firstTokenMs: 9,
  tokensPerSecond: 20,
};
const failure = { code: "NETWORK", message: "gone" };

test("a question needs a model that is ready and no answer under way", () => {
  assert.equal(canAsk(START), false);
  assert.equal(run({ type: "asked", id: 1, question: "Hi" }).turns.length, 0);
  const asked = run(...ready, { type: "asked", id: 1, question: "Hi" });
  assert.equal(isAnswering(asked), true);
  assert.equal(canAsk(asked), false);
  assert.equal(reduce(asked, { type: "asked", id: 2, question: "And?" }).turns.length, 1);
});

test("an answer grows and ends with its figures", () => {
  const state = run(
    ...ready,
    { type: "asked", id: 1, question: "Hi" },
    { type: "answerGrew", id: 1, text: "Hel", reasoning: "" },
    { type: "answerGrew", id: 1, text: "lo", reasoning: "because" },
    { type: "answerEnded", id: 1, reason: "stop", figures: counted },
  );
  assert.equal(state.turns[0].answer, "Hello");
  assert.equal(state.turns[0].reasoning, "because");
  assert.equal(state.turns[0].state, "done");
  assert.deepEqual(state.turns[0].figures, counted);
  assert.equal(canAsk(state), true);
});

test("a stopped answer stays and is part of the conversation", () => {
  const state = run(
    ...ready,
    { type: "asked", id: 1, question: "Hi" },
    { type: "answerGrew", id: 1, text: "Hel", reasoning: "" },
    { type: "answerEnded", id: 1, reason: "abort", figures: counted },
    { type: "asked", id: 2, question: "Go on" },
  );
  assert.equal(state.turns[0].state, "stopped");
  assert.deepEqual(messagesFor(state.turns), [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hel" },
    { role: "user", content: "Go on" },
  ]);
});

test("news of a cleared conversation changes nothing", () => {
  const state = run(...ready, { type: "asked", id: 1, question: "Hi" }, { type: "cleared" });
  assert.equal(
    reduce(state, { type: "answerGrew", id: 1, text: "late", reasoning: "" }),
    state,
  );
  assert.equal(reduce(state, { type: "answerFailed", id: 1, failure }), state);
});

test("a failed question can be asked again and leaves no empty turn for the model", () => {
  const failed = run(
    ...ready,
    { type: "asked", id: 1, question: "Hi" },
    { type: "answerFailed", id: 1, failure },
  );
  assert.equal(failed.turns[0].state, "failed");
  assert.deepEqual(messagesFor(failed.turns), []);
  const again = reduce(failed, { type: "asked", id: 2, question: "Hi" });
  assert.deepEqual(
    again.turns.map((turn) => turn.id),
    [2],
  );
});

test("late progress does not revive a load that has ended", () => {
  const failed = run({ type: "loadStarted", source: box }, { type: "loadFailed", failure });
  assert.equal(reduce(failed, { type: "loadProgress", progress: report }), failed);
  const loading = run(
    { type: "loadStarted", source: box },
    { type: "loadProgress", progress: report },
  );
  assert.equal(loading.model.progress.loadedBytes, 5);
});

test("the conversation outlives a failed load of another model", () => {
  const state = run(
    ...ready,
    { type: "asked", id: 1, question: "Hi" },
    { type: "answerGrew", id: 1, text: "Hello", reasoning: "" },
    { type: "answerEnded", id: 1, reason: "length", figures: counted },
    { type: "loadStarted", source: { kind: "url", url: "x" } },
    { type: "loadFailed", failure },
  );
  assert.equal(state.turns.length, 1);
  assert.equal(state.turns[0].state, "cut");
  assert.equal(state.source.url, "x");
  assert.equal(canAsk(state), false);
});

test("numbers are readable", () => {
  assert.equal(figures.bytes(0), "0 bytes");
  assert.equal(figures.bytes(11_800_000), "11.8 MB");
  assert.equal(figures.bytes(134_000_000), "134 MB");
  assert.equal(figures.timeLeft(0.4), "a moment");
  assert.equal(figures.timeLeft(12.3), "12 s");
  assert.equal(figures.timeLeft(4800), "80 min");
  assert.equal(figures.timeLeft(6000), "1 h 40 min");
  assert.equal(figures.duration(85.4), "85 ms");
  assert.equal(figures.duration(1234), "1.2 s");
  assert.equal(figures.speed(23.44), "23.4 tokens/s");
  assert.equal(figures.tokens(1), "1 token");
  assert.equal(figures.parameters(135e6), "135 M");
});
