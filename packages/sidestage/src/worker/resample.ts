import type { PixelPlan, RawPixels } from "../pixels.js";

/** A tensor that was made of pixels. */
export interface PixelTensor {
  dtype: string;
  shape: number[];
  data: Uint8Array<ArrayBuffer>;
}

/** When to let others have a turn. */
export interface Pace {
  /** Milliseconds until then. */
  budget: number;
  pause(): Promise<void>;
}

/** A part of a picture. */
interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** ITU-R BT.601, as Pillow, OpenCV and TensorFlow have it. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Red, green and blue in the order of the channels. */
const ORDERS = { rgb: [0, 1, 2], bgr: [2, 1, 0], gray: [0] } as const;

/**
 * The tensor of a picture. Sizes change by bilinear interpolation at half-pixel centres, as ONNX's
 * `Resize` (`half_pixel`, `linear`) and TensorFlow's `tf.image.resize` have it, with `antialias` as the
 * same with that switched on. It is not done by a canvas, whose way of it each browser chooses.
 */
export async function tensorOf(
  picture: RawPixels,
  plan: PixelPlan,
  pace: Pace,
): Promise<PixelTensor> {
  const { width, height, from, to } = fit(picture, plan);
  const order = ORDERS[plan.order];
  const sizes: Record<string, number> = { n: 1, c: order.length, h: height, w: width };
  const strides = stridesOf(plan.layout, sizes);
  const values = new Float32Array(width * height * order.length);
  const rgba = flat(picture.data, plan.background);
  const columns = tapsOf(from.width, to.width, plan.antialias);
  const rows = tapsOf(from.height, to.height, plan.antialias);
  const [stepX = 0, stepY = 0, stepC = 0] = [strides.w, strides.h, strides.c];
  // One row of the result, red, green and blue of each pixel.
  const line = new Float32Array(3 * width);
  const put = (y: number): void => {
    for (let channel = 0; channel < order.length; channel += 1) {
      const [scale = 1, offset = 0] = [plan.scale[channel], plan.offset[channel]];
      let at = y * stepY + channel * stepC;
      const part = order[channel] ?? 0;
      for (let x = 0; x < line.length; x += 3, at += stepX) {
        const value =
          order.length === 1
            ? LUMA[0] * (line[x] ?? 0) +
              LUMA[1] * (line[x + 1] ?? 0) +
              LUMA[2] * (line[x + 2] ?? 0)
            : (line[x + part] ?? 0);
        values[at] = value * scale + offset;
      }
    }
  };
  if (to.width < width || to.height < height) {
    for (let at = 0; at < line.length; at += 1) line[at] = plan.background[at % 3] ?? 0;
    for (let y = 0; y < height; y += 1) put(y);
  }
  const across = acrossOf(rgba, picture.width, from, columns, rows.count);
  const inside = line.subarray(3 * to.x, 3 * (to.x + to.width));
  let begun = performance.now();
  for (let y = 0; y < to.height; y += 1) {
    if (performance.now() - begun > pace.budget) {
      await pace.pause();
      begun = performance.now();
    }
    inside.fill(0);
    for (let tap = y * rows.count; tap < (y + 1) * rows.count; tap += 1) {
      const weight = rows.weights[tap] ?? 0;
      if (weight === 0) continue;
      const row = across(rows.at[tap] ?? 0);
      for (let at = 0; at < inside.length; at += 1) {
        inside[at] = (inside[at] ?? 0) + weight * (row[at] ?? 0);
      }
    }
    put(to.y + y);
  }
  const shape = [...plan.layout].map((letter) => sizes[letter] ?? 1);
  const { buffer } = cast(values, plan.dtype);
  return { dtype: plan.dtype, shape, data: new Uint8Array(buffer as ArrayBuffer) };
}

/** Rows of the picture at the result's width. The last few are kept: neighbours need the same. */
function acrossOf(
  rgba: Uint8ClampedArray,
  stride: number,
  from: Rectangle,
  { at, weights, count }: Taps,
  kept: number,
): (row: number) => Float32Array {
  const width = at.length / count;
  const lines = Array.from({ length: kept }, () => ({
    row: -1,
    values: new Float32Array(3 * width),
  }));
  return (row) => {
    // As many rows in a row as are kept have a place each.
    const line = lines[row % kept];
    if (!line) return new Float32Array();
    const { values } = line;
    if (line.row === row) return values;
    line.row = row;
    const start = (from.y + row) * stride + from.x;
    for (let x = 0; x < width; x += 1) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let tap = x * count; tap < (x + 1) * count; tap += 1) {
        const weight = weights[tap] ?? 0;
        const pixel = 4 * (start + (at[tap] ?? 0));
        red += weight * (rgba[pixel] ?? 0);
        green += weight * (rgba[pixel + 1] ?? 0);
        blue += weight * (rgba[pixel + 2] ?? 0);
      }
      values[3 * x] = red;
      values[3 * x + 1] = green;
      values[3 * x + 2] = blue;
    }
    return values;
  };
}

