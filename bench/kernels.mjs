#!/usr/bin/env node
/**
 * One operator at a time, in Chromium, beside what the machine allows. `cargo xtask bench kernels` builds
 * the modules and calls this.
 *
 *     node bench/kernels.mjs [--filter=decode/q4_0,prompt] [--threads=1,2] [--rounds=15]
 *          [--variants=relaxed,simd] [--jsflags=--no-enable-avx-vnni] [--nice=-5] [--json]
 */
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { keepNiceness, watchOthers } from "./process.mjs";
import { serve } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    filter: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "15" },
    variants: { type: "string", default: "relaxed" },
    jsflags: { type: "string" },
    nice: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

const flags = options.jsflags === undefined ? [] : [`--js-flags=${options.jsflags}`];
const { url, close } = await serve();
const browser = await launch(flags);
const others = watchOthers();
const relax = options.nice === undefined ? () => {} : keepNiceness(Number(options.nice));
const show = (value, digits = 3) => Number(value.toPrecision(digits)).toString();

function row({ kind, name, us, least_us, gb_s, gmac_s, share, best, unit }) {
  if (kind === "limit") return `| ${name} | | | ${show(best)} ${unit} | |`;
  const speed = gmac_s ? `${show(gmac_s)} GMAC/s` : "";
  const bytes = gb_s ? `${show(gb_s)} GB/s` : "";
  const time = `${show(us)} (${show(least_us)})`;
  const part = share ? `${(100 * share).toFixed(0)} %` : "";
  return `| ${name} | ${time} | ${speed} | ${bytes} | ${part} |`;
}

try {
  for (const variant of options.variants.split(",")) {
    for (const threads of options.threads.split(",").map(Number)) {
      if (!options.json) {
        const flag = options.jsflags === undefined ? "" : `, ${options.jsflags}`;
        console.log(
          `\n${variant}${flag}, ${threads} threads; µs: median (least); the other figures belong to the least\n`,
        );
        console.log("| what | µs | speed | bytes read | of the limit |");
        console.log("| --- | ---: | ---: | ---: | ---: |");
      }
      const context = await browser.newContext();
      const page = await context.newPage();
      page.on("pageerror", (error) => console.error(String(error)));
      await page.exposeFunction("line", (text) => {
        const line = { variant, ...JSON.parse(text) };
        console.log(options.json ? JSON.stringify(line) : row(line));
      });
      await page.goto(`${url}/bench/web/kernels.html`);
      await page.waitForFunction("window.measure");
      await page.evaluate(
        ([url, work]) => window.measure(url, work),
        [
          `/modules/bench-kernels-${variant}-threads.wasm`,
          { threads, filter: options.filter, rounds: Number(options.rounds) },
        ],
      );
      await context.close();
    }
  }
  const share = others();
  if (share !== null) {
    console.error(`others used ${(100 * share).toFixed(0)} % of the machine`);
  }
} finally {
  relax();
  await browser.close();
  close();
}
