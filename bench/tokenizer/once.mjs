/**
 * One engine, once: `node once.mjs sidestage|huggingface tokenizer.json`. Prints
 * `{ load: [ms, ms], speed: { text: MB/s }, ids: { text: checksum } }`.
 *
 * Loading is from the file's bytes to the tokenizer; the wasm module is compiled before, as the
 * worker does while the file comes, and so is the peer's JavaScript imported.
 */
import { readFileSync } from "node:fs";
import { TEXTS } from "./texts.mjs";

const [engine, file] = process.argv.slice(2);
const { prepare } = await import(`./${engine}.mjs`);
const open = await prepare();
const bytes = readFileSync(file);

const load = [];
let encode;
for (let turn = 0; turn < 2; turn += 1) {
  const start = performance.now();
  encode = await open(bytes);
  load.push(performance.now() - start);
}
const speed = {};
const ids = {};
for (const [name, text] of Object.entries(TEXTS)) {
  const size = Buffer.byteLength(text) / 1e6;
  let [spent, done] = [0, 0];
  ids[name] = checksum(encode(text));
  while (spent < 1000) {
    const start = performance.now();
    encode(text);
    spent += performance.now() - start;
    done += size;
  }
  speed[name] = done / (spent / 1000);
}
console.log(JSON.stringify({ load, speed, ids }));

function checksum(ids) {
  let sum = 17;
  for (const id of ids) sum = (Math.imul(sum, 31) + id) >>> 0;
  return `${ids.length}:${sum}`;
}
