#!/usr/bin/env node
/**
 * Language models in a tab, against native llama.cpp and the engines that others ship.
 *
 *     node bench/llm.mjs [--models=smollm2-135m-q4_0,llama-300m-q4_k] [--threads=1,2] [--rounds=3]
 *          [--configs=vnni,novnni,simd,command] [--peers=wllama,wllama2,ort] [--peer-rounds=1] [--all]
 *          [--nice=-5] [--timeout=SECONDS] [--json]
 *
 * By default one model of each type, the first in each configuration, the others with `vnni` and `command`.
 * `--all`: every model, with each configuration.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { command } from "./command.mjs";
import { llamaBench, native, SOURCE } from "./llamacpp.mjs";
import { limits } from "./limits.mjs";
import { cost, make } from "./models.mjs";
import { makeOnnx } from "./onnx.mjs";
import { keepNiceness, watchOthers } from "./process.mjs";
import { median, short } from "./report.mjs";
import { serve } from "./server.mjs";
import { once, PEERS } from "./speed.mjs";

const DEFAULT = [
  ...["smollm2-135m-q4_0", "smollm2-135m-q8_0", "llama-300m-q4_k", "llama-300m-q5_k"],
  ...["llama-300m-q6_k", "smollm2-135m-f16", "smollm2-135m-bf16"],
];
const ALL = [
  ...["smollm2-135m-q4_0", "smollm2-135m-q8_0", "smollm2-135m-f16", "smollm2-135m-bf16"],
  ...["llama-300m-q4_0", "llama-300m-q4_k", "llama-300m-q5_k", "llama-300m-q6_k"],
  ...["qwen-0.5b-q4_0", "qwen-0.5b-q8_0"],
];
/** Ways of running the engine: flags of the browser, the package's folder, the probes' module. */
const CONFIGS = {
  vnni: { flags: [], base: "/sidestage/", variant: "relaxed" },
  novnni: {
    flags: ["--js-flags=--no-enable-avx-vnni"],
    base: "/sidestage/",
    variant: "relaxed",
  },
  simd: { flags: [], base: "/sidestage-simd/", variant: "simd" },
};
/** The engine without a browser. */
const COMMAND = "command";
const METRICS = ["pp128", "pp512", "tg32"];

const { values: options } = parseArgs({
  options: {
    models: { type: "string" },
    threads: { type: "string", default: "1,2" },
    configs: { type: "string" },
    rounds: { type: "string", default: "3" },
    peers: { type: "string", default: [...PEERS, "ort"].join() },
    "peer-rounds": { type: "string", default: "1" },
    all: { type: "boolean", default: false },
    nice: { type: "string" },
    timeout: { type: "string", default: "240" },
    json: { type: "boolean", default: false },
  },
});
const models = options.models?.split(",") ?? (options.all ? ALL : DEFAULT);
const threads = options.threads.split(",").map(Number);
const rounds = Number(options.rounds);
const timeout = Number(options.timeout);
const peers = options.peers.split(",").filter((name) => name !== "");
const say = (line) => console.error(line);

/** By default the further configurations run with the first model only. */
function configsOf(model) {
  if (options.configs !== undefined) return options.configs.split(",");
  const all = options.all || model === models[0];
  return all ? [...Object.keys(CONFIGS), COMMAND] : ["vnni", COMMAND];
}

/** The share of the limit: of int8 products in a prompt (of f32 in F16's), of reading in an answer. */
function share(metric, speed, { bytes, macs, float }, allowed) {
  if (metric === "tg32") return (speed * bytes) / (allowed.read * 1e9);
  return (speed * macs) / ((float ? allowed.f32 : allowed.int8) * 1e9);
}

/** The model that a peer runs, and its prompts; nothing where it has no counterpart. */
function peerJob(engine, model) {
  // Prompts of 512 take the wllamas half a minute.
  if (engine !== "ort") return { model, prompts: [128] };
  // Its graph has floats of 32 bits for either type of 16.
  const same = model.replace("-bf16", "-f16");
  if (same !== model) make(same);
  return makeOnnx(same) === undefined ? undefined : { model: same, prompts: [128, 512] };
}

