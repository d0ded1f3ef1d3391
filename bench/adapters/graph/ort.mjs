/** ONNX Runtime Web on the CPU. */
import * as ort from "/packages/onnxruntime-web/dist/ort.wasm.min.mjs";

export async function create({ threads }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/packages/onnxruntime-web/dist/";
  ort.env.logLevel = "error";
  let session;
  return {
    async load(url) {
      const bytes = await (await fetch(url)).arrayBuffer();
      session = await ort.InferenceSession.create(new Uint8Array(bytes), {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
      });
    },
    async run(inputs) {
      const tensors = inputs.map(({ data, shape, dtype }, at) => [
        session.inputNames[at],
        new ort.Tensor(dtype, data, shape),
      ]);
      const outputs = await session.run(Object.fromEntries(tensors));
      return session.outputNames.map((name) => outputs[name].data);
    },
  };
}
