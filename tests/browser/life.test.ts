import assert from "node:assert/strict";
import { stage } from "./browser.js";
import { type Mode, withPage } from "./suite.js";

const up = stage();

const SITE = "plain";
/** Its workers do what `help.hook` says. */
const HOOKED = "hooked";
const worker: Mode = "worker";

withPage(
  up,
  "life: a worker that dies settles everything, and the next use starts another",
  SITE,
  worker,
  async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const workers: Worker[] = [];
      const make = (): Worker => {
        const made = new Worker("dist/sidestage-worker.js", { type: "module" });
        workers.push(made);
        return made;
      };
      const model = await window.help.load({ worker: make });
      const how = { model, prompt: "Once upon a time", temperature: 0, ignoreEos: true };
      const stream = streamText({ ...how, maxTokens: 400 });
      const reader = stream.textStream.getReader();
      await reader.read();
      const parts = (async () => {
        let last;
        for await (const part of stream.fullStream) last = part;
        return last?.type === "error" ? last.error.code : last?.type;
      })();
      const drained = (async () => {
        for (;;) if ((await reader.read()).done) return;
      })();
      const open = [
        stream.result,
        drained,
        generateText({ ...how, maxTokens: 400 }),
        model.tokenize("a"),
        model.metrics(),
      ].map((work) => window.help.caught(work));
      workers[0]!.terminate();
      const codes = (await Promise.all(open)).map((error) => error?.code);
      const again = await generateText({ ...how, maxTokens: 4 });
      return { codes, parts: await parts, again: again.text, workers: workers.length };
    });
    // Those that were answered before the end are fine, too.
    assert.deepEqual(out.codes.slice(0, 3), Array(3).fill("WORKER_TERMINATED"));
    for (const code of out.codes.slice(3))
      assert.ok(!code || code === "WORKER_TERMINATED", code);
    assert.equal(out.parts, "WORKER_TERMINATED");
    assert.equal(out.again, ", there was a");
    assert.equal(out.workers, 2);
  },
);

withPage(up, "life: our own worker dies while it loads", HOOKED, worker, async (page) => {
  const error = await page.evaluate(async () => {
    let onProgress = (): void => undefined;
    const half = new Promise<void>((resolve) => {
      onProgress = resolve;
    });
    const loading = window.help.caught(window.help.load({ onProgress }, "hostile/stalled"));
    await half;
    await window.help.hook("close");
    return loading;
  });
  assert.equal(error?.code, "WORKER_TERMINATED");
});

withPage(
  up,
  "life: a trap ends the model's requests with ENGINE_CRASHED; it is loaded again",
  HOOKED,
  worker,
  async (page) => {
    await page.evaluate(async () => {
      (window as unknown as { model: unknown }).model = await window.help.load();
    });
    const out = await page.evaluate(async () => {
      await window.help.hook("trap");
      const { generateText } = window.sidestage;
      const { model } = window as unknown as {
        model: Parameters<typeof generateText>[0]["model"];
      };
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const error = await window.help.caught(generateText(how));
      return { error, again: (await generateText(how)).text };
    });
    assert.equal(out.error?.code, "ENGINE_CRASHED");
    assert.match(out.error?.message ?? "", /on purpose/);
    assert.equal(out.again, ", there was a");
  },
);

withPage(
  up,
  "life: a crash while no request is open is told at the next use, then it is loaded again",
  HOOKED,
  worker,
  async (page) => {
    await page.evaluate(async () => {
      const make = (): Worker => {
        const made = new Worker("dist/sidestage-worker.js", { type: "module" });
        const post = made.postMessage.bind(made);
        made.postMessage = (message: { type: string; id: number }) => {
          if (message.type === "load")
            Object.assign(window, { worker: made, handle: message.id });
          post(message);
        };
        return made;
      };
      Object.assign(window, { model: await window.help.load({ worker: make }) });
    });
    const out = await page.evaluate(async () => {
      await window.help.hook("trap");
      const { generateText } = window.sidestage;
      const { model, worker, handle } = window as unknown as {
        model: Parameters<typeof generateText>[0]["model"];
        worker: Worker;
        handle: number;
      };
      // Belongs to no request, but gives the engine a turn.
      worker.postMessage({ type: "credit", id: 0, model: handle, count: 1 });
      await new Promise((resolve) => setTimeout(resolve, 200));
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const error = await window.help.caught(generateText(how));
      return { error, again: (await generateText(how)).text };
    });
    assert.equal(out.error?.code, "ENGINE_CRASHED");
    assert.equal(out.error?.detail?.crashed, true);
    assert.equal(typeof out.error?.detail?.stack, "string");
    assert.match(out.error?.message ?? "", /on purpose/);
    assert.equal(out.again, ", there was a");
  },
);

withPage(
  up,
  "life: a worker that hangs is WORKER_TIMEOUT, and is replaced",
  HOOKED,
  worker,
  async (page) => {
    await page.evaluate(async () => {
      (window as unknown as { model: unknown }).model = await window.help.load({
        workerOptions: { timeout: 4000 },
      });
    });
    const out = await page.evaluate(async () => {
      await window.help.hook("hang");
      const { generateText } = window.sidestage;
      const { model } = window as unknown as {
        model: Parameters<typeof generateText>[0]["model"];
      };
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const error = await window.help.caught(generateText(how));
      return { error, again: (await generateText(how)).text };
    });
    assert.equal(out.error?.code, "WORKER_TIMEOUT");
    assert.equal(out.again, ", there was a");
  },
);

