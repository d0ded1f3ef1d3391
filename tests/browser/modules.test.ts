import assert from "node:assert/strict";
import type { Stage } from "./browser.js";
import { bothModes } from "./suite.js";

/** The wasm files that were asked for since then, whatever their variant. */
function modules(up: Stage, since: number): string[] {
  const names = up.server.seen
    .slice(since)
    .map((path) => /\/sidestage-([\w-]+)\.wasm/.exec(path)?.[1])
    .filter((name) => name !== undefined);
  return names.map((name) => name.replace(/(simd|relaxed)(-threads)?$/, "engine")).sort();
}

bothModes("modules", (test) => {
  test("a chat gets the module for language models", async (page, up) => {
    const since = up.server.seen.length;
    await page.evaluate(() => window.help.load());
    assert.deepEqual(modules(up, since), ["engine", "text"]);
  });

  test("a graph gets the module for graphs", async (page, up) => {
    const since = up.server.seen.length;
    await page.evaluate(() => window.help.load({}, "data/onnx/mnist-12.onnx"));
    assert.deepEqual(modules(up, since), ["graphs-engine"]);
  });

  test("a graph with the name of a language model is run", async (page, up) => {
    const since = up.server.seen.length;
    const out = await page.evaluate(async () => {
      const model = await window.help.load({}, "made/digits.gguf");
      const { Plus214_Output_0: output } = await model.run({
        Input3: new Float32Array(784),
      });
      return [model.info.format, output && "shape" in output && output.shape];
    });
    assert.deepEqual(out, ["onnx", [1, 10]]);
    assert.deepEqual(modules(up, since), ["engine", "graphs-engine", "text"]);
  });

  test("a language model with the name of a graph answers", async (page, up) => {
    const since = up.server.seen.length;
    const out = await page.evaluate(async () => {
      const loaded: number[] = [];
      const onProgress = ({ loadedBytes }: { loadedBytes: number }) =>
        void loaded.push(loadedBytes);
      const model = await window.help.load({ onProgress }, "made/story.onnx");
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const { text } = await window.sidestage.generateText(how);
      return { text, loaded };
    });
    assert.equal(out.text, ", there was a");
    assert.deepEqual(
      out.loaded,
      [...out.loaded].sort((a, b) => a - b),
    );
    assert.deepEqual(modules(up, since), ["engine", "graphs-engine", "text"]);
  });

  test("a graph beside which a tokenizer lies gets the module for text", async (page, up) => {
    const since = up.server.seen.length;
    const text = await page.evaluate(async () => {
      const folder = "models/stories260K-hf/";
      const paths = [
        "data/onnx/stories260K-kv.onnx",
        ...["config.json", "tokenizer.json", "tokenizer_config.json"].map((it) => folder + it),
      ];
      const file = async (path: string) =>
        new File([await (await fetch(path)).blob()], path.split("/").at(-1) ?? "");
      const model = await window.help.load({}, await Promise.all(paths.map(file)));
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      return (await window.sidestage.generateText(how)).text;
    });
    assert.equal(text, ", there was a");
    assert.deepEqual(modules(up, since), ["graphs-engine", "text"]);
  });

  test("a graph with a tokenizer comes once, though nothing is kept", async (page, up) => {
    const since = up.server.seen.length;
    const text = await page.evaluate(async () => {
      const model = await window.help.load({ cache: "no-store" }, "made/talk/model.onnx");
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      return (await window.sidestage.generateText(how)).text;
    });
    assert.equal(text, ", there was a");
    const seen = up.server.seen.slice(since);
    assert.equal(seen.filter((path) => path.endsWith("/talk/model.onnx")).length, 1);
    assert.deepEqual(modules(up, since), ["graphs-engine", "text"]);
  });

  test("bytes without a name are what they are", async (page) => {
    const formats = await page.evaluate(async () => {
      const bytes = async (url: string) => (await fetch(url)).arrayBuffer();
      const [graph, story] = [await bytes("made/digits.gguf"), await bytes("made/story.onnx")];
      const files = [graph, new File([story], "model.json")];
      const models = await Promise.all(files.map((file) => window.help.load({}, file)));
      return models.map(({ info }) => info.format);
    });
    assert.deepEqual(formats, ["onnx", "gguf"]);
  });
});
