#!/usr/bin/env node
/**
 * Tokenizers: time to load 150,000 tokens, and MB/s of encoding, against `@huggingface/tokenizers`.
 *
 *     node bench/tokenizer.mjs [--rounds=5] [--json]
 *
 * Both read the same `tokenizer.json`, made from Qwen2's vocabulary in the shared test data
 * (SIDESTAGE_TESTDATA). Each measurement is a fresh Node process, one engine after the other.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { watchOthers } from "./process.mjs";
import { qwen2 } from "./tokenizer/vocabulary.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const data = process.env["SIDESTAGE_TESTDATA"];
if (data === undefined) {
  console.log("SIDESTAGE_TESTDATA is not set: left out the tokenizers");
  process.exit(0);
}

const ENGINES = ["sidestage", "huggingface"];
const once = fileURLToPath(new URL("tokenizer/once.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sidestage-bench-"));
const file = join(folder, "tokenizer.json");
writeFileSync(file, JSON.stringify(qwen2(data)));

const rounds = Number(options.rounds);
const found = Object.fromEntries(ENGINES.map((engine) => [engine, []]));
const others = watchOthers();
try {
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < ENGINES.length; turn += 1) {
      const engine = ENGINES[(turn + round) % ENGINES.length];
      const ran = spawnSync(process.execPath, [once, engine, file], { encoding: "utf8" });
      if (ran.status !== 0) throw new Error(`${engine}: ${ran.stderr}`);
      found[engine].push(JSON.parse(ran.stdout));
      console.error(`${engine}: ${ran.stdout.trim()}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
const share = others();

const [ours, theirs] = ENGINES.map((engine) => found[engine]);
for (const text of Object.keys(ours[0].ids)) {
  if (ours[0].ids[text] !== theirs[0].ids[text]) {
    console.error(`the ids of ${text} differ`);
    process.exitCode = 1;
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const row = (what, value) => {
  const [a, b] = [ours.map(value), theirs.map(value)];
  const ratios = a.map((mine, at) => mine / b[at]);
  const shown = (n) => n.toPrecision(3);
  return `| ${what} | ${shown(median(a))} | ${shown(median(b))} | **${shown(median(ratios))}** (${shown(Math.min(...ratios))} … ${shown(Math.max(...ratios))}) |`;
};
const table = [
  "| what | sidestage | @huggingface/tokenizers | ratio (least … most) |",
  "| --- | ---: | ---: | --- |",
  row("load, first, ms", (it) => it.load[0]),
  row("load, again, ms", (it) => it.load[1]),
  ...Object.keys(ours[0].speed).map((text) => row(`${text}, MB/s`, (it) => it.speed[text])),
].join("\n");

if (options.json) {
  console.log(JSON.stringify({ found, others: share }));
} else {
  const used = share === null ? "" : `, ${(share * 100).toFixed(0)} % of it used by others`;
  console.log(
    `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}${used}; ${rounds} rounds, medians.\n\n${table}`,
  );
}