/** For each position of a result, so many positions of what it is made of, and their weights. */
interface Taps {
  count: number;
  at: Int32Array;
  weights: Float32Array;
}

function tapsOf(from: number, to: number, antialias: boolean): Taps {
  const ratio = from / to;
  const reach = antialias ? Math.max(1, ratio) : 1;
  const count = Math.ceil(2 * reach);
  const at = new Int32Array(to * count);
  const weights = new Float32Array(to * count);
  for (let result = 0; result < to; result += 1) {
    const centre = (result + 0.5) * ratio - 0.5;
    const first = Math.floor(centre - reach) + 1;
    let sum = 0;
    for (let tap = 0; tap < count; tap += 1) {
      sum += Math.max(0, 1 - Math.abs(first + tap - centre) / reach);
    }
    for (let tap = 0; tap < count; tap += 1) {
      const weight = Math.max(0, 1 - Math.abs(first + tap - centre) / reach);
      // Beyond its edges the picture goes on with what is there.
      at[result * count + tap] = Math.min(from - 1, Math.max(0, first + tap));
      weights[result * count + tap] = weight / sum;
    }
  }
  return { count, at, weights };
}

/** The result's size, the part of the picture that is shown in it, and where. */
function fit(
  picture: RawPixels,
  plan: PixelPlan,
): { width: number; height: number; from: Rectangle; to: Rectangle } {
  const ratio = picture.width / picture.height;
  const whole = (size: number, most = Infinity): number =>
    Math.min(most, Math.max(1, Math.round(size)));
  const width = plan.width ?? (plan.height ? whole(plan.height * ratio) : picture.width);
  const height = plan.height ?? (plan.width ? whole(plan.width / ratio) : picture.height);
  const from = { x: 0, y: 0, width: picture.width, height: picture.height };
  const to = { x: 0, y: 0, width, height };
  if (plan.resize === "cover") {
    from.width = whole((picture.height * width) / height, picture.width);
    from.height = whole((picture.width * height) / width, picture.height);
    from.x = Math.floor((picture.width - from.width) / 2);
    from.y = Math.floor((picture.height - from.height) / 2);
  }
  if (plan.resize === "contain") {
    to.width = whole(height * ratio, width);
    to.height = whole(width / ratio, height);
    to.x = Math.floor((width - to.width) / 2);
    to.y = Math.floor((height - to.height) / 2);
  }
  return { width, height, from, to };
}

function stridesOf(layout: string, sizes: Record<string, number>): Record<string, number> {
  const strides: Record<string, number> = {};
  let step = 1;
  for (const letter of [...layout].reverse()) {
    strides[letter] = step;
    step *= sizes[letter] ?? 1;
  }
  return strides;
}

/** The pixels on a background; a copy if some of them are not opaque. */
function flat(rgba: Uint8ClampedArray, background: PixelPlan["background"]): Uint8ClampedArray {
  let at = 3;
  while (at < rgba.length && rgba[at] === 255) at += 4;
  if (at >= rgba.length) return rgba;
  const out = new Uint8ClampedArray(rgba);
  for (let pixel = at - 3; pixel < out.length; pixel += 4) {
    const alpha = (out[pixel + 3] ?? 0) / 255;
    for (let part = 0; part < 3; part += 1) {
      const behind = background[part] ?? 0;
      out[pixel + part] = (out[pixel + part] ?? 0) * alpha + behind * (1 - alpha);
    }
  }
  return out;
}

/** Whole numbers of these types, and the least and the largest of each. */
const WHOLE = {
  uint8: [Uint8Array, 0, 255],
  int8: [Int8Array, -128, 127],
  uint16: [Uint16Array, 0, 65535],
  int16: [Int16Array, -32768, 32767],
  int32: [Int32Array, -(2 ** 31), 2 ** 31 - 1],
} as const;

/** The values in another type: whole numbers are the nearest that there are. */
function cast(values: Float32Array<ArrayBuffer>, dtype: string): ArrayBufferView {
  if (dtype === "float64") return Float64Array.from(values);
  if (dtype === "float16") return Uint16Array.from(values, halfOf);
  if (!(dtype in WHOLE)) return values;
  const [Elements, least, most] = WHOLE[dtype as keyof typeof WHOLE];
  const out = new Elements(values.length);
  for (let at = 0; at < out.length; at += 1) {
    out[at] = Math.min(most, Math.max(least, Math.round(values[at] ?? 0)));
  }
  return out;
}

/** The bits of the half float (IEEE 754 binary16) that is next to a number; of two, the even one. */
export function halfOf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (!(size < 65520)) return sign | (size >= 65520 ? 0x7c00 : 0x7e00);
  // The exponent of its last place: normal numbers have ten places behind the point.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const places = even(size * 2 ** (10 - exponent));
  // A number that is rounded to the next power of two carries into the exponent.
  return sign | (((exponent + 14) << 10) + places);
}

function even(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}
