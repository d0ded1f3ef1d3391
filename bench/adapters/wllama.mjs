/**
 * llama.cpp by @wllama/wllama 3: one build with memory64, JSPI and threads. On the CPU here.
 */
import { Wllama } from "/packages/@wllama/wllama/esm/index.js";

const quiet = () => {};
const logger = { debug: quiet, log: quiet, warn: quiet, error: console.error };

export async function create({ threads }) {
  const wllama = new Wllama(
    { default: "/packages/@wllama/wllama/esm/wasm/wllama.wasm" },
    { suppressNativeLog: true, logger },
  );
  return {
    async load(url, cache) {
      const options = {
        n_ctx: 1024,
        n_batch: 512,
        n_ubatch: 512,
        n_threads: threads,
        n_gpu_layers: 0,
        n_parallel: 1,
        warmup: false,
      };
      if (cache === "no-store") {
        await wllama.loadModel([await (await fetch(url)).blob()], options);
      } else {
        await wllama.loadModelFromUrl(new URL(url, location.href).href, options);
      }
      return { threads: wllama.getNumThreads() };
    },
    async generate(tokens, maxTokens) {
      // It takes only text. The vocabulary never merges digits, so N digits are N tokens.
      const prompt = tokens.map((id) => id % 10).join("");
      let timings;
      await wllama.createCompletion({
        prompt,
        max_tokens: maxTokens,
        temperature: 0,
        top_k: 1,
        samplers_sequence: ["top_k"],
        ignore_eos: true,
        cache_prompt: false,
        stream: true,
        timings_per_token: true,
        onData: (data) => {
          timings = data.timings ?? timings;
        },
      });
      const decoded = timings.predicted_n - 1;
      return {
        promptTokens: timings.prompt_n,
        promptMs: timings.prompt_ms,
        answerTokens: timings.predicted_n,
        // Its clock starts after the first token.
        tokensPerSecond: decoded > 0 ? (decoded / timings.predicted_ms) * 1000 : null,
      };
    },
  };
}
