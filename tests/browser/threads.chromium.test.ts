import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stage, type Stage } from "./browser.js";
import type { Chromium } from "./drivers/chromium.js";
import { withPage } from "./suite.js";

const up = stage();

/** Seconds of a processor that the browser's pages have used so far. */
async function used({ browser }: Stage): Promise<number> {
  const session = await (browser as Chromium).inner.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const seconds = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => {
      // The name may have spaces; the 12th and 13th field after it are hundredths of a second.
      const fields = readFileSync(`/proc/${id}/stat`, "utf8").split(") ").at(-1)!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
    });
  return seconds.reduce((sum, one) => sum + one, 0);
}

withPage(
  up,
  "threads: when nothing runs they sleep, and wake for the next prompt",
  "isolated",
  "worker",
  async (page) => {
    const answer = () =>
      page.evaluate(async () => {
        const { generateText } = window.sidestage;
        window.kept ??= await window.help.load({ threads: 2 });
        // Long enough to be shared out.
        const how = { model: window.kept, prompt: window.help.ids(400), temperature: 0 };
        return (await generateText({ ...how, maxTokens: 4, ignoreEos: true })).text;
      });
    const text = await answer();
    const before = await used(up);
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 2000)));
    const idle = (await used(up)) - before;
    // A thread that spins takes all of it. The rest is the browser's own: its compilers and collectors.
    assert.ok(idle < 0.8, `${idle} s of 2 s`);
    assert.equal(await answer(), text);
  },
  { ...(process.platform !== "linux" && { skip: "times are read from /proc" }) },
);

withPage(
  up,
  "threads: more than the machine has processors answer the same",
  "isolated",
  "worker",
  async (page) => {
    const texts = await page.evaluate(async () => {
      const list = [];
      for (const threads of [1, 4 * navigator.hardwareConcurrency]) {
        const model = await window.help.load({ threads });
        const how = { model, prompt: window.help.ids(400), temperature: 0, maxTokens: 16 };
        const { text } = await window.sidestage.generateText(how);
        list.push({ text, threads: model.info.threads === threads });
        await model.dispose();
      }
      return list;
    });
    assert.deepEqual(
      texts.map(({ threads }) => threads),
      [true, true],
    );
    assert.equal(texts[1]!.text, texts[0]!.text);
  },
);

declare global {
  interface Window {
    kept: Awaited<ReturnType<Window["help"]["load"]>> | undefined;
  }
}