async function measure(browsers, url, results) {
  for (const model of models) {
    const path = make(model);
    const work = { ...cost(model), float: model.endsWith("f16") };
    for (const count of threads) {
      const group = { model, threads: count, samples: {}, allowed: {}, shares: {} };
      results.push(group);
      const keep = (engine, figures) => {
        for (const metric of METRICS) {
          if (figures[metric] === undefined) continue;
          ((group.samples[engine] ??= {})[metric] ??= []).push(figures[metric]);
        }
        const shown = METRICS.filter((metric) => metric in figures);
        const line = shown.map((metric) => `${metric} ${short(figures[metric])}`).join(", ");
        say(`${model} · ${count} threads · ${engine}: ${line}`);
      };
      for (let round = 0; round < rounds; round += 1) {
        keep("native", native(path, count));
        for (const config of configsOf(model)) {
          if (config === COMMAND) {
            keep(config, command(path, count));
            continue;
          }
          const { base, variant } = CONFIGS[config];
          const browser = browsers[config];
          const job = { engine: "sidestage", threads: count, model, seed: round, timeout };
          const allowed = await limits(browser, url, { variant, threads: count, ...work });
          const figures = await once(browser, url, { ...job, options: { base } });
          keep(config, figures);
          for (const metric of METRICS) {
            const part = share(metric, figures[metric], work, allowed);
            ((group.shares[config] ??= {})[metric] ??= []).push(part);
          }
          (group.allowed[config] ??= []).push(allowed);
        }
        if (round >= Number(options["peer-rounds"])) continue;
        for (const engine of peers) {
          const counterpart = peerJob(engine, model);
          if (counterpart === undefined) continue;
          const job = { engine, threads: count, seed: round, timeout, ...counterpart };
          try {
            keep(engine, await once(browsers.vnni, url, job));
          } catch (error) {
            say(`${model} · ${count} threads · ${engine}: ${error.message}`);
          }
        }
      }
    }
  }
}

/** Ratios of rounds. */
function paired(ours, theirs) {
  return ours.slice(0, theirs.length).map((value, round) => value / theirs[round]);
}

function table(results) {
  const lines = [
    `| model | threads | engine | what | tokens/s | native | ratio (least … most) | best by best | of the limit |${peers.map((peer) => ` ${peer} |`).join("")}`,
    `| --- | --- | --- | --- | ---: | ---: | --- | ---: | ---: |${" ---: |".repeat(peers.length)}`,
  ];
  for (const { model, threads: count, samples, shares } of results) {
    for (const config of configsOf(model)) {
      for (const metric of METRICS) {
        const ours = samples[config]?.[metric];
        const bar = samples.native?.[metric];
        if (ours === undefined || bar === undefined) continue;
        const ratios = paired(ours, bar);
        const ratio = `**${median(ratios).toFixed(2)}** (${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)})`;
        const best = (Math.max(...ours) / Math.max(...bar)).toFixed(2);
        const part = shares[config]
          ? `${(100 * median(shares[config][metric])).toFixed(0)} %`
          : "–";
        const others = peers.map((peer) => {
          const theirs = samples[peer]?.[metric];
          if (theirs === undefined) return "–";
          return `${short(median(theirs))} (${median(paired(ours, theirs)).toFixed(2)})`;
        });
        lines.push(
          `| ${model} | ${count} | ${config} | ${metric} | ${short(median(ours))} | ${short(median(bar))} | ${ratio} | ${best} | ${part} |${others.map((other) => ` ${other} |`).join("")}`,
        );
      }
    }
  }
  return lines.join("\n");
}

/** What a second thread brings: medians of ratios of rounds. */
function second(results) {
  const lines = [];
  for (const one of results.filter((it) => it.threads === 1)) {
    const two = results.find((it) => it.model === one.model && it.threads === 2);
    for (const engine of ["native", ...configsOf(one.model)]) {
      if (!two?.samples[engine] || !one.samples[engine]) continue;
      const ratio = (metric) =>
        median(paired(two.samples[engine][metric], one.samples[engine][metric])).toFixed(2);
      lines.push(
        `| ${one.model} | ${engine} | ${METRICS.map((metric) => ratio(metric)).join(" | ")} |`,
      );
    }
  }
  if (lines.length === 0) return "";
  return [
    "",
    `| second thread over one | engine | ${METRICS.join(" | ")} |`,
    `| --- | --- |${" ---: |".repeat(METRICS.length)}`,
    ...lines,
  ].join("\n");
}

llamaBench();
const { url, close } = await serve();
const browsers = {};
for (const [name, { flags }] of Object.entries(CONFIGS)) browsers[name] = await launch(flags);
const others = watchOthers();
const relax = options.nice === undefined ? () => {} : keepNiceness(Number(options.nice));
const results = [];
try {
  await measure(browsers, url, results);
} finally {
  relax();
  for (const browser of Object.values(browsers)) await browser.close();
  close();
  const share = others();
  const chromium = browsers.vnni.version();
  if (options.json) console.log(JSON.stringify({ results, chromium, others: share }));
  else {
    const foreign =
      share === null ? "" : `, ${(100 * share).toFixed(0)} % of it used by others`;
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? "CPU"}${foreign}`;
    console.log(
      `Chromium ${chromium}, llama.cpp of ${SOURCE} for AVX2, ${machine}; ${rounds} rounds.\n`,
    );
    console.log(table(results));
    console.log(second(results));
  }
}
