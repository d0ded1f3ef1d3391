/**
 * Speed, load time and memory of Sidestage and of its peers: one Chromium, the engines in turn, each
 * in a fresh page, several rounds with a rotating start, so that a slow minute of the machine hits
 * all alike.
 */
import { launch } from "./browser.mjs";
import { make } from "./models.mjs";
import { median } from "./report.mjs";
import { renderers, watchOthers } from "./process.mjs";
import { serve } from "./server.mjs";

export const OURS = "sidestage";
export const PEERS = ["wllama", "wllama2"];
const PROMPTS = [128, 512];
const ANSWER = 32;

/** What is measured, and whether more is better. */
export const METRICS = [
  ...PROMPTS.map((length) => ({
    key: `pp${length}`,
    unit: "tokens/s",
    more: true,
  })),
  { key: `tg${ANSWER}`, unit: "tokens/s", more: true },
  { key: "load", unit: "ms", more: false },
  { key: "peak", unit: "MB", more: false },
];

function within(promise, seconds, what) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(
      () => fail(new Error(`${what}: no answer in ${seconds} s`)),
      seconds * 1000,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * A fresh page with an engine and its model: `call(command, argument)` of web/page.mjs, `peak()` of its
 * renderer over the empty page's in MB, and `load`, the milliseconds that the load took. `close()` it.
 */
export async function open(browser, url, { engine, threads, model, timeout, options = {} }) {
  // Renderers of pages closed just now may still be there.
  const earlier = new Set(renderers().map(({ pid, peak }) => (peak > 200 ? pid : 0)));
  const context = await browser.newContext();
  const close = () => context.close();
  try {
    const page = await context.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
    await page.goto(`${url}/bench/web/page.html`);
    await page.waitForFunction("window.bench");
    const most = () =>
      Math.max(...renderers().map((it) => (earlier.has(it.pid) ? 0 : it.peak)), 0);
    const empty = most();
    const call = async (command, argument) => {
      const work = page.evaluate(([c, a]) => window.bench(c, a), [command, argument]);
      try {
        return await within(work, timeout, `${engine} ${command}`);
      } catch (error) {
        throw new Error([String(error.message).split("\n")[0], ...problems].join("; "), {
          cause: error,
        });
      }
    };
    const { isolated } = await call("create", {
      adapter: `/bench/adapters/${engine}.mjs`,
      options: { threads, ...options },
    });
    if (!isolated) throw new Error("the page is not cross-origin isolated");
    const loaded = await call("load", { url: `/models/${model}.gguf` });
    if (loaded.threads !== threads) {
      throw new Error(`${loaded.threads} threads run instead of ${threads}`);
    }
    // Past the browser's baseline compiler: after a shorter prompt it still compiles the kernels of
    // the first measured one beside it, which then has two thirds of its speed with two threads.
    await call("generate", { prompt: PROMPTS[0], answer: 8, seed: 999 });
    const peak = () => {
      const now = most();
      return now > 0 ? now - empty : undefined;
    };
    return { call, close, load: loaded.ms, peak };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Tokens/s of answers: what further tokens add to a call, since the page hears of the first one only
 * with those of the same slice. The median of three, as of llama-bench.
 */
async function answers(call, seed) {
  const rates = [];
  for (let round = 0; round < 3; round += 1) {
    const one = await call("generate", { prompt: 8, answer: 1, seed });
    const all = await call("generate", { prompt: 8, answer: 1 + ANSWER, seed });
    rates.push((ANSWER * 1000) / (all.totalMs - one.totalMs));
  }
  return median(rates);
}

/** One engine, once: from an empty page to its last figure. */
export async function once(browser, url, { seed, prompts = PROMPTS, ...job }) {
  const { call, close, load, peak } = await open(browser, url, job);
  try {
    const figures = { load };
    const ours = job.engine === OURS;
    for (const [at, prompt] of prompts.entries()) {
      const answer = at === 0 && !ours ? ANSWER : 1;
      const result = await call("generate", { prompt, answer, seed: seed * 10 + at });
      if (result.promptTokens < prompt || result.answerTokens < answer) {
        throw new Error(
          `${result.promptTokens} + ${result.answerTokens} tokens instead of ${prompt} + ${answer}`,
        );
      }
      figures[`pp${prompt}`] = (result.promptTokens / result.promptMs) * 1000;
      if (at === 0) figures[`tg${ANSWER}`] = result.tokensPerSecond;
    }
    if (ours) figures[`tg${ANSWER}`] = await answers(call, seed);
    const most = peak();
    if (most !== undefined) figures.peak = most;
    return figures;
  } finally {
    await close();
  }
}

/**
 * Measures. Gives a list of `{ model, threads, engine, samples: { metric: [number] }, error? }` and
 * the share of the machine that others used.
 */
export async function measure({ models, threads, engines, rounds, timeout, say }) {
  for (const model of models) make(model);
  const { url, close } = await serve();
  const browser = await launch();
  const results = [];
  const others = watchOthers();
  try {
    for (const model of models) {
      const group = threads.flatMap((count) =>
        engines.map((engine) => ({
          model,
          threads: count,
          engine,
          samples: {},
        })),
      );
      results.push(...group);
      for (let round = 0; round < rounds; round += 1) {
        for (let i = 0; i < group.length; i += 1) {
          const result = group[(i + round) % group.length];
          if (result.error !== undefined) continue;
          const { engine, threads: count } = result;
          say(`${model} · ${engine} · ${count} threads · round ${round + 1} of ${rounds}`);
          try {
            const job = { engine, threads: count, model, seed: round, timeout };
            const figures = await once(browser, url, job);
            for (const [key, value] of Object.entries(figures)) {
              (result.samples[key] ??= []).push(value);
            }
            const shown = METRICS.filter(({ key }) => key in figures).map(
              ({ key, unit }) => `${key} ${figures[key].toFixed(1)} ${unit}`,
            );
            say(`  ${shown.join(", ")}`);
          } catch (error) {
            result.error = error.message;
            say(`  failed: ${error.message}`);
          }
        }
      }
    }
    return { results, chromium: browser.version(), others: others() };
  } finally {
    await browser.close();
    close();
  }
}
