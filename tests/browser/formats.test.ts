import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BROWSER } from "./browser.js";
import type { Page } from "./drivers/driver.js";
import { type Numbers, readNpz } from "./npz.js";
import { DATA } from "./server.js";
import { bothModes } from "./suite.js";

const npz = (folder: string, name: string): Record<string, Numbers> =>
  readNpz(join(DATA ?? "", folder, `${name}.ref.npz`));

/** What a model of one input gives: its first outputs, and what it says of itself. */
async function outputs(
  page: Page,
  source: string,
  data: number[],
  shape: number[],
): Promise<{ format: string; files: string[]; shapes: unknown[]; found: number[][] }> {
  return page.evaluate(
    async ({ source, data, shape }) => {
      const model = await window.help.load({}, source);
      const name = model.inputs[0]?.name ?? "";
      const out = await model.run({ [name]: { data, shape } });
      const { format, files } = model.info;
      await model.dispose();
      const tensors = Object.values(out).map((one) => one as { data: Float32Array });
      const shapes = model.inputs.map((port) => port.dtype);
      return { format, files, shapes, found: tensors.map((one) => Array.from(one.data)) };
    },
    { source, data, shape },
  );
}

function near(found: number[] | undefined, expected: number[], tolerance: number): void {
  assert.equal(found?.length, expected.length);
  const far = expected.findIndex(
    (value, at) => !(Math.abs((found[at] ?? NaN) - value) <= tolerance),
  );
  assert.equal(far, -1, `${far}: ${found[far]}, ${expected[far]}`);
}

/** Input and outputs of a folder of TensorFlow.js. */
function tfjs(model: string): {
  data: number[];
  shape: number[];
  outputs: Record<string, number[]>;
} {
  const folder = join(DATA ?? "", "tfjs", model);
  const read = (file: string): Buffer => readFileSync(join(folder, file));
  const [input] = JSON.parse(read("input.json").toString()) as {
    shape: number[];
    file: string;
    scale: number;
    offset: number;
  }[];
  assert.ok(input);
  const { outputs } = JSON.parse(read("ref.json").toString()) as {
    outputs: { name: string; file: string }[];
  };
  const floats = (file: string): number[] => {
    const bytes = read(file);
    return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
  };
  return {
    data: Array.from(read(input.file), (byte) =>
      Math.fround(Math.fround(byte * Math.fround(input.scale)) + input.offset),
    ),
    shape: input.shape,
    outputs: Object.fromEntries(outputs.map(({ name, file }) => [name, floats(file)])),
  };
}

