#!/usr/bin/env node
/**
 * Bytes that a chat page downloads before the model, compressed with brotli: the page, the worker,
 * the text module and the one engine module that the browser takes.
 *
 *     node bench/size.mjs [--json]
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

/** Bytes that the project allows itself. */
export const BUDGET = 1_200_000;

const PAGE = fileURLToPath(new URL("../apps/chat/dist/", import.meta.url));

function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}

function compressed(path) {
  const bytes = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return {
    raw: bytes.length,
    brotli: brotliCompressSync(bytes, { params }).length,
  };
}

/** `{ files: [{ name, raw, brotli }], totals: [{ variant, brotli }] }`. */
export function sizes() {
  const list = files(PAGE)
    // The model comes after; the host is for pages that do without a worker.
    .filter((name) => !/^models|\.map$|sidestage-host\.js$/.test(name))
    .map((name) => ({ name, ...compressed(join(PAGE, name)) }));
  const isEngine = ({ name }) => /sidestage-(simd|relaxed)(-threads)?\.wasm$/.test(name);
  const common = list
    .filter((file) => !isEngine(file))
    .reduce((sum, file) => sum + file.brotli, 0);
  const totals = list.filter(isEngine).map(({ name, brotli }) => ({
    variant: name.split("/").at(-1),
    brotli: common + brotli,
  }));
  return { files: list, totals };
}

/** Markdown. */
export function sizeTable({ files: list, totals }) {
  const number = (value) => value.toLocaleString("en");
  return [
    "| file | bytes | brotli |",
    "| --- | ---: | ---: |",
    ...list.map(({ name, raw, brotli }) => `| ${name} | ${number(raw)} | ${number(brotli)} |`),
    ...totals.map(
      ({ variant, brotli }) =>
        `| **all, with ${variant}** | | **${number(brotli)}** of ${number(BUDGET)} |`,
    ),
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = sizes();
  console.log(process.argv.includes("--json") ? JSON.stringify(found) : sizeTable(found));
  if (found.totals.length === 0)
    console.error("no engine in apps/chat/dist: run cargo xtask build");
  if (found.totals.length === 0 || found.totals.some(({ brotli }) => brotli > BUDGET)) {
    process.exitCode = 1;
  }
}
