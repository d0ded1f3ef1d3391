#!/usr/bin/env node
/**
 * Graph models in a tab, each file beside the engine that reads its format. Loads are those of a second
 * visit, by a browser with a profile on the disk: its cache, or the engine's, has what the first one got.
 *
 *     node bench/graph.mjs [--models=mobilenet-v2,minilm-l6] [--threads=1,2] [--rounds=5] [--loads=3]
 *          [--peers=ort,litert,tfjs] [--nice=-5] [--timeout=SECONDS] [--json]
 *     node bench/graph.mjs --show=a.json,b.json
 *
 * Ends with 1 if an output differs from a peer's.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launch, launchProfile } from "./browser.mjs";
import { makeGraph, MODELS, values } from "./graphs.mjs";
import { limits } from "./limits.mjs";
import { keepNiceness, renderers, watchOthers } from "./process.mjs";
import { median, short } from "./report.mjs";
import { serve } from "./server.mjs";

const PEERS = { onnx: "ort", tflite: "litert", tfjs: "tfjs" };
/** What a round takes of each engine, in milliseconds and runs at least. */
const ROUND = { ms: 200, least: 3 };
/** Past the browser's baseline compiler. */
const WARM = { ms: 600, least: 3 };
/** Most that an output may differ, of its greatest value: sums in another order, or other roundings. */
const TOLERANCE = { fine: 1e-3, coarse: 0.1 };

