/** TensorFlow.js on its wasm backend: XNNPACK without relaxed SIMD. */
const PACKAGES = "/packages/@tensorflow/tfjs-";

function script(address) {
  return new Promise((done, fail) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = done;
    element.onerror = fail;
    document.head.append(element);
  });
}

export async function create({ threads }) {
  // It takes half of the machine's processors at most, and would not run two threads on two.
  Object.defineProperty(window.navigator, "hardwareConcurrency", { value: threads * 2 });
  // As scripts: its threads find their code only so.
  for (const part of ["core/dist/tf-core", "backend-cpu/dist/tf-backend-cpu"]) {
    await script(`${PACKAGES}${part}.min.js`);
  }
  for (const part of ["converter", "layers", "backend-wasm"]) {
    await script(`${PACKAGES}${part}/dist/tf-${part}.min.js`);
  }
  const { tf } = window;
  tf.wasm.setThreadsCount(threads);
  tf.wasm.setWasmPaths(`${PACKAGES}backend-wasm/dist/`);
  if (threads === 1) tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");
  await tf.ready();
  if (tf.wasm.getThreadsCount() !== threads) throw new Error("other threads than asked for");
  let model;
  return {
    async load(url) {
      const file = await (await fetch(url)).json();
      const layers = file.modelTopology.model_config !== undefined;
      model = await (layers ? tf.loadLayersModel(url) : tf.loadGraphModel(url));
    },
    async run(inputs) {
      const [{ data, shape }] = inputs;
      const tensor = tf.tensor(data, shape);
      const output = model.predict(tensor);
      const outputs = Array.isArray(output) ? output : [output];
      const values = await Promise.all(outputs.map((one) => one.data()));
      for (const one of [tensor, ...outputs]) one.dispose();
      return values;
    },
  };
}
