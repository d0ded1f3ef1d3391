import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./browser.js";
const up = stage();
test("smoke", async () => {
  const page = await up.open("plain");
  page.on("console", (m) => console.log(m.text()));
  const out = await page.evaluate(async () => {
    const { loadModel, generateText, streamText } = window.sidestage;
    try {
    const progress: unknown[] = [];
    const model = await loadModel("models/stories260K-F32.gguf", { onProgress: (p) => progress.push(p) });
    const a = await generateText({ model, prompt: "Once upon a time", temperature: 0, maxTokens: 64 });
    let text = "";
    for await (const t of streamText({ model, prompt: "Once upon a time", temperature: 0, maxTokens: 64 })) text += t + "|";
    const m = await model.metrics();
    await model.dispose();
    return { info: model.info, caps: model.capabilities, a, text, m, progress };
    } catch (e) { return { e: String(e), ...(e as object) }; }
  });
  console.log(JSON.stringify(out, null, 1));
  assert.ok(out);
});
