/** LiteRT.js on the CPU: XNNPACK with relaxed SIMD. */
import { loadAndCompile, loadLiteRt, Tensor } from "/packages/@litertjs/core/dist/index.js";

export async function create({ threads }) {
  await loadLiteRt("/packages/@litertjs/core/wasm/", { threads: threads > 1 });
  let model;
  return {
    async load(url) {
      model = await loadAndCompile(url, {
        accelerator: "wasm",
        cpuOptions: { numThreads: threads },
      });
    },
    async run(inputs) {
      const tensors = inputs.map(({ data, shape }) => new Tensor(data, shape));
      const outputs = await model.run(tensors.length === 1 ? tensors[0] : tensors);
      // Copies: the tensors' memory is the engine's.
      const data = outputs.map((output) => output.toTypedArray().slice());
      for (const tensor of [...tensors, ...outputs]) tensor.delete();
      return data;
    },
  };
}