const { values: options } = parseArgs({
  options: {
    models: { type: "string" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "5" },
    loads: { type: "string", default: "3" },
    peers: { type: "string", default: Object.values(PEERS).join() },
    nice: { type: "string" },
    timeout: { type: "string", default: "60" },
    show: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const models = options.models?.split(",") ?? Object.keys(MODELS);
const counts = options.threads.split(",").map(Number);
const peers = options.peers.split(",");
const say = (line) => console.error(line);

function within(promise, what) {
  const seconds = Number(options.timeout);
  let timer;
  const late = new Promise((_, fail) => {
    const error = new Error(`${what}: no answer in ${seconds} s`);
    timer = setTimeout(() => fail(error), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A page of its own: `call(command, argument)` of web/graph.mjs; `close()` it. */
async function open(context, url) {
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
  await page.goto(`${url}/bench/web/graph.html`);
  await page.waitForFunction("window.bench");
  const call = async (command, argument) => {
    const work = page.evaluate(([c, a]) => window.bench(c, a), [command, argument]);
    try {
      return await within(work, command);
    } catch (error) {
      const first = String(error.message).split("\n")[0];
      throw new Error([first, ...problems].join("; "), { cause: error });
    }
  };
  return { call, close: () => page.close() };
}

const peaks = () => new Map(renderers().map(({ pid, peak }) => [pid, peak]));

/** By how much some renderer's peak grew since, over that of an empty page. */
function grown(before, empty) {
  const all = [...peaks()].map(([pid, peak]) => peak - Math.max(before.get(pid) ?? 0, empty));
  return Math.max(...all, 0);
}

/** An engine with a model that has run once. */
async function start(context, url, { engine, threads, path, feeds }, empty) {
  const page = await open(context, url);
  try {
    const before = peaks();
    const adapter = `/bench/adapters/graph/${engine}.mjs`;
    const job = { adapter, options: { threads }, url: path, feeds };
    const { isolated, ms, outputs } = await page.call("load", job);
    if (!isolated) throw new Error("the page is not cross-origin isolated");
    await page.call("run", WARM);
    return { ...page, ms, outputs, peak: grown(before, empty) };
  } catch (error) {
    await page.close();
    throw error;
  }
}

/** The greatest difference of two engines' outputs, of the greatest value. */
function difference(ours, theirs) {
  let most = ours.length === theirs.length ? 0 : Infinity;
  for (const [at, { length, values: a }] of ours.entries()) {
    const b = theirs[at];
    if (b?.length !== length) return Infinity;
    const largest = b.values.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
    a.forEach((value, i) => (most = Math.max(most, Math.abs(value - b.values[i]) / largest)));
  }
  return most;
}

/** All engines of a model with so many threads. Gives a group of samples by engine and format. */
async function measure(context, url, { name, threads, allowed, empty }) {
  const model = MODELS[name];
  const paths = makeGraph(name);
  const cases = [];
  for (const [format, inputs] of Object.entries(model.files)) {
    const feeds = inputs.map((input) => {
      const { dtype, shape } = input;
      return { dtype, shape, values: Array.from(values(input), Number) };
    });
    const engines = ["sidestage", ...peers.filter((peer) => peer === PEERS[format])];
    for (const engine of engines) {
      cases.push({ engine, format, threads, path: paths[format], feeds, samples: {} });
    }
  }
  const keep = (one, key, value) => (one.samples[key] ??= []).push(value);
  const turned = (by) => cases.map((_, at) => cases[(at + by) % cases.length]);
  const live = () => turned(0).filter(({ error }) => error === undefined);
  try {
    // The first load is the first visit.
    for (let load = 0; load <= Number(options.loads); load += 1) {
      for (const one of turned(load).filter(({ error }) => error === undefined)) {
        await one.page?.close();
        one.page = undefined;
        try {
          one.page = await start(context, url, one, empty);
          if (load === 0) continue;
          for (const [part, ms] of Object.entries(one.page.ms)) keep(one, part, ms);
          keep(one, "peak", one.page.peak);
        } catch (error) {
          one.error = error.message;
          say(`${name} · ${threads} threads · ${one.engine} ${one.format}: ${error.message}`);
        }
      }
    }
    if (options.profile)
      for (const one of live()) {
        if (one.engine === "sidestage") await one.page.call("profile");
      }
    for (let round = 0; round < Number(options.rounds); round += 1) {
      for (const one of turned(round).filter(({ error }) => error === undefined)) {
        keep(one, "run", median(await one.page.call("run", ROUND)));
      }
    }
    for (const one of live()) {
      if (options.profile && one.engine === "sidestage")
        one.profile = await one.page.call("profile");
      const peer = live().find(
        (it) => it.engine === PEERS[one.format] && it.format === one.format,
      );
      if (one.engine === "sidestage" && peer !== undefined) {
        one.difference = difference(one.page.outputs, peer.page.outputs);
        one.tolerance = model.coarse ? TOLERANCE.coarse : TOLERANCE.fine;
      }
      const macs = model.macs?.();
      if (macs !== undefined) {
        const share = (ms) => macs / ms / 1e6 / allowed.f32;
        one.samples.share = one.samples.run.map(share);
      }
      const figures = ["run", "all", "peak"].map(
        (key) => `${key} ${short(median(one.samples[key]))}`,
      );
      say(`${name} · ${threads} threads · ${one.engine} ${one.format}: ${figures.join(", ")}`);
    }
  } finally {
    for (const { page } of cases) await page?.close();
  }
  const kept = cases.map(({ engine, format, samples, error, difference, tolerance }) => ({
    ...{ engine, format, samples, error, difference, tolerance },
  }));
  return { model: name, threads, allowed, cases: kept };
}

/** Theirs by ours, of the same rounds. */
function ratio(ours, theirs, key) {
  const [a, b] = [ours.samples[key], theirs.samples[key]];
  const all = a.slice(0, b.length).map((value, at) => b[at] / value);
  return { median: median(all), least: Math.min(...all), most: Math.max(...all) };
}

function table(groups) {
  const lines = [
    "| model | threads | format | ms | of the limit | peer | ms | ratio (least … most) | load, ms | peer | ratio | peak, MB | peer | ratio | differs by |",
    "| --- | --- | --- | ---: | ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
  ];
  for (const { model, threads, cases } of groups) {
    for (const ours of cases.filter(({ engine }) => engine === "sidestage")) {
      const peer = cases.find(
        (it) => it.engine === PEERS[ours.format] && it.format === ours.format && !it.error,
      );
      const cells = [model, threads, ours.format];
      if (ours.error !== undefined) {
        lines.push(`| ${[...cells, ours.error].join(" | ")} |`);
        continue;
      }
      const value = (one, key) => (one === undefined ? "–" : short(median(one.samples[key])));
      const compared = (key) => {
        if (peer === undefined) return "–";
        const { median: middle, least, most } = ratio(ours, peer, key);
        const spread = key === "run" ? ` (${least.toFixed(2)} … ${most.toFixed(2)})` : "";
        return `**${middle.toFixed(2)}**${spread}`;
      };
      const share = ours.samples.share;
      cells.push(value(ours, "run"));
      cells.push(share === undefined ? "–" : `${(100 * median(share)).toFixed(0)} %`);
      cells.push(peer?.engine ?? "–", value(peer, "run"), compared("run"));
      for (const key of ["all", "peak"]) {
        cells.push(value(ours, key), value(peer, key), compared(key));
      }
      cells.push(ours.difference?.toExponential(0) ?? "–");
      lines.push(`| ${cells.join(" | ")} |`);
    }
  }
  for (const { model, threads, cases } of groups) {
    for (const { engine, format, error } of cases) {
      if (error !== undefined)
        lines.push("", `${engine}, ${model}.${format}, ${threads}: ${error}`);
    }
  }
  return lines.join("\n");
}

if (options.show !== undefined) {
  const all = options.show.split(",").map((path) => JSON.parse(readFileSync(path, "utf8")));
  console.log(table(all.flatMap(({ groups }) => groups)));
  process.exit(0);
}
const { url, close } = await serve({ kept: true });
const folder = mkdtempSync(join(tmpdir(), "sidestage-bench-"));
const context = await launchProfile(folder);
let chromium = "";
const others = watchOthers();
const relax = options.nice === undefined ? () => {} : keepNiceness(Number(options.nice));
const groups = [];
try {
  const blank = await open(context, url);
  const empty = Math.max(...peaks().values());
  await blank.close();
  const allowed = {};
  const browser = await launch();
  chromium = browser.version();
  for (const threads of counts) {
    allowed[threads] = await limits(browser, url, { variant: "relaxed", threads, bytes: 1e6 });
  }
  await browser.close();
  for (const name of models) {
    makeGraph(name);
    for (const threads of counts) {
      const job = { name, threads, allowed: allowed[threads], empty };
      groups.push(await measure(context, url, job));
    }
  }
} finally {
  relax();
  await context.close();
  rmSync(folder, { recursive: true, force: true });
  close();
  const share = others();
  if (options.json) console.log(JSON.stringify({ groups, chromium, others: share }));
  else {
    const foreign =
      share === null ? "" : `, ${(100 * share).toFixed(0)} % of it used by others`;
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? "CPU"}${foreign}`;
    console.log(`Chromium ${chromium}, ${machine}; ${options.rounds} rounds.\n`);
    console.log(table(groups));
  }
}
const wrong = groups
  .flatMap(({ cases }) => cases)
  .filter(({ error, difference, tolerance }) => error !== undefined || difference > tolerance);
if (wrong.length > 0) process.exitCode = 1;
