/**
 * Writes `perplexity.json`: what llama.cpp makes of `held-out.txt` with the model in each type that
 * `sidestage quantize` writes. Needs what `cargo xtask build` leaves, python3 and a C++ compiler.
 *
 *     node models/box/perplexity.mjs
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { llamaLoss, SOURCE } from "../../bench/llamacpp.mjs";

const TYPES = [
  ...["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"],
  ...["Q4_K", "Q5_K", "Q6_K"],
];
const LENGTH = 512;
const RECORDS = 40;

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const sidestage = process.env.SIDESTAGE_BINARY ?? here("../../target/release/sidestage");
const run = (program, args, input) =>
  execFileSync(program, args, { input, encoding: "utf8", maxBuffer: 1 << 28 });

const model = here("box.gguf");
const text = readFileSync(here("held-out.txt"), "utf8");
const records = text
  .split("<|endoftext|>\n")
  .slice(0, RECORDS)
  .map((record) => {
    const { tokens } = JSON.parse(run(sidestage, ["tokenize", "--model", model, "--json"], record));
    return tokens.slice(0, LENGTH).join(" ");
  });
const folder = mkdtempSync(join(tmpdir(), "sidestage-perplexity-"));
const types = {};
try {
  for (const type of TYPES) {
    const file = join(folder, `${type}.gguf`);
    run(sidestage, ["quantize", "--model", model, "--dtype", type, "--out", file]);
    const [sum, count] = run(llamaLoss(), [file, "1"], records.join("\n"))
      .split(" ")
      .map(Number);
    const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
    types[type] = { perplexity: Number(Math.exp(sum / count).toFixed(6)), sha256 };
    console.log(`${type}: ${types[type].perplexity} of ${count} tokens`);
    rmSync(file);
  }
} finally {
  rmSync(folder, { recursive: true });
}
const how = `node models/box/perplexity.mjs: llama.cpp of ${SOURCE} for AVX2, bench/llamacpp/loss.cpp`;
const rule = `the first ${RECORDS} records of held-out.txt, as goldens.json has them: special tokens read as such, each record alone from position 0, every token but its first`;
const lines = Object.entries(types).map(
  ([type, values]) => `  "${type}": ${JSON.stringify(values)}`,
);
writeFileSync(
  here("perplexity.json"),
  `{
 "how": ${JSON.stringify(how)},
 "rule": ${JSON.stringify(rule)},
 "contextLength": ${LENGTH},
 "records": ${RECORDS},
 "types": {
${lines.join(",\n")}
 }
}
`,
);