bothModes("formats", (test) => {
  // Firefox and WebKit see one of each kind; the engine is the same.
  const all = BROWSER === "chromium";
  for (const [name, tolerance] of [
    ["mlperf_kws_float32", 1e-4],
    ["mlperf_kws_int8", 1],
    ["mp_face_detection_short_range", 1e-2],
  ] as const) {
    if (!all && name.startsWith("mp")) continue;
    test(`the TFLite model ${name} gives what LiteRT gives`, async (page) => {
      const arrays = npz("tflite", name);
      const input = arrays["in.0"];
      assert.ok(input);
      const source = `data/tflite/${name}.tflite`;
      const out = await outputs(page, source, input.data, input.shape);
      assert.equal(out.format, "tflite");
      assert.deepEqual(out.shapes, [name.endsWith("int8") ? "int8" : "float32"]);
      for (const [at, found] of out.found.entries()) {
        near(found, arrays[`out.${at}`]?.data ?? [], tolerance);
      }
    });
  }

  test("a graph model of TensorFlow.js comes in three shards", async (page) => {
    const { data, shape, outputs: expected } = tfjs("human-emotion");
    const out = await outputs(page, "made/shards/model.json", data, shape);
    assert.equal(out.format, "tfjs");
    assert.deepEqual(out.files, ["model.json", "a.bin", "b.bin", "c.bin"]);
    near(out.found[0], Object.values(expected)[0] ?? [], 1e-4);
  });

  for (const name of ["tfjs-mini-layers", ...(all ? ["nsfwjs-mobilenet_v2"] : [])]) {
    test(`the layers model ${name} gives what TensorFlow.js gives`, async (page) => {
      const { data, shape, outputs: expected } = tfjs(name);
      const out = await outputs(page, `data/tfjs/${name}/model.json`, data, shape);
      assert.equal(out.format, "tfjs");
      near(out.found[0], Object.values(expected)[0] ?? [], 1e-4);
    });
  }

  test("the weights of an ONNX model lie in a file beside it", async (page) => {
    const { "in.Input3": image, "out.Plus214_Output_0": expected } = npz("onnx", "mnist-12");
    assert.ok(image && expected);
    const out = await outputs(page, "made/outside/model.onnx", image.data, image.shape);
    assert.deepEqual(out.files, ["model.onnx", "weights.bin"]);
    near(out.found[0], expected.data, 0.05);
  });

  test("operators that are not there are all named, before a weight is asked for", async (page, up) => {
    const refused = (source: string): Promise<{ code: string; message: string } | null> =>
      page.evaluate((source) => window.help.caught(window.help.load({}, source)), source);
    const onnx = await refused("made/unknown/model.onnx");
    assert.equal(onnx?.code, "OP_UNSUPPORTED");
    assert.match(onnx.message, /Corv/);
    assert.match(onnx.message, /MaxFool/);
    const json = await refused("made/unknown/model.json");
    assert.equal(json?.code, "OP_UNSUPPORTED");
    assert.match(json.message, /MatFul/);
    const weights = up.server.seen.filter((path) => path.includes("/made/unknown/weights"));
    assert.deepEqual(weights, []);
  });

  test("a shard that is missing is told by its name", async (page) => {
    const error = await page.evaluate(() =>
      window.help.caught(window.help.load({}, "made/missing/model.json")),
    );
    assert.equal(error?.code, "NOT_FOUND");
    assert.match(`${error.message} ${JSON.stringify(error.detail)}`, /gone\.bin/);
  });

  test("a model tells what it does before it runs, and how long that took", async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load({}, "data/onnx/mnist-12.onnx");
      const before = await model.explain();
      await model.metrics({ profile: true });
      for (let run = 0; run < 3; run += 1) await model.run({ Input3: new Float32Array(784) });
      const { profile } = await model.metrics({ profile: true });
      const after = await model.explain();
      const { profile: none } = await model.metrics();
      const open = await window.help.load({}, "data/onnx/silero_vad.onnx");
      const { segments, reason } = await open.explain();
      const story = await window.help.load();
      const text = await window.help.caught(story.explain());
      return { before, after, profile, none, segments, reason, text };
    });
    const [segment, ...more] = out.before.segments;
    assert.ok(segment);
    assert.deepEqual([more, out.before.reason, segment.needs], [[], null, 0]);
    assert.deepEqual(out.after, out.before);
    const shapes = segment.operators.flatMap(({ outputs }) =>
      outputs.map(({ shape }) => shape),
    );
    assert.deepEqual(shapes.at(-1), [1, 10]);
    assert.ok(segment.operators.some(({ passes }) => passes.length > 0));
    assert.ok(segment.operators.every(({ device }) => device === "cpu"));
    assert.ok(segment.constantBytes > 20_000 && segment.scratchBytes > 0);
    const { run } = out.profile ?? {};
    const calls = run?.ops.reduce((sum, op) => sum + op.calls, 0);
    assert.deepEqual([run?.steps, calls], [3, 3 * segment.operators.length]);
    assert.equal(out.none, null);
    assert.deepEqual(out.segments, []);
    assert.match(out.reason ?? "", /first run/);
    assert.equal(out.text?.code, "TASK_UNSUPPORTED");
  });
});
