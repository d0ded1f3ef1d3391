import assert from "node:assert/strict";
import { test } from "node:test";
import { SidestageError } from "../src/errors.js";
import { checkLoad, type LoadModelOptions } from "../src/load-options.js";
import { checkRun, type TextOptions } from "../src/options.js";
import { checkSource } from "../src/source.js";
import { replaceSurrogates, wellFormed } from "../src/values.js";

const BASE = "https://example.org/app/page.html";

function refuses(code: string, option: string | undefined, work: () => unknown): void {
  assert.throws(work, (error: unknown) => {
    assert.ok(error instanceof SidestageError, String(error));
    assert.equal(error.code, code);
    if (option !== undefined) assert.equal(error.detail?.option, option, error.message);
    return true;
  });
}

test("every impossible option of a run is refused by name", () => {
  const bad: [string, Record<string, unknown>][] = [
    ["temperature", { temperature: -1 }],
    ["temperature", { temperature: NaN }],
    ["temperature", { temperature: "0.7" }],
    ["topK", { topK: -1 }],
    ["topK", { topK: 1.5 }],
    ["topP", { topP: 0 }],
    ["topP", { topP: 1.1 }],
    ["minP", { minP: -0.1 }],
    ["minP", { minP: 2 }],
    ["repetitionPenalty", { repetitionPenalty: 0 }],
    ["frequencyPenalty", { frequencyPenalty: Infinity }],
    ["presencePenalty", { presencePenalty: NaN }],
    ["maxTokens", { maxTokens: -1 }],
    ["maxTokens", { maxTokens: 2 ** 32 }],
    ["maxOutputTokens", { maxOutputTokens: 1.5 }],
    ["maxOutputTokens", { maxTokens: 1, maxOutputTokens: 1 }],
    ["seed", { seed: -1 }],
    ["seed", { seed: 2 ** 53 }],
    ["seed", { seed: 0.5 }],
    ["logitBias", { logitBias: { a: 1 } }],
    ["logitBias", { logitBias: { 1: NaN } }],
    ["logitBias", { logitBias: { 1: Infinity } }],
    ["logitBias", { logitBias: [[1]] }],
    ["logitBias", { logitBias: 3 }],
    ["stopSequences", { stopSequences: [""] }],
    ["stopSequences", { stopSequences: [1] }],
    ["stop", { stop: [null] }],
    ["stop", { stop: "a", stopSequences: "b" }],
    ["stopTokens", { stopTokens: [-1] }],
    ["stopTokens", { stopTokens: "12" }],
    ["ignoreEos", { ignoreEos: 1 }],
    ["cachePrompt", { cachePrompt: "no" }],
    ["raw", { raw: "yes" }],
    ["signal", { signal: {} }],
    ["abortSignal", { abortSignal: true }],
    ["temprature", { temprature: 1 }],
    ["tools", { tools: {} }],
    ["system", { system: 3 }],
    ["system", { system: "s", raw: true }],
    ["system", { system: "s", prompt: [1] }],
    ["prompt", { prompt: undefined }],
    ["prompt", { prompt: 3 }],
    ["prompt", { prompt: [1, -2] }],
    ["prompt", { prompt: [1.5] }],
    ["prompt", { prompt: ["a"] }],
    ["prompt", { messages: [{ role: "user", content: "a" }] }],
    ["messages", { prompt: undefined, messages: [] }],
    ["messages", { prompt: undefined, messages: "hello" }],
    ["messages[0]", { prompt: undefined, messages: [null] }],
    ["messages[0].role", { prompt: undefined, messages: [{ content: "a" }] }],
    ["messages[0].content", { prompt: undefined, messages: [{ role: "user", content: 3 }] }],
    [
      "messages[0].content[0]",
      { prompt: undefined, messages: [{ role: "user", content: [{ type: "image" }] }] },
    ],
    [
      "messages[0].f",
      { prompt: undefined, messages: [{ role: "user", content: "", f: () => 1 }] },
    ],
  ];
  for (const [option, given] of bad) {
    refuses("INVALID_OPTION", option, () =>
      checkRun({ prompt: "p", ...given } as TextOptions, true),
    );
  }
});

