/**
 * Holds one engine with a graph model and does what the runner asks of it.
 */
const ARRAYS = { float32: Float32Array, int64: BigInt64Array };

/** Values of an output that are compared. */
const COMPARED = 4096;

let engine;
let inputs;

/** Some of an output's values, from all over it. */
function sampled(data) {
  const step = Math.max(1, Math.floor(data.length / COMPARED));
  const values = Array.from(data, Number).filter((_, at) => at % step === 0);
  return { length: data.length, values };
}

const commands = {
  /** From nothing to the first outputs, which are given. */
  async load({ adapter, options, url, feeds }) {
    inputs = feeds.map(({ dtype, shape, values }) => ({
      dtype,
      shape,
      data: ARRAYS[dtype].from(values, dtype === "int64" ? BigInt : undefined),
    }));
    const start = performance.now();
    const { create } = await import(adapter);
    engine = await create(options);
    const created = performance.now();
    await engine.load(url);
    const loaded = performance.now();
    const outputs = await engine.run(inputs);
    const end = performance.now();
    return {
      isolated: crossOriginIsolated,
      ms: {
        create: created - start,
        load: loaded - created,
        first: end - loaded,
        all: end - start,
      },
      outputs: outputs.map(sampled),
    };
  },
  /** Milliseconds of runs, one after the other, for so long. */
  async run({ ms, least }) {
    const times = [];
    const begin = performance.now();
    while (times.length < least || performance.now() - begin < ms) {
      const start = performance.now();
      await engine.run(inputs);
      times.push(performance.now() - start);
    }
    return times;
  },
};

window.bench = (command, argument) => commands[command](argument);
