import assert from "node:assert/strict";
import { BROWSER, stage } from "./browser.js";
import { goldens } from "./goldens.js";
import { MODELS } from "./server.js";
import { withPage } from "./suite.js";

const up = stage();
const runs = MODELS ? goldens("stories260K-F32.gguf") : [];

/** WebKitGTK has no SharedArrayBuffer, isolated or not. */
const withThreads = BROWSER === "webkit" ? () => undefined : withPage;

if (BROWSER === "webkit") {
  withPage(
    up,
    "threads: without SharedArrayBuffer there is one, and the reason is told",
    "isolated",
    "worker",
    async (page) => {
      const out = await page.evaluate(async () => {
        const model = await window.help.load({ threads: 2 });
        const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
        const { text } = await window.sidestage.generateText(how);
        return { text, threads: model.info.threads, found: model.capabilities };
      });
      assert.equal(out.text, ", there was a");
      assert.equal(out.threads, 1);
      assert.equal(out.found.crossOriginIsolated, true);
      assert.equal(out.found.threads, false);
      assert.match(out.found.threadsReason ?? "", /SharedArrayBuffer/);
    },
  );
}

withThreads(
  up,
  "threads: an isolated worker uses two, with the same text",
  "isolated",
  "worker",
  async (page) => {
    const out = await page.evaluate(
      async (prompts) => {
        const { generateText } = window.sidestage;
        const models = [
          await window.help.load({ threads: 2 }),
          await window.help.load({ threads: 1 }),
        ];
        const texts = [];
        for (const model of models) {
          const list = [];
          for (const prompt of prompts) {
            list.push(
              (await generateText({ model, prompt, temperature: 0, maxTokens: 64 })).text,
            );
          }
          const how = { model, prompt: "Once", temperature: 1, seed: 3, maxTokens: 64 };
          list.push((await generateText(how)).text);
          texts.push(list);
        }
        return {
          isolated: crossOriginIsolated,
          texts,
          threads: models.map((model) => model.info.threads),
          capabilities: models.map((model) => model.capabilities),
        };
      },
      runs.map(({ prompt }) => prompt),
    );
    assert.equal(out.isolated, true);
    assert.deepEqual(out.threads, [2, 1]);
    assert.deepEqual(
      out.texts[0]!.slice(0, runs.length),
      runs.map((run) => run.generated_text),
    );
    assert.deepEqual(out.texts[0], out.texts[1]);
    const [two, one] = out.capabilities;
    assert.equal(two!.threads, true);
    assert.equal(two!.threadsReason, null);
    assert.match(two!.variant, /-threads$/);
    assert.equal(one!.threads, false);
    assert.doesNotMatch(one!.variant, /-threads$/);
  },
);

withPage(
  up,
  "threads: abort, several requests and dispose with two",
  "isolated",
  "worker",
  async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load(
        { threads: 2, contextLength: 8192 },
        "made/long.gguf",
      );
      const how = { model, temperature: 0, ignoreEos: true };
      const long = streamText({ ...how, prompt: window.help.ids(8000) });
      const short = generateText({ ...how, prompt: "Once upon a time", maxTokens: 4 });
      await model.metrics();
      const start = performance.now();
      long.abort();
      const { finishReason } = await long.result;
      const time = performance.now() - start;
      const { text } = await short;
      const bytes = (await model.metrics()).wasmBytes;
      const open = window.help.caught(generateText({ ...how, prompt: "Once" }));
      await model.dispose();
      return { finishReason, time, text, bytes, open: (await open)?.code };
    });
    assert.equal(out.finishReason, "abort");
    assert.ok(out.time < 200, `${out.time} ms`);
    assert.equal(out.text, ", there was a");
    assert.ok(out.bytes > 1e6);
    assert.equal(out.open, "MODEL_DISPOSED");
    await page.noWorkers();
  },
);

withPage(
  up,
  "threads: without the headers there is one, and the reason is told",
  "plain",
  "worker",
  async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({ threads: 2 });
      return {
        shared: typeof SharedArrayBuffer,
        threads: model.info.threads,
        capabilities: model.capabilities,
      };
    });
    assert.equal(out.shared, "undefined");
    assert.equal(out.threads, 1);
    assert.equal(out.capabilities.threads, false);
    assert.match(out.capabilities.threadsReason ?? "", /isolated/);
  },
);

withPage(
  up,
  "threads: a page runs one even if it is isolated",
  "isolated",
  "page",
  async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({ threads: 2 });
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const { text } = await window.sidestage.generateText(how);
      return { text, threads: model.info.threads, reason: model.capabilities.threadsReason };
    });
    assert.equal(out.text, ", there was a");
    assert.equal(out.threads, 1);
    assert.match(out.reason ?? "", /page/);
  },
);

withThreads(
  up,
  "threads: where a worker may start none, there is one, and the reason is told",
  "threads-csp",
  "worker",
  async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({ threads: 2 });
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const { text } = await window.sidestage.generateText(how);
      return {
        isolated: crossOriginIsolated,
        text,
        info: model.info.threads,
        found: model.capabilities,
      };
    });
    assert.equal(out.isolated, true);
    assert.equal(out.text, ", there was a");
    assert.equal(out.info, 1);
    assert.equal(out.found.threads, false);
    assert.match(out.found.threadsReason ?? "", /did not start/);
  },
);

withThreads(
  up,
  "threads: where a worker hangs when it makes one, there is one, and the reason is told",
  "threads-hang",
  "worker",
  async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({ threads: 2 });
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const { text } = await window.sidestage.generateText(how);
      return { text, info: model.info.threads, found: model.capabilities };
    });
    assert.equal(out.text, ", there was a");
    assert.equal(out.info, 1);
    assert.equal(out.found.threads, false);
    assert.match(out.found.threadsReason ?? "", /hung/);
  },
);

withThreads(
  up,
  "threads: a message that finds no memory fails alone",
  "isolated",
  "worker",
  async (page) => {
    const before = up.server.seen.length;
    const out = await page.evaluate(async () => {
      // Room for the model and 64 MB, but not for this.
      const model = await window.help.load({ threads: 2, memoryLimit: 16 << 20 });
      const error = await window.help.caught(model.tokenize("a".repeat(100 << 20)));
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const { text } = await window.sidestage.generateText(how);
      return { error, text, threads: model.info.threads };
    });
    assert.equal(out.threads, 2);
    assert.equal(out.error?.code, "OUT_OF_MEMORY");
    assert.equal(out.error?.detail?.crashed, undefined);
    assert.equal(out.text, ", there was a");
    const loads = up.server.seen.slice(before).filter((path) => path.endsWith(".gguf"));
    assert.equal(loads.length, 1, "it was not loaded again");
  },
);

withThreads(
  up,
  "threads: a trap in one ends the request with ENGINE_CRASHED, and the worker answers",
  "threads-trap",
  "worker",
  async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({ threads: 2, workerOptions: { timeout: 5000 } });
      // Long enough to be shared out.
      const prompt = window.help.ids(500);
      const error = await window.help.caught(
        window.sidestage.generateText({ model, prompt, maxTokens: 4 }),
      );
      const again = await model.tokenize("Once");
      return { error, again, threads: model.info.threads };
    });
    assert.equal(out.threads, 2);
    assert.equal(out.error?.code, "ENGINE_CRASHED", out.error?.message);
    assert.match(out.error?.message ?? "", /thread/);
    assert.ok(out.again.length > 0);
  },
);
