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

async function frames(going) {
  const intervals = [];
  let last;
  while (going()) {
    await new Promise((done) => requestAnimationFrame(done));
    // The callback's own argument is when the frame should have been.
    const now = performance.now();
    if (last !== undefined) intervals.push(now - last);
    last = now;
  }
  return intervals;
}

const commands = {
  async create({ adapter, options }) {
    const { create } = await import(adapter);
    engine = await create(options);
    return { isolated: crossOriginIsolated };
  },
  async load({ url, cache = "no-store" }) {
    const start = performance.now();
    const info = await engine.load(url, cache);
    return { ms: performance.now() - start, ...info };
  },
  profile: () => engine.profile(),
  /** Intervals of frames (p99), ms. */
  async frames({ seconds, generate }) {
    const end = performance.now() + seconds * 1000;
    const going = () => performance.now() < end;
    const work = (async () => {
      for (let seed = 1; generate !== undefined && going(); seed += 1) {
        await engine.generate(tokens(generate.prompt, seed), generate.answer, going);
      }
    })();
    const [intervals] = await Promise.all([frames(going), work]);
    intervals.sort((a, b) => a - b);
    return { p99: intervals[Math.floor(intervals.length * 0.99)] };
  },
  generate: ({ prompt, answer, seed }) => engine.generate(tokens(prompt, seed), answer),
};

window.bench = (command, argument) => commands[command](argument);
