import assert from "node:assert/strict";
import { test } from "node:test";
import type { SidestageError } from "../src/errors.js";
import { type PixelOptions, type PixelSource, pixelValue } from "../src/pixels.js";
import type { PortInfo } from "../src/protocol.js";
import { Pictures } from "../src/worker/pictures.js";
import { halfOf, tensorOf } from "../src/worker/resample.js";
import type { WireRun } from "../src/wire.js";

const pace = { budget: Infinity, pause: () => Promise.resolve() };
const port = (shape: PortInfo["shape"], dtype: string | null = "float32"): PortInfo => ({
  name: "image",
  kind: "tensor",
  dtype,
  shape,
  quantization: null,
});

/** An opaque gray picture, as a page's ImageData. */
function gray(width: number, height: number, values: number[]): PixelSource {
  const data = Uint8ClampedArray.from(values.flatMap((value) => [value, value, value, 255]));
  return { [Symbol.toStringTag]: "ImageData", width, height, data } as unknown as ImageData;
}

/** One pixel of a colour. */
function colour(...rgba: number[]): PixelSource {
  const data = Uint8ClampedArray.from(rgba);
  return {
    [Symbol.toStringTag]: "ImageData",
    width: 1,
    height: 1,
    data,
  } as unknown as ImageData;
}

async function made(
  to: PortInfo,
  source: PixelSource,
  options: PixelOptions = {},
): Promise<{ shape: number[]; dtype: string; data: Uint8Array<ArrayBuffer> }> {
  const value = pixelValue(to, { source, ...options });
  assert.equal(value.kind, "pixels");
  if (value.kind !== "pixels") throw new Error("no pixels");
  return tensorOf(value.image as ImageData, value.plan, pace);
}

async function floats(
  to: PortInfo,
  source: PixelSource,
  options: PixelOptions = {},
): Promise<number[]> {
  const { data } = await made(to, source, options);
  return Array.from(new Float32Array(data.buffer), (value) => Math.round(value * 1e5) / 1e5);
}

const bytes = { range: [0, 255] } as const;
/** Of one pixel the shape does not tell it. */
const chw = { layout: "chw" } as const;

test("sizes change as ONNX's own cases of Resize say", async () => {
  const count = (to: number): number[] => Array.from({ length: to }, (_, at) => at + 1);
  assert.deepEqual(
    await floats(port([1, 1, 4, 4]), gray(2, 2, count(4)), bytes),
    [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4],
  );
  assert.deepEqual(
    await floats(port([3, 1]), gray(1, 4, [1, 5, 9, 13]), bytes),
    [1.66667, 7, 12.33333],
  );
  assert.deepEqual(
    await floats(port([1, 1, 3, 3]), gray(4, 4, count(16)), {
      ...bytes,
      layout: "nchw",
      antialias: true,
    }),
    [2.36364, 3.59091, 4.81818, 7.27273, 8.5, 9.72727, 12.18182, 13.40909, 14.63636],
  );
});

test("layout, order, range, mean and deviation are what is asked for", async () => {
  const pixel = colour(51, 102, 255, 255);
  assert.deepEqual(await floats(port([3, 1, 1]), pixel, chw), [0.2, 0.4, 1]);
  assert.deepEqual(
    await floats(port([1, 1, 1, 3]), pixel, { layout: "nhwc", order: "bgr" }),
    [1, 0.4, 0.2],
  );
  assert.deepEqual(
    await floats(port([1, 3, 2, 2]), pixel),
    [0.2, 0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 1, 1, 1, 1],
  );
  assert.deepEqual(
    await floats(port([1, 2, 1, 3]), pixel, bytes),
    [51, 102, 255, 51, 102, 255],
  );
  const luma = 0.299 * 51 + 0.587 * 102 + 0.114 * 255;
  assert.deepEqual(await floats(port([1, 1]), pixel, bytes), [Math.round(luma * 1e5) / 1e5]);
  assert.deepEqual(
    await floats(port([3, 1, 1]), pixel, {
      ...chw,
      mean: [0.5, 0.4, 0],
      std: [0.5, 1, 2],
    }),
    [-0.6, 0, 0.5],
  );
  assert.deepEqual(
    await floats(port([3, 1, 1]), pixel, { ...chw, range: [-1, 1] }),
    [-0.6, -0.2, 1],
  );
  const { shape, dtype } = await made(port(["n", 3, "h", "w"]), pixel);
  assert.deepEqual([shape, dtype], [[1, 3, 1, 1], "float32"]);
});

