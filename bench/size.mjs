#!/usr/bin/env node
/**
 * Bytes that a page downloads before its model, compressed with brotli: a chat page with all that is
 * its own, and a page that only runs graphs. Of the engine's modules a page takes one.
 *
 *     node bench/size.mjs [--json]
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** What pages download, and the bytes that the project allows itself. */
const PAGES = [
  {
    page: "chat",
    budget: 1_200_000,
    folder: path("../apps/chat/dist/"),
    // The model comes after; the host is for pages that do without a worker.
    takes: (name) => !/^models|\.map$|sidestage-host\.js$/.test(name),
    engine: /sidestage-(simd|relaxed)(-threads)?\.wasm$/,
  },
  {
    page: "graphs",
    budget: 700_000,
    folder: path("../packages/sidestage/dist/"),
    takes: (name) => /^(index|sidestage-worker)\.js$|^sidestage-graphs-.*\.wasm$/.test(name),
    engine: /sidestage-graphs-.*\.wasm$/,
  },
];

function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}

function compressed(file) {
  const bytes = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return {
    raw: bytes.length,
    brotli: brotliCompressSync(bytes, { params }).length,
  };
}

/** `[{ page, budget, files: [{ name, raw, brotli }], totals: [{ variant, brotli }] }]`. */
export function sizes() {
  return PAGES.map(({ page, budget, folder, takes, engine }) => {
    const list = files(folder)
      .filter(takes)
      .map((name) => ({ name, ...compressed(join(folder, name)) }));
    const common = list
      .filter(({ name }) => !engine.test(name))
      .reduce((sum, file) => sum + file.brotli, 0);
    const totals = list
      .filter(({ name }) => engine.test(name))
      .map(({ name, brotli }) => ({
        variant: name.split("/").at(-1),
        brotli: common + brotli,
      }));
    return { page, budget, files: list, totals };
  });
}

/** Markdown. */
export function sizeTable(pages) {
  const number = (value) => value.toLocaleString("en");
  return pages
    .map(({ page, budget, files: list, totals }) =>
      [
        `| ${page} | bytes | brotli |`,
        "| --- | ---: | ---: |",
        ...list.map(
          ({ name, raw, brotli }) => `| ${name} | ${number(raw)} | ${number(brotli)} |`,
        ),
        ...totals.map(
          ({ variant, brotli }) =>
            `| **all, with ${variant}** | | **${number(brotli)}** of ${number(budget)} |`,
        ),
      ].join("\n"),
    )
    .join("\n\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = sizes();
  console.log(process.argv.includes("--json") ? JSON.stringify(found) : sizeTable(found));
  for (const { page, budget, totals } of found) {
    if (totals.length === 0) console.error(`${page}: no engine: run cargo xtask build`);
    if (totals.length === 0 || totals.some(({ brotli }) => brotli > budget)) {
      process.exitCode = 1;
    }
  }
}
