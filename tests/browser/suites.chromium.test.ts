import assert from "node:assert/strict";
import { stage } from "./browser.js";
import { withPage } from "./suite.js";
import { DATA_THERE, SUITES } from "./suites.js";
import type { Ended, Program } from "./worker/messages.js";

const up = stage();

// The suites' own test programs, with the browser's kernels.
for (const name of SUITES) {
  const test = `suites: ${name} passes in the browser as it does natively`;
  const options = { timeout: 240_000 };
  withPage(
    up,
    test,
    "suites",
    "worker",
    async (page) => {
      const program: Program = {
        url: `suites/${name}.wasm`,
        files: "suites/files",
        environment: [`SIDESTAGE_TESTDATA=${DATA_THERE}`],
      };
      const { code, printed } = await page.evaluate(
        (program: Program) =>
          new Promise<Ended>((resolve) => {
            const worker = new Worker("program.js", { type: "module" });
            worker.onmessage = ({ data }: MessageEvent<Ended>) => {
              worker.terminate();
              resolve(data);
            };
            worker.postMessage({ ...program, url: new URL(program.url, location.href).href });
          }),
        program,
      );
      assert.equal(code, 0, printed);
      assert.match(printed, /test result: ok\. [1-9]/, printed);
    },
    options,
  );
}