test("an element is the nearest of its type", async () => {
  const pixel = colour(51, 102, 255, 255);
  const range = [-128, 127] as const;
  const whole = await made(port([3, 1, 1], "uint8"), pixel, chw);
  assert.deepEqual(Array.from(whole.data), [51, 102, 255]);
  const signed = await made(port([3, 1, 1], "int8"), pixel, { ...chw, range });
  assert.deepEqual(Array.from(new Int8Array(signed.data.buffer)), [-77, -26, 127]);
  const beyond = await made(port([3, 1, 1], "int8"), pixel, { ...chw, ...bytes });
  assert.deepEqual(Array.from(new Int8Array(beyond.data.buffer)), [51, 102, 127]);
  const half = await made(port([3, 1, 1], "float16"), pixel, chw);
  // numpy.float16([0.2, 0.4, 1]).view("u2")
  assert.deepEqual(Array.from(new Uint16Array(half.data.buffer)), [0x3266, 0x3666, 0x3c00]);
});

test("a quantised input takes numbers, as integers that stand for them", async () => {
  const pixel = colour(51, 102, 255, 255);
  const as = async (
    dtype: string,
    scale: number,
    zeroPoint: number,
    options: PixelOptions = {},
  ): Promise<number[]> => {
    const to = { ...port([3, 1, 1], dtype), quantization: { scale, zeroPoint } };
    const { data } = await made(to, pixel, { ...chw, ...options });
    return Array.from(dtype === "int8" ? new Int8Array(data.buffer) : data);
  };
  // All bytes there are, whatever they stand for.
  assert.deepEqual(await as("int8", 1 / 255, -128), [-77, -26, 127]);
  assert.deepEqual(await as("int8", 0.0078, -1), [-77, -26, 127]);
  assert.deepEqual(await as("uint8", 0.0078, 128), [51, 102, 255]);
  // q = x / scale + zero, as LiteRT and ONNX quantise.
  assert.deepEqual(await as("uint8", 1 / 128, 128, { range: [-1, 1] }), [51, 102, 255]);
  assert.deepEqual(await as("int8", 0.01, 3, { range: [0, 1] }), [23, 43, 103]);
  const normal = { range: [0, 1], mean: [0.5, 0.4, 0], std: [0.5, 1, 2] } as const;
  assert.deepEqual(await as("int8", 0.02, -10, normal), [-40, -10, 15]);
  assert.deepEqual(await as("int8", 1e-3, 0, { range: [0, 1] }), [127, 127, 127]);
});

test("half floats round as IEEE 754 says", () => {
  const cases: [number, number][] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [-Infinity, 0xfc00],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [1.5 * 2 ** -24, 2],
    [2 ** -14, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [0.99999, 0x3c00],
    [NaN, 0x7e00],
  ];
  for (const [value, bits] of cases) assert.equal(halfOf(value), bits, String(value));
});

test("proportions are kept by cutting, or by a border", async () => {
  const wide = gray(4, 2, [1, 2, 3, 4, 5, 6, 7, 8]);
  const two = port([1, 1, 2, 2]);
  assert.deepEqual(await floats(two, wide, { ...bytes, resize: "cover" }), [2, 3, 6, 7]);
  assert.deepEqual(await floats(two, wide, bytes), [1.5, 3.5, 5.5, 7.5]);
  const four = port([1, 1, 4, 4]);
  const background = [9, 9, 9] as const;
  assert.deepEqual(
    await floats(four, wide, { ...bytes, resize: "contain", background }),
    [9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9],
  );
  const tall = gray(1, 2, [1, 2]);
  assert.deepEqual(
    await floats(two, tall, { ...bytes, resize: "contain", background }),
    [1, 9, 2, 9],
  );
  const open = port([1, 1, "h", "w"]);
  const { shape } = await made(open, wide, { width: 8 });
  assert.deepEqual(shape, [1, 1, 4, 8], "the other side follows");
});

