/**
 * ONNX Runtime Web on the CPU. It has no tokenizer and no sampler: ids and the cache are handed over here,
 * the likeliest token is taken here.
 */
import * as ort from "/packages/onnxruntime-web/dist/ort.wasm.min.mjs";

export async function create({ threads }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/packages/onnxruntime-web/dist/";
  ort.env.logLevel = "error";
  let session;
  let past;
  return {
    async load(url) {
      const bytes = await (await fetch(url.replace(/gguf$/, "onnx"))).arrayBuffer();
      session = await ort.InferenceSession.create(new Uint8Array(bytes), {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
      });
      past = session.inputNames
        .map((name, at) => ({ name, shape: session.inputMetadata[at].shape }))
        .filter(({ name }) => name.startsWith("past."));
      return { threads };
    },
    async generate(tokens, maxTokens) {
      let kept;
      let length = 0;
      const step = async (ids) => {
        length += ids.length;
        const feeds = {
          input_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
          before_last: new ort.Tensor("int32", [length - 1], [1]),
          total: new ort.Tensor("int32", [length], []),
        };
        for (const { name, shape } of past) {
          const empty = () => new ort.Tensor("float32", [], [1, shape[1], 0, shape[3]]);
          feeds[name] = kept?.[name.replace("past", "present")] ?? empty();
        }
        kept = await session.run(feeds);
        const logits = kept.logits.data;
        let best = 0;
        for (let id = 1; id < logits.length; id += 1) if (logits[id] > logits[best]) best = id;
        return best;
      };
      const start = performance.now();
      let token = await step(tokens);
      const first = performance.now();
      for (let made = 1; made < maxTokens; made += 1) token = await step([token]);
      const decoded = maxTokens - 1;
      return {
        promptTokens: tokens.length,
        promptMs: first - start,
        answerTokens: maxTokens,
        tokensPerSecond: decoded > 0 ? (decoded / (performance.now() - first)) * 1000 : null,
      };
    },
  };
}