test("options reach the wire under their names, aliases included", () => {
  const { options, prompt } = checkRun(
    {
      prompt: "p",
      maxOutputTokens: 5,
      stop: "END",
      logitBias: new Map([[3, -Infinity]]),
      seed: 2 ** 53 - 1,
      temperature: 0,
      ignoreEos: true,
      cachePrompt: false,
      raw: true,
    },
    true,
  );
  assert.deepEqual(prompt, {
    kind: "segments",
    segments: [{ kind: "text", text: "p" }],
    raw: true,
  });
  assert.equal(options.maxTokens, 5);
  assert.deepEqual(options.stopSequences, ["END"]);
  assert.deepEqual(options.logitBias, [[3, -Infinity]]);
  assert.equal(options.seed, 2 ** 53 - 1);
  assert.equal(options.temperature, 0);
  assert.equal(options.topK, null);
  assert.equal(options.ignoreEos, true);
  assert.equal(options.cachePrompt, false);
  assert.equal(options.stream, true);
  for (const logitBias of [{ 7: 1.5 }, [[7, 1.5]] as [number, number][]]) {
    assert.deepEqual(checkRun({ prompt: "p", logitBias }, false).options.logitBias, [[7, 1.5]]);
  }
});

test("prompts: ids as given, system before, parts joined", () => {
  const ids = checkRun({ prompt: new Uint32Array([1, 2]) }, false).prompt;
  assert.deepEqual(ids, {
    kind: "segments",
    segments: [{ kind: "ids", ids: [1, 2] }],
    raw: true,
  });
  assert.deepEqual(checkRun({ prompt: "hi", system: "be kind" }, false).prompt, {
    kind: "messages",
    messages: [
      { role: "system", content: "be kind" },
      { role: "user", content: "hi" },
    ],
  });
  const parts = [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ] as unknown as string;
  assert.deepEqual(checkRun({ messages: [{ role: "user", content: parts }] }, false).prompt, {
    kind: "messages",
    messages: [{ role: "user", content: "ab" }],
  });
});

test("lone surrogates become U+FFFD everywhere, pairs stay", () => {
  const odd = "a\uD800b\uDC00c\u{1F600}\uD83D";
  const fine = "a\uFFFDb\uFFFDc\u{1F600}\uFFFD";
  assert.equal(replaceSurrogates(odd), fine);
  assert.equal(wellFormed(odd), fine);
  const { prompt, options } = checkRun(
    { messages: [{ role: "user", content: odd, extra: { deep: [odd] } }], stop: [odd] },
    false,
  );
  assert.deepEqual(prompt, {
    kind: "messages",
    messages: [{ role: "user", content: fine, extra: { deep: [fine] } }],
  });
  assert.deepEqual(options.stopSequences, [fine]);
});

test("messages are cloned, nested too deeply refused, `__proto__` is data", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  assert.throws(() => checkRun({ messages: [{ role: "user", content: "", loop }] }, false), {
    code: "INVALID_OPTION",
  });
  const message = JSON.parse('{"role":"user","content":"a","__proto__":{"x":1}}') as {
    role: string;
    content: string;
  };
  const { prompt } = checkRun({ messages: [message] }, false);
  assert.ok(prompt.kind === "messages");
  assert.equal(({} as { x?: number }).x, undefined);
  assert.equal((prompt.messages[0] as { x?: number }).x, undefined);
});

