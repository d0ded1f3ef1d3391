import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { BROWSER, stage } from "./browser.js";
import { describe } from "./browsers-page.js";
import { DOCUMENT, KINDS, readTable, TABLE, type Table, told } from "./matrix.js";
import { MODELS } from "./server.js";

// Each cell is measured and compared with the table. `SIDESTAGE_MATRIX=write` puts what was measured
// in the table and writes docs/browsers.md from it: read the difference before you commit it.

const up = stage();
const table = readTable();
const write = process.env.SIDESTAGE_MATRIX === "write";
const options = {
  timeout: 60_000,
  ...(!MODELS && { skip: "SIDESTAGE_TESTDATA is not set" }),
};

/** Compares one cell, or fills it. */
function cell<T>(
  rows: Record<string, Partial<Record<string, T>>>,
  name: string,
  found: T,
): void {
  if (write) (rows[name] ??= {})[BROWSER] = found;
  else assert.deepEqual(found, rows[name]?.[BROWSER], name);
}

for (const { name, site, frame, options: given = {} } of KINDS) {
  test(`matrix: ${name}`, options, async () => {
    const page = await up.open(site);
    const workerUrl = `${up.server.url.replace("127.0.0.1", "localhost")}/cors/dist/sidestage-worker.js`;
    const outcome = await page.evaluate(
      ({ frame, given }) =>
        frame
          ? window.help.probeInFrame(frame.site, frame.attributes, given)
          : window.help.probe(given),
      {
        ...(frame && { frame }),
        given: given.workerUrl === "elsewhere" ? { workerUrl } : given,
      },
    );
    cell(table.pages, name, told(outcome));
    // What is refused has a reason that a person can use.
    if ("message" in outcome) assert.ok(outcome.message.length > 20, outcome.message);
    // Where nothing was refused, nothing was tried that the policy forbids.
    else if (outcome.capabilities.fallbackReason === null) {
      assert.deepEqual(outcome.violations, []);
    }
  });
}

test("matrix: what the browser has", { timeout: 60_000 }, async () => {
  const isolated: Record<string, boolean> = {};
  for (const [feature, site] of [
    ["COEP `credentialless`", "credentialless"],
    ["`Document-Isolation-Policy`", "dip-credentialless"],
  ] as const) {
    isolated[feature] = await (await up.open(site)).evaluate(() => crossOriginIsolated);
  }
  const page = await up.open("isolated");
  const found = { ...(await page.evaluate(() => window.help.features())), ...isolated };
  for (const [feature, there] of Object.entries(found)) cell(table.features, feature, there);
});

test("matrix: docs/browsers.md says what was measured", () => {
  if (write) {
    table.versions[BROWSER] = up.browser.version;
    writeFileSync(TABLE, `${JSON.stringify(sorted(table), null, 2)}\n`);
    writeFileSync(DOCUMENT, describe(table));
  }
  assert.equal(readFileSync(DOCUMENT, "utf8"), describe(table));
});

/** The kinds of pages in their order, without those that are no more. */
function sorted(from: Table): Table {
  const pages = KINDS.map(({ name }) => [name, from.pages[name] ?? {}] as const);
  return { ...from, pages: Object.fromEntries(pages) };
}
