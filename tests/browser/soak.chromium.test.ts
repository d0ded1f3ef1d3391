import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stage, type Stage } from "./browser.js";
import type { Chromium, ChromiumPage } from "./drivers/chromium.js";
import type { Page } from "./drivers/driver.js";
import { type Mode, withPage } from "./suite.js";

const up = stage();

const WARM_UP = 20;
const ROUNDS = 60;
/** Megabytes that the renderer may grow by. */
const ALLOWED = 16;

declare global {
  interface Window {
    soaked: string | Blob;
  }
}

/**
 * Runs in the page: chooses the source. The tool that drives the browser keeps what a page fetches, so
 * a page that runs the engine itself gets a Blob; workers fetch.
 */
async function choose(): Promise<void> {
  const url = "models/stories260K-F32.gguf";
  window.soaked = window.help.mode === "worker" ? url : await (await fetch(url)).blob();
}

/** Runs in the page: one round of the kind that its number says. */
async function round(number: number): Promise<void> {
  const { streamText } = window.sidestage;
  const kind = number % 3;
  if (kind === 0) {
    // Disposed in mid-load.
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const loading = window.help.load({ signal: controller.signal, onProgress }, window.soaked);
    await loading.then((model) => model.dispose()).catch(() => undefined);
    return;
  }
  const model = await window.help.load({ threads: 1 + (number % 2) }, window.soaked);
  const how = { model, prompt: "Once", temperature: 0, ignoreEos: true, maxTokens: 100 };
  const stream = streamText(how);
  if (kind === 1) {
    if ((await stream.result).usage.completionTokens !== 100) throw new Error("too few tokens");
    await model.dispose();
    return;
  }
  // Disposed in mid-answer.
  await stream.textStream.getReader().read();
  await model.dispose();
  await stream.result.catch(() => undefined);
}

/**
 * Megabytes that the page's renderer holds after collections: the least of several looks, because a
 * thread that sleeps is ended by the browser only after two seconds.
 */
async function memory(page: Page, { browser }: Stage): Promise<number> {
  const { tab } = page as ChromiumPage;
  const session = await tab.context().newCDPSession(tab);
  const whole = await (browser as Chromium).inner.newBrowserCDPSession();
  let least = Infinity;
  for (let look = 0; look < 8; look += 1) {
    await session.send("HeapProfiler.collectGarbage");
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
    const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
    const sizes = processInfo
      .filter(({ type }) => type === "renderer")
      .map(({ id }) => {
        const status = readFileSync(`/proc/${id}/status`, "utf8");
        return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
      });
    least = Math.min(least, Math.max(...sizes));
  }
  await session.detach();
  await whole.detach();
  return least;
}

for (const [mode, site] of [
  ["worker", "isolated"],
  ["page", "plain"],
] as [Mode, string][]) {
  withPage(
    up,
    `soak: ${ROUNDS} models, some disposed in mid-load and mid-answer, leave nothing (${mode})`,
    site,
    mode,
    async (page) => {
      await page.evaluate(choose);
      for (let i = 0; i < WARM_UP; i += 1) await page.evaluate(round, i);
      const before = await memory(page, up);
      for (let i = 0; i < ROUNDS; i += 1) await page.evaluate(round, i);
      const after = await memory(page, up);
      console.log(
        `${mode}: the renderer went from ${before.toFixed(1)} to ${after.toFixed(1)} MB`,
      );
      assert.ok(
        after - before < ALLOWED,
        `the renderer grew by ${(after - before).toFixed(1)} MB`,
      );
    },
    {
      timeout: 240_000,
      ...(process.platform !== "linux" && { skip: "memory is read from /proc" }),
    },
  );
}

withPage(
  up,
  "the page's longest task while loading and answering is short",
  "plain",
  "worker",
  async (page) => {
    const rounds = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const longest: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        const tasks: number[] = [];
        const observer = new PerformanceObserver((list) =>
          tasks.push(...list.getEntries().map(({ duration }) => duration)),
        );
        observer.observe({ type: "longtask" });
        const model = await window.help.load();
        const how = { model, prompt: "Once", temperature: 0, ignoreEos: true, maxTokens: 400 };
        await window.help.text(streamText(how));
        await model.dispose();
        tasks.push(...observer.takeRecords().map(({ duration }) => duration));
        observer.disconnect();
        longest.push(Math.max(0, ...tasks));
      }
      return longest;
    });
    // Other programs may hold up one round, not all.
    assert.ok(Math.min(...rounds) <= 50, `${rounds.join(", ")} ms`);
  },
);