withPage(
  up,
  "life: the time-out counts silence, not the length of work or a slow reader",
  SITE,
  worker,
  async (page) => {
    const out = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const options = { contextLength: 8192, workerOptions: { timeout: 4000 } };
      const model = await window.help.load(options, "made/long.gguf");
      const prompt = window.help.ids(1000);
      const start = performance.now();
      const slow = streamText({ model, prompt: "Once", ignoreEos: true, maxTokens: 400 });
      const reader = slow.textStream.getReader();
      await reader.read();
      let rounds = 0;
      while (performance.now() - start < 4500) {
        await streamText({ model, prompt, maxTokens: 1, cachePrompt: false }).result;
        rounds += 1;
      }
      return { rounds, tokens: (await slow.result).usage.completionTokens };
    });
    assert.equal(out.tokens, 400);
  },
);

withPage(
  up,
  "life: a load that hears nothing is WORKER_TIMEOUT",
  SITE,
  worker,
  async (page) => {
    const error = await page.evaluate(() =>
      window.help.caught(
        window.help.load({ workerOptions: { timeout: 500 } }, "hostile/never"),
      ),
    );
    assert.equal(error?.code, "WORKER_TIMEOUT");
    await page.noWorkers();
  },
);

withPage(
  up,
  "defect 10: idleness is counted from the last activity, a busy worker is left alone",
  SITE,
  worker,
  async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const options = { workerOptions: { terminateOnIdle: true, idleMs: 300 } };
      const model = await window.help.load(
        { ...options, contextLength: 8192 },
        "made/long.gguf",
      );
      (window as unknown as { model: unknown }).model = model;
      const how = { model, temperature: 0, ignoreEos: true };
      const start = performance.now();
      let made = 0;
      // Longer than the idle time without a pause.
      while (performance.now() - start < 900) {
        made += (await generateText({ ...how, prompt: "Once", maxTokens: 600 })).usage
          .completionTokens;
      }
      return { made, requests: (await model.metrics()).requests };
    });
    assert.equal(out.made, 600 * out.requests, "all by one worker");
    await page.noWorkers();
    const again = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const { model } = window as unknown as {
        model: Parameters<typeof generateText>[0]["model"];
      };
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const answers = await Promise.all([generateText(how), generateText(how)]);
      const { requests } = await model.metrics();
      return { texts: answers.map(({ text }) => text), requests };
    });
    assert.deepEqual(again.texts, [", there was a", ", there was a"]);
    assert.equal(again.requests, 2, "a new worker, one for both");
    await page.noWorkers();
  },
);

withPage(
  up,
  "life: a Blob is loaded again after idleness, bytes are refused for it",
  SITE,
  worker,
  async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const bytes = await (await fetch("models/stories260K-F32.gguf")).arrayBuffer();
      const workerOptions = { terminateOnIdle: true, idleMs: 50 };
      const refused = await window.help.caught(window.help.load({ workerOptions }, bytes));
      const model = await window.help.load({ workerOptions }, new Blob([bytes]));
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const texts = [];
      for (let round = 0; round < 3; round += 1) {
        // The next use comes when the worker has been ended for idleness.
        await new Promise((resolve) => setTimeout(resolve, 150));
        texts.push((await generateText(how)).text);
      }
      return { refused, texts };
    });
    assert.equal(out.refused?.code, "INVALID_OPTION");
    assert.equal(out.refused?.detail?.option, "workerOptions.terminateOnIdle");
    assert.deepEqual(new Set(out.texts), new Set([", there was a"]));
  },
);

withPage(
  up,
  "life: a model from bytes does not outlive its worker, and says so",
  HOOKED,
  worker,
  async (page) => {
    await page.evaluate(async () => {
      const bytes = await (await fetch("models/stories260K-F32.gguf")).arrayBuffer();
      (window as unknown as { model: unknown }).model = await window.help.load({}, bytes);
    });
    await page.evaluate(() => window.help.hook("close"));
    await page.noWorkers();
    const errors = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const { model } = window as unknown as {
        model: Parameters<typeof generateText>[0]["model"];
      };
      const how = { model, prompt: "Once upon a time", maxTokens: 4 };
      return [
        await window.help.caught(generateText(how)),
        await window.help.caught(model.metrics()),
      ];
    });
    for (const error of errors) assert.equal(error?.code, "WORKER_TERMINATED");
    assert.match(errors[1]?.hint ?? "", /bytes/);
  },
);

withPage(
  up,
  "life: your own worker serves several models and stays yours",
  SITE,
  worker,
  async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const mine = new Worker("dist/sidestage-worker.js");
      const [a, b] = await Promise.all([
        window.help.load({ worker: mine }),
        window.help.load({ worker: mine }),
      ]);
      const how = { prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const texts = await Promise.all([
        generateText({ model: a, ...how }),
        generateText({ model: b, ...how }),
      ]);
      await a.dispose();
      const left = await generateText({ model: b, ...how });
      await b.dispose();
      const c = await window.help.load({ worker: mine });
      const later = await generateText({ model: c, ...how });
      const open = window.help.caught(
        generateText({ model: c, prompt: "Once", ignoreEos: true }),
      );
      mine.terminate();
      const died = await open;
      const after = await window.help.caught(c.metrics());
      return {
        texts: [...texts, left, later].map(({ text }) => text),
        codes: [died?.code, after?.code],
      };
    });
    assert.deepEqual(new Set(out.texts), new Set([", there was a"]));
    assert.deepEqual(out.codes, ["WORKER_TERMINATED", "WORKER_TERMINATED"]);
  },
);

for (const mode of ["worker", "page"] as const) {
  withPage(up, `life: dispose ends the worker at once (${mode})`, SITE, mode, async (page) => {
    await page.evaluate(async () => {
      const models = await Promise.all([1, 2, 3].map(() => window.help.load()));
      await Promise.all(models.map((model) => model.dispose()));
    });
    await page.noWorkers();
  });
}
