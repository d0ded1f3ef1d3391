import assert from "node:assert/strict";
import { stage } from "./browser.js";
import type { ChromiumPage } from "./drivers/chromium.js";
import { withPage } from "./suite.js";

const up = stage();

withPage(
  up,
  "tab: a page that gets a twentieth of its processor loses nothing, and no time-out fires",
  "isolated",
  "worker",
  async (page) => {
    const { tab } = page as ChromiumPage;
    const devtools = await tab.context().newCDPSession(tab);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: 20 });
    const out = await page.evaluate(async () => {
      const workerOptions = { timeout: 1000, terminateOnIdle: true, idleMs: 1000 };
      const model = await window.help.load({ threads: 2, workerOptions });
      const how = { model, prompt: "Once upon a time", temperature: 0, ignoreEos: true };
      const answer = window.sidestage.streamText({ ...how, maxTokens: 200 });
      const text = await window.help.text(answer.textStream);
      const { usage, text: whole } = await answer.result;
      return { text, whole, tokens: usage.completionTokens, ...(await model.metrics()) };
    });
    assert.equal(out.text, out.whole);
    assert.equal(out.tokens, 200);
    assert.equal(out.requests, 1, "one worker did it all");
  },
);
