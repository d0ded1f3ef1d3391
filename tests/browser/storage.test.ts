import assert from "node:assert/strict";
import { BROWSER, stage } from "./browser.js";
import { withPage } from "./suite.js";

const up = stage();

for (const backend of ["opfs", "cache-api"]) {
  withPage(
    up,
    `storage: ${backend} keeps what it is given`,
    "plain",
    "worker",
    async (page) => {
      const out = await page.evaluate(
        (name) =>
          new Promise<Record<string, unknown>>((resolve, reject) => {
            const worker = new Worker("storage.js", { type: "module" });
            worker.onerror = () => reject(new Error("the worker failed"));
            worker.onmessage = ({ data }) => {
              worker.terminate();
              resolve(data as Record<string, unknown>);
            };
            worker.postMessage(name);
          }),
        backend,
      );
      if (backend === "opfs" && BROWSER === "webkit") {
        assert.deepEqual(out, { error: "Error: the browser has none" });
        return;
      }
      const entry = {
        source: "hf:a/b",
        url: "https://hub/a/b",
        file: "m.gguf",
        bytes: 3500,
        length: 3500,
        validator: '"1"',
        sha256: null,
        next: null,
        complete: true,
        created: 1,
        used: 2,
      };
      const reads = [3500, 3499, 2501, 2500, 501, 1, 0];
      assert.deepEqual(out, {
        nothing: null,
        orphan: { before: 0, after: 2500 },
        withoutRecord: null,
        open: { ...entry, bytes: 2500, complete: false },
        resumed: { before: 2500, after: 3500 },
        whole: 3500,
        complete: entry,
        reads: reads.map((count) => ({ count, right: true })),
        shorterRecord: "m.gguf",
        list: [{ key: "url/https://hub/ä?x=1", entry }],
        evicted: null,
        tooLong: null,
        cutThough: null,
        unmeasured: 500,
        dropped: null,
        left: 0,
      });
    },
  );
}
