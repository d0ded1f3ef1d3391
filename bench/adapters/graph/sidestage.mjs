/** Sidestage: the engine in its worker. */
export async function create({ threads, base = "/sidestage/" }) {
  const { loadModel } = await import(`${base}index.js`);
  let model;
  return {
    async load(url) {
      const address = new URL(url, location.href).href;
      model = await loadModel(address, { threads });
      if (model.info.threads !== threads) throw new Error(`${model.info.threads} threads`);
    },
    async run(inputs) {
      const named = model.info.inputs.map(({ name }, at) => [name, inputs[at]]);
      const outputs = await model.run(Object.fromEntries(named));
      return model.info.outputs.map(({ name }) => outputs[name]?.data);
    },
  };
}
