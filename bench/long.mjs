#!/usr/bin/env node
/**
 * What a long context costs: a step of the answer after 32 and after 4,096 tokens, and attention's part of
 * a prompt of 4,096.
 *
 *     node bench/long.mjs [--models=smollm2-135m-q4_0] [--threads=1,2] [--rounds=3] [--kv-type=f16,f32,q8_0]
 *          [--nice=-5] [--json]
 */
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { llamaBench, native } from "./llamacpp.mjs";
import { limits } from "./limits.mjs";
import { make, MODELS } from "./models.mjs";
import { keepNiceness } from "./process.mjs";
import { median, short } from "./report.mjs";
import { serve } from "./server.mjs";
import { open } from "./speed.mjs";

const LONG = 4096;
const SHORT = 32;
const ANSWER = 16;
/** Bytes of an element of the cache. */
const ELEMENT = { f32: 4, f16: 2, q8_0: 34 / 32 };

const { values: options } = parseArgs({
  options: {
    models: { type: "string", default: "smollm2-135m-q4_0" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "3" },
    "kv-type": { type: "string", default: "f16,f32,q8_0" },
    nice: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** Times in ms: of a step after few and after many tokens, and of attention in a long prompt. */
async function once(browser, url, { model, threads, kvType, seed }) {
  const { call, close } = await open(browser, url, {
    engine: "sidestage",
    model,
    threads,
    timeout: 600,
    options: { contextLength: LONG + ANSWER + 16, kvType },
  });
  try {
    const step = async (prompt) => {
      const result = await call("generate", { prompt, answer: ANSWER, seed });
      return { step: 1000 / result.tokensPerSecond, prompt: result.promptMs };
    };
    const few = await step(SHORT);
    await call("profile");
    const many = await step(LONG);
    const { prompt } = await call("profile");
    const attention = prompt.ops.filter(({ name }) => name.startsWith("Attention"));
    return {
      short: few.step,
      long: many.step,
      prompt: many.prompt,
      attention: attention.reduce((sum, { ms }) => sum + ms, 0),
    };
  } finally {
    await close();
  }
}

const kvTypes = options["kv-type"].split(",");
llamaBench();
const { url, close } = await serve();
const browser = await launch();
const relax = options.nice === undefined ? () => {} : keepNiceness(Number(options.nice));
const rows = [];
try {
  for (const model of options.models.split(",")) {
    const path = make(model);
    const { layers, width, heads, kvHeads } = MODELS[model].shape;
    const elements = 2 * layers * kvHeads * (width / heads) * LONG;
    // Each query sees half of the prompt: times the keys, and the weights times the values.
    const macs = layers * width * LONG * LONG;
    for (const threads of options.threads.split(",").map(Number)) {
      const groups = kvTypes.map((kvType) => ({ model, threads, kvType, samples: [] }));
      rows.push(...groups);
      for (let round = 0; round < Number(options.rounds); round += 1) {
        const what = ["-p", String(LONG), "-n", "0", "--no-warmup"];
        const bar = native(path, threads, what)[`pp${LONG}`];
        for (const { kvType, samples } of groups) {
          const cache = elements * ELEMENT[kvType];
          const work = { variant: "relaxed", threads, bytes: Math.round(cache) };
          const allowed = await limits(browser, url, work);
          const figures = await once(browser, url, { model, threads, kvType, seed: round });
          console.error(
            `${model} · ${threads} threads · ${kvType}: ${JSON.stringify(figures)}`,
          );
          const reading = cache / allowed.read / 1e6;
          samples.push({
            ...figures,
            native: bar,
            added: (figures.long - figures.short) / reading,
            reading,
            share: macs / figures.attention / 1e6 / allowed.f32,
          });
        }
      }
    }
  }
} finally {
  relax();
  await browser.close();
  close();
}
if (options.json) {
  console.log(JSON.stringify(rows));
} else {
  console.log(
    "Floors: added by the cache's read at most 1.6, attention at least 50 % of the f32 limit.\n",
  );
  console.log(
    "| model | threads | cache | step after 32, ms | after 4096, ms | added, ms | cache read at the limit, ms | added by that | pp4096, tokens/s | native | attention, ms | of the f32 limit |\n" +
      `| --- | --- | --- |${" ---: |".repeat(9)}`,
  );
  for (const { model, threads, kvType, samples } of rows) {
    const middle = (key) => median(samples.map((sample) => sample[key]));
    const cells = [
      ...[middle("short"), middle("long"), middle("long") - middle("short"), middle("reading")],
      ...[middle("added"), (LONG / middle("prompt")) * 1000, middle("native")],
      middle("attention"),
    ];
    const share = `${(100 * middle("share")).toFixed(0)} %`;
    console.log(
      `| ${model} | ${threads} | ${kvType} | ${cells.map(short).join(" | ")} | ${share} |`,
    );
  }
}
