import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadOptions, ModelSource } from "../src/protocol.js";
import type { CacheBackend } from "../src/worker/cache/backend.js";
import { figureKey, Figures, readFigure } from "../src/worker/cache/figures.js";

const MACHINE = { variant: "relaxed-threads", cores: 8 };
const FIGURE = { model: "0123456789abcdef", threads: 4, of: 8, sure: true };
const SOURCE: ModelSource = { kind: "url", url: "https://hub/m.gguf" };

/** Notes in memory, or a storage that refuses. */
function storage(refuses = false) {
  const notes = new Map<string, string>();
  const backend = {
    noted: (key: string) =>
      refuses ? Promise.reject(new Error("no")) : Promise.resolve(notes.get(key) ?? null),
    note: (key: string, text: string) =>
      refuses ? Promise.reject(new Error("no")) : Promise.resolve(void notes.set(key, text)),
  };
  return { notes, backend: backend as unknown as CacheBackend };
}

function figures(
  backend: CacheBackend | null,
  options: Partial<LoadOptions> = {},
  source: ModelSource = SOURCE,
  machine = MACHINE,
): Figures {
  const all = { cache: null, cacheKey: null, ...options } as LoadOptions;
  return new Figures(backend, machine, source, all);
}

test("what was measured is found again on the same machine only", async () => {
  const { notes, backend } = storage();
  assert.equal(await figures(backend).recall(), null);
  await figures(backend).remember(FIGURE);
  assert.deepEqual([...notes.keys()], [figureKey(SOURCE.url)]);
  assert.deepEqual(await figures(backend).recall(), FIGURE);
  const elsewhere = [
    { ...MACHINE, cores: 4 },
    { ...MACHINE, variant: "simd-threads" },
  ];
  for (const machine of elsewhere) {
    assert.equal(await figures(backend, {}, SOURCE, machine).recall(), null);
  }
  assert.equal(await figures(backend, { cacheKey: "m" }).recall(), null);
});

test("files that the host holds are known by names and sizes", async () => {
  const { backend } = storage();
  const held = (size: number): ModelSource => ({
    kind: "held",
    files: [{ name: "m.gguf", size }],
  });
  await figures(backend, {}, held(7)).remember(FIGURE);
  assert.deepEqual(await figures(backend, {}, held(7)).recall(), FIGURE);
  assert.equal(await figures(backend, {}, held(8)).recall(), null);
});

test("`cache` is obeyed: no-store keeps nothing, reload measures anew and keeps that", async () => {
  const { notes, backend } = storage();
  await figures(backend, { cache: "no-store" }).remember(FIGURE);
  assert.equal(notes.size, 0);
  await figures(backend, { cache: "reload" }).remember(FIGURE);
  assert.equal(await figures(backend, { cache: "reload" }).recall(), null);
  assert.equal(await figures(backend, { cache: "no-store" }).recall(), null);
  assert.deepEqual(await figures(backend, { cache: "only-if-cached" }).recall(), FIGURE);
});

test("storage that refuses, or is not there, keeps nothing and breaks nothing", async () => {
  for (const backend of [storage(true).backend, null]) {
    await figures(backend).remember(FIGURE);
    assert.equal(await figures(backend).recall(), null);
  }
});

test("a note that cannot be read, or says what cannot be, is none", async () => {
  const { notes, backend } = storage();
  await figures(backend).remember(FIGURE);
  const text = notes.get(figureKey(SOURCE.url)) ?? "";
  assert.deepEqual(readFigure(`${text}   `, MACHINE), FIGURE);
  const good = JSON.parse(text) as object;
  const bad = [
    "",
    "null",
    "7",
    "[]",
    text.slice(0, -3),
    ...[
      { version: 2 },
      { build: "other" },
      { figure: null },
      { figure: { ...FIGURE, threads: 0 } },
      { figure: { ...FIGURE, threads: 9 } },
      { figure: { ...FIGURE, threads: 1.5 } },
      { figure: { ...FIGURE, threads: "4" } },
      { figure: { ...FIGURE, of: 4 } },
      { figure: { ...FIGURE, model: 3 } },
      { figure: { ...FIGURE, sure: 1 } },
    ].map((part) => JSON.stringify({ ...good, ...part })),
  ];
  for (const note of bad) assert.equal(readFigure(note, MACHINE), null, note);
});
