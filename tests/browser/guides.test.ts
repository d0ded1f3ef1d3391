import assert from "node:assert/strict";
import { stage } from "./browser.js";
import { holdCache } from "./private.js";
import { GUIDES } from "./sites.js";
import { withPage } from "./suite.js";

const up = stage();

for (const { name, path, printed } of GUIDES) {
  withPage(up, `guide ${name} prints what it says`, "guides", "worker", async (page) => {
    await holdCache(page);
    await page.evaluate((script) => import(script), `./${path}`);
    const of = (kind: string): string[] =>
      up.console
        .filter((line) => line.startsWith(kind))
        .map((line) => `${line.slice(kind.length)}\n`);
    assert.equal(of("log: ").join(""), printed);
    assert.deepEqual(of("error: "), []);
  });
}
