#!/usr/bin/env node
/**
 * Loads and disposes models over and over, some in mid-load and some in mid-answer, and says how much
 * the renderer's memory grew.
 *
 *     node bench/soak.mjs [--rounds=1000] [--json]
 */
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";
import { make } from "./models.mjs";
import { renderers } from "./process.mjs";
import { serve } from "./server.mjs";

const WARM_UP = 20;
/** Megabytes. */
export const ALLOWED = 16;

/** In the page: one round of the kind that its number says. */
async function round(number) {
  const { loadModel, streamText } = await import("/sidestage/index.js");
  const url = new URL("/models/tiny.gguf", location.href).href;
  const options = { threads: number % 2 === 0 ? 1 : 2, contextLength: 256 };
  const kind = ["whole", "mid-load", "mid-answer"][number % 3];
  if (kind === "mid-load") {
    const controller = new AbortController();
    const loading = loadModel(url, {
      ...options,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    // A load that was quicker than the abort is disposed like any other.
    await loading.then((model) => model.dispose()).catch(() => {});
    return;
  }
  const model = await loadModel(url, options);
  const prompt = Array.from({ length: 32 }, (_, i) => 300 + i);
  const maxTokens = kind === "whole" ? 8 : 200;
  const stream = streamText({
    model,
    prompt,
    maxTokens,
    temperature: 0,
    ignoreEos: true,
  });
  if (kind === "whole") {
    const { usage } = await stream.result;
    if (usage.completionTokens !== maxTokens) {
      throw new Error(`${usage.completionTokens} tokens instead of ${maxTokens}`);
    }
  } else {
    // The death of the model in mid-answer is the point of the round.
    const settled = stream.result.catch(() => {});
    await stream.textStream[Symbol.asyncIterator]()
      .next()
      .catch(() => {});
    await model.dispose();
    await settled;
    return;
  }
  await model.dispose();
}

/** What stays: threads and heaps of dead workers are given back a while after. */
async function settledMemory(page, session) {
  let least = Infinity;
  for (let i = 0; i < 6; i += 1) {
    await session.send("HeapProfiler.collectGarbage");
    await page.waitForTimeout(400);
    least = Math.min(least, Math.max(...renderers().map(({ now }) => now)));
  }
  return least;
}

/** `{ rounds, before, after, grown, seconds }`, memory in MB. */
export async function soak(rounds, say) {
  make("tiny");
  const { url, close } = await serve();
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const session = await page.context().newCDPSession(page);
    await page.goto(`${url}/bench/web/page.html`);
    for (let i = 0; i < WARM_UP; i += 1) await page.evaluate(round, i);
    const before = await settledMemory(page, session);
    const start = performance.now();
    for (let i = 0; i < rounds; i += 1) {
      await page.evaluate(round, i);
      if ((i + 1) % 100 === 0) {
        const grown = (await settledMemory(page, session)) - before;
        say(`${i + 1} of ${rounds} rounds, ${grown.toFixed(1)} MB grown`);
      }
    }
    const seconds = (performance.now() - start) / 1000;
    const after = await settledMemory(page, session);
    return { rounds, before, after, grown: after - before, seconds };
  } finally {
    await browser.close();
    close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.find((argument) => argument.startsWith("--rounds="));
  const result = await soak(Number(asked?.split("=")[1] ?? 1000), (line) =>
    console.error(line),
  );
  const { rounds, before, after, grown, seconds } = result;
  console.log(
    process.argv.includes("--json")
      ? JSON.stringify(result)
      : `${rounds} rounds in ${seconds.toFixed(0)} s: the renderer grew from ${before.toFixed(1)} to ` +
          `${after.toFixed(1)} MB (${grown.toFixed(1)} of ${ALLOWED} MB)`,
  );
  if (grown >= ALLOWED) process.exitCode = 1;
}
