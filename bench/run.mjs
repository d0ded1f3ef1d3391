#!/usr/bin/env node
/**
 * `cargo xtask bench`: sizes and speed, in one report.
 *
 *     node bench/run.mjs [graph | llm | long | frames | speed | load | tokenizer | size | soak] [options]
 *
 * Options of speed: --models=a,b --threads=1,2 --engines=sidestage,wllama,wllama2 --rounds=3
 * --timeout=SECONDS --nice=N (needs rights below 0) --json --write (to bench/RESULTS.md).
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MEASURED } from "./models.mjs";
import { keepNiceness } from "./process.mjs";
import { ratios, table } from "./report.mjs";
import { sizes, sizeTable } from "./size.mjs";
import { measure, OURS, PEERS } from "./speed.mjs";

/** Scripts with options of their own. */
const [first, ...others] = process.argv.slice(2);
if (["frames", "graph", "llm", "load", "long"].includes(first)) {
  const script = fileURLToPath(new URL(`${first}.mjs`, import.meta.url));
  const { status } = spawnSync(process.execPath, [script, ...others], { stdio: "inherit" });
  process.exit(status ?? 1);
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: "string", default: MEASURED.join() },
    threads: { type: "string", default: "1,2" },
    engines: { type: "string", default: [OURS, ...PEERS].join() },
    rounds: { type: "string" },
    timeout: { type: "string", default: "240" },
    nice: { type: "string" },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const [name = "all"] = positionals;

if (["size", "soak", "tokenizer"].includes(name)) {
  const script = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const rest = options.json ? ["--json"] : [];
  if (options.rounds !== undefined) rest.push(`--rounds=${options.rounds}`);
  process.exit(
    spawnSync(process.execPath, [script, ...rest], { stdio: "inherit" }).status ?? 1,
  );
}
if (name !== "all" && name !== "speed") {
  console.error(
    `\`${name}\` is not known here: graph, llm, long, frames, kernels, speed, load, tokenizer, size or soak`,
  );
  process.exit(2);
}

const rounds = Number(options.rounds ?? 3);
const relax = options.nice === undefined ? () => {} : keepNiceness(Number(options.nice));
const measured = await measure({
  models: options.models.split(","),
  threads: options.threads.split(",").map(Number),
  engines: options.engines.split(","),
  rounds,
  timeout: Number(options.timeout),
  say: (line) => console.error(line),
});
relax();
const { results, chromium, others: foreign } = measured;
const size = name === "all" ? sizes() : undefined;

if (options.json) {
  console.log(JSON.stringify({ ...measured, ratios: ratios(results), size }));
} else {
  const share =
    foreign === null ? "" : `, ${(foreign * 100).toFixed(0)} % of it used by others`;
  const report = [
    `Chromium ${chromium}, ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}${share}; ${rounds} rounds, medians.`,
    "",
    "`ppN`: a prompt of N tokens; `tg32`: 32 tokens of answer. Ratio: Sidestage against the better " +
      "wllama in the same round; above 1 Sidestage is better (faster, sooner, smaller). " +
      "`wllama` is 3.8.1, `wllama2` 2.4.0. Peak: the renderer's, less that of an empty page.",
    "",
    table(results),
    ...(size === undefined
      ? []
      : ["", "What a page downloads before its model:", "", sizeTable(size)]),
    "",
  ].join("\n");
  console.log(report);
  if (options.write) {
    const command = ["cargo xtask bench", ...process.argv.slice(2)].join(" ");
    const path = fileURLToPath(new URL("RESULTS.md", import.meta.url));
    writeFileSync(path, `# Results\n\n    ${command}\n\n${report}`);
  }
}
if (results.some(({ error }) => error !== undefined)) process.exitCode = 1;
