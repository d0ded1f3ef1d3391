#!/usr/bin/env node
/**
 * Load time and memory, with what the browser keeps: without it, when it is empty, and from it. Each
 * load is in a fresh page of a browser with a profile on the disk, as a user's is.
 *
 *     node bench/load.mjs [--models=smollm2-135m-q4_0,qwen-0.5b-q4_0] [--rounds=3] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launchProfile } from "./browser.mjs";
import { make } from "./models.mjs";
import { renderers, watchOthers } from "./process.mjs";
import { serve } from "./server.mjs";
import { OURS, PEERS } from "./speed.mjs";

const { values: options } = parseArgs({
  options: {
    // Files of 135 and of 500 million weights.
    models: { type: "string", default: "smollm2-135m-q4_0,smollm2-135m-q8_0,qwen-0.5b-q4_0" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const MODELS = options.models.split(",");

const WARM_UP = "tiny";
const ENGINES = [OURS, ...PEERS];

/** The loads of one profile, in their order. */
const LOADS = [
  { load: "not kept", cache: "no-store" },
  { load: "cold", cache: "default" },
  { load: "cached", cache: "default" },
];

/** One load in a fresh page, and the first token of an answer: `{ ms, first, peak }`, both from the start. */
async function once(context, url, { engine, model, cache }) {
  const earlier = new Set(renderers().map(({ pid }) => pid));
  const page = await context.newPage();
  try {
    await page.goto(`${url}/bench/web/page.html`);
    await page.waitForFunction("window.bench");
    const peak = () =>
      Math.max(...renderers().map((it) => (earlier.has(it.pid) ? 0 : it.peak)), 0);
    const empty = peak();
    const call = (command, argument) =>
      page.evaluate(([c, a]) => window.bench(c, a), [command, argument]);
    await call("create", { adapter: `/bench/adapters/${engine}.mjs`, options: { threads: 1 } });
    const { ms } = await call("load", { url: `/models/${model}.gguf`, cache });
    const begun = performance.now();
    // Its vocabulary is too small for the prompts.
    if (model !== WARM_UP) await call("generate", { prompt: 1, answer: 1, seed: 1 });
    return { ms, first: ms + performance.now() - begun, peak: peak() - empty };
  } finally {
    await page.close();
  }
}

/** Gives `{ results: [{ model, engine, load, ms: [], first: [], peak: [], error? }], chromium, others }`. */
async function measure(rounds, say) {
  for (const model of [WARM_UP, ...MODELS]) make(model);
  const { url, close } = await serve();
  const results = MODELS.flatMap((model) =>
    ENGINES.flatMap((engine) =>
      LOADS.map(({ load, cache }) => ({
        model,
        engine,
        load,
        cache,
        ms: [],
        first: [],
        peak: [],
      })),
    ),
  );
  const others = watchOthers();
  let chromium = "";
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const model of MODELS) {
        for (const engine of ENGINES) {
          const folder = mkdtempSync(join(tmpdir(), "sidestage-bench-"));
          const context = await launchProfile(folder);
          chromium = context.browser()?.version() ?? chromium;
          try {
            // The first page of a browser also pays for its start and for compiling the engine.
            await once(context, url, { engine, model: WARM_UP, cache: "no-store" });
            for (const result of results) {
              if (result.model !== model || result.engine !== engine || result.error) continue;
              const { load, cache } = result;
              try {
                const figures = await once(context, url, { engine, model, cache });
                for (const [key, value] of Object.entries(figures)) result[key].push(value);
                const { ms, first, peak } = figures;
                const shown = `${ms.toFixed(0)} ms, ${first.toFixed(0)} ms, ${peak.toFixed(0)} MB`;
                say(`${model} · ${engine} · ${load}: ${shown}`);
              } catch (error) {
                result.error = String(error.message).split("\n")[0];
                say(`${model} · ${engine} · ${load} failed: ${result.error}`);
              }
            }
          } finally {
            await context.close();
            rmSync(folder, { recursive: true, force: true });
          }
        }
      }
    }
    return { results, chromium, others: others() };
  } finally {
    close();
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Markdown: each engine, and the better peer's figure by ours. */
function table(results) {
  const lines = [
    `| model | load | what | ${ENGINES.join(" | ")} | ratio |`,
    `| --- | --- | --- | ${ENGINES.map(() => "---:").join(" | ")} | ---: |`,
  ];
  const groups = new Set(results.map(({ model, load }) => `${model} | ${load}`));
  for (const group of groups) {
    for (const [key, what] of [
      ["ms", "time, ms"],
      ["first", "to the first token, ms"],
      ["peak", "peak, MB"],
    ]) {
      const values = ENGINES.map((engine) => {
        const found = results.find(
          (it) => `${it.model} | ${it.load}` === group && it.engine === engine,
        );
        return found && !found.error ? median(found[key]) : undefined;
      });
      const [mine, ...theirs] = values;
      const best = Math.min(...theirs.filter((value) => value !== undefined));
      const ratio = mine === undefined ? "–" : `**${(best / mine).toFixed(2)}**`;
      const shown = values.map((value) => (value === undefined ? "–" : value.toFixed(0)));
      lines.push(`| ${group} | ${what} | ${shown.join(" | ")} | ${ratio} |`);
    }
  }
  return lines.join("\n");
}

const measured = await measure(Number(options.rounds), (line) => console.error(line));
if (options.json) {
  console.log(JSON.stringify(measured));
} else {
  const { results, chromium, others } = measured;
  const share = others === null ? "" : `, ${(others * 100).toFixed(0)} % of it used by others`;
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "CPU"}${share}`;
  console.log(`Chromium ${chromium}, ${machine}; ${options.rounds} rounds, medians.\n`);
  console.log(table(results));
}
if (measured.results.some(({ error }) => error !== undefined)) process.exitCode = 1;
