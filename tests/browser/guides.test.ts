import assert from "node:assert/strict";
import { BROWSER, stage } from "./browser.js";
import { GUIDES } from "./sites.js";
import { withPage } from "./suite.js";

const up = stage();

for (const { name, path, printed } of GUIDES) {
  withPage(up, `guide ${name} prints what it says`, "guides", "worker", async (page) => {
    // As in the tests of the hub: WebKitGTK's automated session forgets a cache that no page holds.
    if (BROWSER === "webkit") {
      await page.evaluate(async () => {
        Object.assign(window, { kept: await caches.open("sidestage") });
      });
    }
    await page.evaluate((script) => import(script), `./${path}`);
    const of = (kind: string): string[] =>
      up.console
        .filter((line) => line.startsWith(kind))
        .map((line) => `${line.slice(kind.length)}\n`);
    assert.equal(of("log: ").join(""), printed);
    assert.deepEqual(of("error: "), []);
  });
}