test("every impossible option of a load is refused by name", () => {
  const bad: [string, Record<string, unknown>][] = [
    ["useWorker", { useWorker: "no" }],
    ["useWorker", { useWorker: false, workerUrl: "w.js" }],
    ["fallback", { fallback: 1 }],
    ["worker", { worker: "w.js" }],
    ["wasmUrl", { wasmUrl: "http://" }],
    ["device", { device: "cuda" }],
    ["threads", { threads: 0 }],
    ["threads", { threads: 1.5 }],
    ["threads", { threads: NaN }],
    ["threads", { threads: 1025 }],
    ["threads", { threads: "fast" }],
    ["threads", { threads: "4" }],
    ["contextLength", { contextLength: -4 }],
    ["hubUrl", { hubUrl: "http://" }],
    ["memoryLimit", { memoryLimit: 0 }],
    ["onProgress", { onProgress: {} }],
    ["signal", { signal: "now" }],
    ["workerOptions", { workerOptions: "fast" }],
    ["workerOptions.idleMs", { workerOptions: { idleMs: 0 } }],
    ["workerOptions.timeout", { workerOptions: { timeout: -1 } }],
    ["workerOptions.timeout", { workerOptions: { timeout: Infinity } }],
    ["workerOptions.terminateOnIdle", { workerOptions: { terminateOnIdle: 1 } }],
    ["workerOptions.shared", { workerOptions: { shared: true } }],
    ["cache", { cache: "always" }],
    ["cacheKey", { cacheKey: "" }],
    ["hubToken", { hubToken: "hf_a\nb" }],
    ["dtype", { dtype: 8 }],
    ["kvType", { kvType: "" }],
    ["quantize", { quantize: "q4" }],
  ];
  for (const [option, given] of bad) {
    refuses("INVALID_OPTION", option, () => checkLoad(given as LoadModelOptions, BASE));
  }
  refuses("DEVICE_UNAVAILABLE", undefined, () => checkLoad({ device: "webgpu" }, BASE));
});

test("threads: a number or `auto`; what is refused is told what to do", () => {
  const of = (threads: unknown) =>
    checkLoad({ threads } as LoadModelOptions, BASE).engine.threads;
  assert.deepEqual([undefined, null, 1, 1024, "auto"].map(of), [null, null, 1, 1024, "auto"]);
  for (const threads of ["fast", 0, 1.5, NaN]) {
    assert.throws(
      () => of(threads),
      (error: SidestageError) =>
        /"auto" or a whole number/.test(error.message) && Boolean(error.hint),
    );
  }
});

test("sources: relative to the page, held ones named and measured, the rest refused", () => {
  const url = (given: string | URL) => checkSource(given, BASE).source;
  assert.deepEqual(url("m.gguf"), { kind: "url", url: "https://example.org/app/m.gguf" });
  assert.deepEqual(url(new URL("https://a.b/c")), { kind: "url", url: "https://a.b/c" });
  assert.deepEqual(url("hf:o/r/f.gguf@main"), { kind: "url", url: "hf:o/r/f.gguf@main" });
  const file = checkSource(new File(["abc"], "m.gguf"), BASE);
  assert.deepEqual(file.source, { kind: "held", files: [{ name: "m.gguf", size: 3 }] });
  assert.equal(file.reloadable, true);
  const view = checkSource(new Uint8Array([1, 2, 3, 4]).subarray(1, 3), BASE);
  assert.deepEqual(view.source, { kind: "held", files: [{ name: "bytes", size: 2 }] });
  assert.deepEqual([...((view.held as Uint8Array[])[0] ?? [])], [2, 3]);
  assert.equal(view.reloadable, false);
  const parts = [new File(["ab"], "m-1.gguf"), new File(["c"], "m-2.gguf")];
  const folder = ["model/config.json", "model/onnx/config.json"].map((path) =>
    Object.defineProperty(new File(["{}"], "config.json"), "webkitRelativePath", {
      value: path,
    }),
  );
  assert.deepEqual(checkSource([...parts, ...folder], BASE), {
    source: {
      kind: "held",
      files: [
        { name: "m-1.gguf", size: 2 },
        { name: "m-2.gguf", size: 1 },
        { name: "config.json", size: 2 },
      ],
    },
    held: [...parts, folder[0]],
    reloadable: true,
  });
  for (const given of ["", "http://", null, 3, {}, [], [1], new ArrayBuffer(0), new Blob([])]) {
    refuses("INVALID_SOURCE", undefined, () => checkSource(given, BASE));
  }
});
