#!/usr/bin/env node
/**
 * The page while the engine generates: intervals between its frames and its longest task, with the default
 * number of threads and with one for each core. Frames come by the page's clock, tasks from Chromium's trace
 * of renderers' main threads, so that the page itself does nothing but wait for its frames.
 *
 *     node bench/frames.mjs [--model=smollm2-135m-q4_0] [--seconds=8] [--rounds=3] [--nice=-5] [--json]
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { make } from "./models.mjs";
import { keepNiceness } from "./process.mjs";
import { median } from "./report.mjs";
import { serve } from "./server.mjs";
import { open } from "./speed.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "smollm2-135m-q4_0" },
    seconds: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    nice: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const cores = cpus().length;
const seconds = Number(options.seconds);
const counts = [...new Set([Math.max(1, cores - 1), cores])];

const TASKS = "disabled-by-default-devtools.timeline";

/** What `work` gives, with its longest task on a main thread in ms, if there was one. */
async function traced(browser, work) {
  await browser.startTracing(undefined, { categories: [TASKS] });
  const result = await work();
  const { traceEvents: events } = JSON.parse(await browser.stopTracing());
  const place = ({ pid, tid }) => `${pid} ${tid}`;
  const main = new Set(
    events
      .filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")
      .map(place),
  );
  const tasks = events.filter((event) => event.name === "RunTask" && main.has(place(event)));
  if (tasks.length === 0) throw new Error("the trace has no tasks");
  return { ...result, longest: Math.max(...tasks.map(({ dur }) => dur ?? 0)) / 1000 };
}

make(options.model);
const { url, close } = await serve();
const browser = await launch();
const relax = options.nice === undefined ? () => {} : keepNiceness(Number(options.nice));
const rows = [];
try {
  for (const threads of counts) {
    const samples = [];
    for (let round = 0; round < Number(options.rounds); round += 1) {
      const job = { engine: "sidestage", model: options.model, threads, timeout: 120 };
      const page = await open(browser, url, job);
      try {
        await page.call("generate", { prompt: 32, answer: 8, seed: 999 });
        const frames = (generate) =>
          traced(browser, () => page.call("frames", { seconds, generate }));
        const idle = await frames();
        const busy = await frames({ prompt: 128, answer: 600 });
        samples.push({ idle, busy, ratio: busy.p99 / idle.p99 });
      } finally {
        await page.close();
      }
    }
    rows.push({ threads, samples });
  }
} finally {
  relax();
  await browser.close();
  close();
}
if (options.json) {
  console.log(JSON.stringify({ cores, rows }));
} else {
  console.log(
    `${options.model}, ${cores} cores, ${options.rounds} rounds of ${seconds} s; ms, medians.\n`,
  );
  console.log(
    "Floors with one thread less than cores: ratio at most 1.25, no task over 16 ms.\n",
  );
  console.log(
    "| threads | p99 idle | p99 generating | ratio | longest task idle | generating |",
  );
  console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
  for (const { threads, samples } of rows) {
    const middle = (of) => median(samples.map(of));
    const cells = [
      ...[middle(({ idle }) => idle.p99), middle(({ busy }) => busy.p99)],
      ...[middle(({ ratio }) => ratio), middle(({ idle }) => idle.longest)],
      middle(({ busy }) => busy.longest),
    ];
    console.log(`| ${threads} | ${cells.map((value) => value.toFixed(2)).join(" | ")} |`);
  }
}
