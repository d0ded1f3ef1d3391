import assert from "node:assert/strict";
import { join } from "node:path";
import { goldens, MNIST_PORTS } from "./goldens.js";
import { readNpz } from "./npz.js";
import { DATA } from "./server.js";
import { bothModes } from "./suite.js";

const reference = (name: string) => readNpz(join(DATA ?? "", "onnx", `${name}.ref.npz`));
const near = (found: number[], expected: number[], tolerance: number): void => {
  assert.equal(found.length, expected.length);
  for (const [at, value] of expected.entries()) {
    assert.ok(
      Math.abs((found[at] ?? NaN) - value) <= tolerance,
      `${at}: ${found[at]}, ${value}`,
    );
  }
};

bothModes("graphs", (test) => {
  test("an image's digit is what onnxruntime finds", async (page) => {
    const { "in.Input3": image, "out.Plus214_Output_0": expected } = reference("mnist-12");
    assert.ok(image && expected);
    const out = await page.evaluate(
      async ({ data, shape }) => {
        const phases: string[] = [];
        const onProgress = ({ phase }: { phase: string }) => void phases.push(phase);
        const model = await window.help.load({ onProgress }, "data/onnx/mnist-12.onnx");
        const { format, weightType, files } = model.info;
        const ways = {
          tensor: { data: new Float32Array(data), shape },
          elements: new Float32Array(data),
          numbers: { data, shape },
        };
        const found: Record<string, unknown> = {};
        for (const [name, Input3] of Object.entries(ways)) {
          const { Plus214_Output_0: output } = await model.run({ Input3 });
          if (!output || Array.isArray(output)) throw new Error("no tensor");
          found[name] = { data: Array.from(output.data as Float32Array), shape: output.shape };
        }
        // What was given stays the page's.
        const own = ways.elements.length;
        const { memory, requests } = await model.metrics();
        // A page's clock may tick once a millisecond, and a run take less.
        while ((await model.metrics()).runMs === 0) await model.run({ Input3: ways.elements });
        const { inputs, outputs } = model;
        const told = { format, weightType, files, inputs, outputs, own, requests };
        return { found, told, phases, memory };
      },
      { data: image.data, shape: image.shape },
    );
    for (const { data, shape } of Object.values(out.found) as {
      data: number[];
      shape: number[];
    }[]) {
      assert.deepEqual(shape, [1, 10]);
      near(data, expected.data, 0.05);
      assert.equal(
        data.indexOf(Math.max(...data)),
        expected.data.indexOf(Math.max(...expected.data)),
      );
    }
    assert.deepEqual(out.told, {
      format: "onnx",
      weightType: "F32",
      files: ["mnist-12.onnx"],
      ...MNIST_PORTS,
      own: 784,
      requests: 3,
    });
    assert.deepEqual(out.phases.slice(-3), ["download", "prepare", "ready"]);
    assert.ok(out.memory.weights > 20_000 && out.memory.scratch > 0);
  });

  test("a stream of sound is followed from state to state", async (page) => {
    const { "in.audio_16k": audio, "out.prob": expected } = reference("silero_vad");
    assert.ok(audio && expected);
    const windows = 12;
    const found = await page.evaluate(
      async ({ samples, windows }) => {
        const model = await window.help.load({}, "data/onnx/silero_vad.onnx");
        const probabilities: number[] = [];
        let state: Float32Array = new Float32Array(2 * 128);
        let context = new Float32Array(64);
        for (let at = 0; at < windows; at += 1) {
          const data = new Float32Array(576);
          data.set(context);
          data.set(samples.slice(at * 512, (at + 1) * 512), 64);
          context = data.slice(-64);
          const out = await model.run({
            input: { data, shape: [1, 576] },
            state: { data: state, shape: [2, 1, 128] },
            sr: 16000,
          });
          const [probability, next] = [out.output, out.stateN];
          if (!probability || !next || Array.isArray(probability) || Array.isArray(next))
            throw new Error(Object.keys(out).join());
          probabilities.push(Number(probability.data[0]));
          state = next.data as Float32Array;
        }
        return probabilities;
      },
      { samples: audio.data.slice(0, windows * 512), windows },
    );
    near(found, expected.data.slice(0, windows), 1e-4);
  });

  test("a decoder that takes its past is a language model", async (page) => {
    const runs = goldens("stories260K-F32.gguf");
    const out = await page.evaluate(async (runs) => {
      const { generateText } = window.sidestage;
      const url = "data/onnx/stories260K-kv.onnx";
      const how = { temperature: 0 };
      const alone = await window.help.load({ kvType: "f32" }, url);
      const byTokens = [];
      for (const { prompt_ids: prompt, generated_ids: ids } of runs) {
        const made = await generateText({
          ...how,
          model: alone,
          prompt,
          maxTokens: ids.length,
        });
        byTokens.push(made.tokens);
      }
      const text = await window.help.caught(
        generateText({ ...how, model: alone, prompt: "A" }),
      );
      const run = await window.help.caught(alone.run({ input_ids: [[1]] }));
      const { format, hasTokenizer } = alone.info;
      await alone.dispose();
      // Files of a folder, of which the model is one.
      const names = ["config.json", "generation_config.json", "tokenizer.json"];
      const urls = [url, ...names.map((name) => `data/lm/stories260K-hf/${name}`)];
      const files = urls.map(async (from) => {
        const bytes = await (await fetch(from)).arrayBuffer();
        return new File([bytes], from.slice(from.lastIndexOf("/") + 1));
      });
      const model = await window.help.load({ kvType: "f32" }, await Promise.all(files));
      const byText = [];
      for (const { prompt, generated_ids: ids } of runs) {
        const made = await generateText({ ...how, model, prompt, maxTokens: ids.length });
        byText.push({ tokens: made.tokens, text: made.text });
      }
      const graph = await window.help.load({ task: "run" }, url);
      const takes = graph.inputs.length;
      return { byTokens, byText, text, run, format, hasTokenizer, takes };
    }, runs);
    assert.deepEqual(
      out.byTokens,
      runs.map((run) => run.generated_ids),
    );
    assert.deepEqual(
      out.byText,
      runs.map((run) => ({ tokens: run.generated_ids, text: run.generated_text })),
    );
    assert.equal(out.text?.code, "TOKENIZER_MISSING");
    assert.equal(out.run?.code, "TASK_UNSUPPORTED");
    assert.deepEqual([out.format, out.hasTokenizer], ["onnx", false]);
    assert.ok(out.takes > 2);
  });

  test("runs are queued, one is aborted, the model is disposed of", async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({}, "data/onnx/mnist-12.onnx");
      const Input3 = new Float32Array(784);
      const controller = new AbortController();
      const { signal } = controller;
      const many = Array.from({ length: 5 }, () => model.run({ Input3 }));
      const aborted = window.help.caught(model.run({ Input3 }, { signal }));
      controller.abort();
      const before = await aborted;
      const done = (await Promise.all(many)).length;
      const again = Object.keys(await model.run({ Input3 }, { outputs: ["Plus214_Output_0"] }));
      await model.dispose();
      return { before, done, again, after: await window.help.caught(model.run({ Input3 })) };
    });
    assert.equal(out.before?.name, "AbortError");
    assert.equal(out.done, 5);
    assert.deepEqual(out.again, ["Plus214_Output_0"]);
    assert.equal(out.after?.code, "MODEL_DISPOSED");
  });

  test("what does not fit is refused by name, and the next run is right", async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({}, "data/onnx/mnist-12.onnx");
      const image = new Float32Array(784);
      const caught = window.help.caught;
      const errors = [
        await caught(model.run({ no: image })),
        await caught(model.run({})),
        await caught(model.run({ Input3: new Float32Array(783) })),
        await caught(model.run({ Input3: new Float64Array(784) })),
        await caught(model.run({ Input3: { data: image, shape: [1, 1, 28, 29] } })),
        await caught(model.run({ Input3: { data: image, shape: [1, 1, 14, 56] } })),
        await caught(model.run({ Input3: [[1], [2, 3]] })),
        await caught(model.run({ Input3: image }, { outputs: ["no"] })),
      ];
      const { generateText } = window.sidestage;
      const text = await caught(generateText({ model, prompt: "Once" }));
      const story = await window.help.load();
      const graph = await caught(story.run({ Input3: image }));
      await model.run({ Input3: image });
      return { errors, text, graph };
    });
    const codes = out.errors.map((error) => error?.code);
    assert.deepEqual(codes, [...Array<string>(7).fill("INPUT_INVALID"), "INVALID_OPTION"]);
    for (const [at, error] of out.errors.slice(0, 7).entries()) {
      assert.match(error?.message ?? "", /Input3/, `${at}: ${error?.message}`);
    }
    assert.equal(out.text?.code, "TASK_UNSUPPORTED");
    assert.equal(out.graph?.code, "TASK_UNSUPPORTED");
  });
});
