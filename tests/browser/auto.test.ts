import assert from "node:assert/strict";
import { BROWSER, stage } from "./browser.js";
import type { Page } from "./drivers/driver.js";
import { withPage } from "./suite.js";

const up = stage();

/** WebKitGTK has no SharedArrayBuffer, isolated or not. */
const withThreads = BROWSER === "webkit" ? () => undefined : withPage;

type Asked = number | "auto" | undefined;

/** Loads the model once for each, and lets it answer. */
function loads(page: Page, asked: Asked[], options = {}) {
  return page.evaluate(
    async ({ asked, options }) => {
      const list = [];
      for (const threads of asked) {
        const model = await window.help.load({ ...options, threads });
        // Long enough to be shared out.
        const how = { model, prompt: window.help.ids(300), temperature: 0, maxTokens: 16 };
        const { text } = await window.sidestage.generateText(how);
        const { threads: used, measureMs } = await model.metrics();
        const { info, capabilities } = model;
        list.push({ text, used, measureMs, info, capabilities });
        await model.dispose();
      }
      return list;
    },
    { asked, options },
  );
}

withThreads(
  up,
  "auto: the threads are measured and remembered, and the text is that of one",
  "three-cores",
  "worker",
  async (page) => {
    // Fewer threads than cores are measured twice.
    const [one, first, again, second] = await loads(page, [1, "auto", "auto", "auto"]);
    assert.ok(one && first && again && second);
    assert.equal(one.measureMs, 0);
    assert.equal(one.capabilities.threadsReason, "one thread was asked for");
    assert.ok(first.measureMs > 0);
    const measured = new RegExp(`^measured: ${first.used} of 3 \\(1 took `);
    assert.match(first.info.threadsReason ?? "", measured);
    assert.equal(second.measureMs, 0, "it is remembered");
    assert.equal(first.used === 3, again.measureMs === 0);
    assert.ok(again.used >= first.used);
    assert.equal(second.used, again.used);
    assert.equal(second.info.threadsReason, `measured at an earlier load: ${again.used} of 3`);
    for (const load of [first, again, second]) {
      assert.equal(load.text, one.text);
      assert.equal(load.info.threads, load.used);
      assert.equal(load.capabilities.threadsReason, load.info.threadsReason);
      assert.equal(load.capabilities.threads, load.used > 1);
    }
    const [anew] = await loads(page, ["auto"], { cache: "reload" });
    assert.ok(anew && anew.measureMs > 0, "reload measures anew");
  },
);

withThreads(
  up,
  "auto: deleting the model deletes what was measured of it",
  "three-cores",
  "worker",
  async (page) => {
    const [first] = await loads(page, ["auto"]);
    const deleted = await page.evaluate(async () => {
      const { deleteModel, listModels } = window.sidestage;
      const sources = (await listModels()).map(({ source }) => source);
      for (const source of sources) await deleteModel(source);
      return sources;
    });
    assert.equal(deleted.length, 1, "what was measured is no model");
    const [again] = await loads(page, ["auto"]);
    assert.ok(first && again);
    assert.ok(first.measureMs > 0 && again.measureMs > 0);
  },
);

withThreads(
  up,
  "auto: where nothing can be kept each load measures",
  "isolated-memory",
  "worker",
  async (page) => {
    const out = await loads(page, [1, "auto", "auto"]);
    for (const load of out.slice(1)) {
      assert.equal(load.info.cache, "memory");
      assert.ok(load.measureMs > 0);
      assert.equal(load.text, out[0]!.text);
    }
  },
);

withThreads(
  up,
  "auto: with one core there is one thread, and two are two if they are asked for",
  "one-core",
  "worker",
  async (page) => {
    const [auto, plain, two] = await loads(page, ["auto", undefined, 2]);
    assert.ok(auto && plain && two);
    for (const load of [auto, plain]) {
      assert.equal(load.used, 1);
      assert.equal(load.measureMs, 0);
      assert.equal(load.capabilities.threadsReason, "the machine has one core");
    }
    assert.equal(two.used, 2);
    assert.equal(two.text, auto.text);
  },
);

withPage(
  up,
  "auto: without the headers there is one thread, and the reason is told",
  "plain",
  "worker",
  async (page) => {
    const [auto] = await loads(page, ["auto"]);
    assert.ok(auto);
    assert.deepEqual([auto.used, auto.measureMs, auto.info.threadsReason], [1, 0, null]);
    assert.equal(auto.capabilities.threads, false);
    assert.match(auto.capabilities.threadsReason ?? "", /isolated/);
  },
);

withThreads(
  up,
  "auto: where a worker may start none, there is one thread, and the reason is told",
  "threads-csp",
  "worker",
  async (page) => {
    const [auto] = await loads(page, ["auto"]);
    assert.ok(auto);
    assert.deepEqual([auto.used, auto.measureMs], [1, 0]);
    if (auto.capabilities.cores > 1) {
      assert.match(auto.capabilities.threadsReason ?? "", /did not start/);
    }
  },
);