test("what is transparent shows the background", async () => {
  const to = port([3, 1, 1]);
  assert.deepEqual(await floats(to, colour(200, 100, 50, 0), { ...chw, ...bytes }), [0, 0, 0]);
  const white = { ...chw, ...bytes, background: [255, 255, 255] } as const;
  assert.deepEqual(await floats(to, colour(200, 100, 50, 0), white), [255, 255, 255]);
  assert.deepEqual(await floats(to, colour(255, 0, 0, 51), white), [255, 204, 204]);
});

test("what does not fit is refused by name", () => {
  const pixel = colour(1, 2, 3, 255);
  const cases: [PortInfo["shape"], string, PixelOptions, RegExp][] = [
    [null, "float32", {}, /does not tell where the channels are: give `layout`/],
    [[1, 3, 5, 3], "float32", {}, /give `layout`/],
    [[1, "c", "h", "w"], "float32", {}, /give `layout`/],
    [[8], "float32", {}, /give `layout`/],
    [[2, 3, 4, 4], "float32", {}, /takes 2 pictures at once/],
    [[1, 4, 5, 5], "float32", { layout: "nchw" }, /4 channels, and rgb pixels have 3/],
    [[1, 3, 5, 5], "float32", { order: "gray" }, /3 channels, and gray pixels have 1/],
    [[1, 3, 5, 5], "float32", { layout: "hwc" }, /shape \[1, 3, 5, 5\], which is not hwc/],
    [[1, 3, 5, 5], "float32", { width: 6 }, /in which `width` is 5/],
    [[1, 3, 5, 5], "int8", {}, /give `range`.*\[-128, 127\]/],
    [[1, 3, 5, 5], "int64", {}, /is of int64, which no pixels are/],
    [[1, 3, 5, 5], "float32", { std: [1, 2] }, /`std` is neither a number nor 3/],
    [[1, 3, 5, 5], "float32", { std: 0 }, /`std` is 0/],
    [[1, 3, 5, 5], "float32", { range: [0] as never }, /`range` is not two numbers/],
    [[1, 3, 5, 5], "float32", { resize: "fit" as never }, /`resize` is none of stretch, cover/],
    [[1, 3, 5, 5], "float32", { size: 3 } as never, /unknown option size/],
    [[1, 3, 5, 5], "float32", { background: "red" as never }, /`background` is not three/],
    [[1, 3, "h", "w"], "float32", { height: 0.5 }, /`height` is no whole number/],
  ];
  for (const [shape, dtype, options, message] of cases) {
    assert.throws(
      () => pixelValue(port(shape, dtype), { source: pixel, ...options }),
      (error: SidestageError) => {
        assert.equal(error.code, "INPUT_INVALID");
        assert.match(error.message, message);
        return true;
      },
    );
  }
  const none = { source: "picture.png" as unknown as PixelSource };
  assert.throws(() => pixelValue(port([1, 3, 5, 5]), none), /needs `source`/);
});

test("runs keep their order while pictures become tensors, and can be ended", async () => {
  const told: string[] = [];
  let end = (): void => undefined;
  const all = new Promise<void>((resolve) => (end = resolve));
  const pictures = new Pictures({
    ...pace,
    ready: ({ id, inputs }) => {
      told.push(`${id} ${inputs[0]?.value.kind}`);
      if (id === 5) end();
    },
    failed: (id, error) => told.push(`${id} ${(error as SidestageError).code}`),
  });
  const run = (id: number, source?: PixelSource): WireRun => ({
    type: "run",
    id,
    model: 1,
    outputs: null,
    reset: false,
    inputs: source
      ? [{ name: "image", value: pixelValue(port([3, 2, 2]), source) }]
      : [{ name: "image", value: { kind: "nothing" } }],
  });
  assert.equal(pictures.take(run(1)), false, "there is nothing to wait for");
  const pixel = colour(1, 2, 3, 255);
  const file = { [Symbol.toStringTag]: "Blob", size: 1 } as unknown as Blob;
  for (const one of [run(2, pixel), run(3, pixel), run(4, file), run(5)]) {
    assert.equal(pictures.take(one), true);
  }
  assert.equal(pictures.abort(3), true);
  assert.equal(pictures.abort(3), false);
  await all;
  // Here nothing shows files.
  assert.deepEqual(told, ["2 tensor", "4 INPUT_INVALID", "5 nothing"]);
});
