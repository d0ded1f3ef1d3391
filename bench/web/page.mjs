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

/** A message to itself comes as soon as the task before it is over: the longest it had to wait. */
async function gaps(going) {
  const { port1, port2 } = new MessageChannel();
  let longest = 0;
  let last = performance.now();
  await new Promise((done) => {
    port1.onmessage = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      if (going()) port2.postMessage(0);
      else done();
    };
    port2.postMessage(0);
  });
  return longest;
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
  /** Intervals of frames (p99) and the longest time in which the page did nothing else, ms. */
  async frames({ seconds, generate }) {
    const end = performance.now() + seconds * 1000;
    const going = () => performance.now() < end;
    const work = (async () => {
      for (let seed = 1; generate !== undefined && going(); seed += 1) {
        await engine.generate(tokens(generate.prompt, seed), generate.answer, going);
      }
    })();
    const [intervals, longest] = await Promise.all([frames(going), gaps(going), work]);
    intervals.sort((a, b) => a - b);
    return { p99: intervals[Math.floor(intervals.length * 0.99)], longest };
  },
  generate: ({ prompt, answer, seed }) => engine.generate(tokens(prompt, seed), answer),
};

window.bench = (command, argument) => commands[command](argument);
