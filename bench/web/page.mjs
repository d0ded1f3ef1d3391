/**
 * Holds one engine and does what the runner asks of it.
 */
let engine;

function tokens(count, seed) {
  let state = (seed * 7919 + 13) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 300 + (state % 48000);
  });
}

const commands = {
  async create({ adapter, threads }) {
    const { create } = await import(adapter);
    engine = await create({ threads });
    return { isolated: crossOriginIsolated };
  },
  async load({ url, cache = "no-store" }) {
    const start = performance.now();
    const info = await engine.load(url, cache);
    return { ms: performance.now() - start, ...info };
  },
  generate: ({ prompt, answer, seed }) => engine.generate(tokens(prompt, seed), answer),
};

window.bench = (command, argument) => commands[command](argument);
