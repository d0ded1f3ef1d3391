/**
 * llama.cpp by @wllama/wllama 2: wasm32, one build with threads and one without.
 */
import { Wllama } from "/packages/wllama2/esm/index.js";

const quiet = () => {};
const logger = { debug: quiet, log: quiet, warn: quiet, error: console.error };

export async function create({ threads }) {
  const wllama = new Wllama(
    {
      "single-thread/wllama.wasm": "/packages/wllama2/esm/single-thread/wllama.wasm",
      "multi-thread/wllama.wasm": "/packages/wllama2/esm/multi-thread/wllama.wasm",
    },
    { suppressNativeLog: true, logger },
  );
  return {
    async load(url, cache) {
      const options = {
        n_ctx: 1024,
        n_batch: 512,
        n_threads: threads,
      };
      if (cache === "no-store") {
        await wllama.loadModel([await (await fetch(url)).blob()], options);
      } else {
        await wllama.loadModelFromUrl(new URL(url, location.href).href, options);
      }
      return { threads: wllama.getNumThreads() };
    },
    async generate(tokens, maxTokens) {
      await wllama.kvClear();
      await wllama.samplingInit({
        temp: 0,
        top_k: 1,
        samplers_sequence: ["top_k"],
      });
      const start = performance.now();
      await wllama.decode(tokens, {});
      let next = await wllama.samplingSample();
      const first = performance.now();
      let decoded = 0;
      for (; decoded < maxTokens - 1; decoded += 1) {
        await wllama.samplingAccept([next.token]);
        await wllama.decode([next.token], {});
        next = await wllama.samplingSample();
      }
      const decodeMs = performance.now() - first;
      return {
        promptTokens: tokens.length,
        promptMs: first - start,
        answerTokens: decoded + 1,
        tokensPerSecond: decoded > 0 ? (decoded / decodeMs) * 1000 : null,
      };
    },
  };
}
