import { invalidInput } from "./errors.js";
import type { PortInfo } from "./protocol.js";
import type { WireNamed, WireValue } from "./wire.js";

/** What has pixels. What is given stays the page's own. */
export type PixelSource =
  | ImageBitmap
  | ImageData
  | VideoFrame
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | HTMLVideoElement
  /** The file of a picture, in any format that the browser shows; its orientation is heeded. */
  | Blob;

/** The order of a tensor's dimensions: batch, channels, height, width. */
export type PixelLayout = "nchw" | "nhwc" | "chw" | "hwc" | "nhw" | "hw";

/** How pixels become an input. What is left out follows from what the model says of it. */
export interface PixelOptions {
  /** Default: from the model's shape, of which one dimension must be 3 or 1. */
  layout?: PixelLayout | undefined;
  /** The channels; default `rgb`, or `gray` where the model takes one channel. */
  order?: "rgb" | "bgr" | "gray" | undefined;
  /**
   * What black and white become; default `[0, 1]` for floats, all that there is for quantised bytes,
   * `[0, 255]` for other `uint8`. Of a quantised input these are the numbers that its integers stand
   * for, as `mean` and `std` are.
   */
  range?: readonly [number, number] | undefined;
  /** Subtracted then; one number, or one a channel in their order. Default 0. */
  mean?: number | readonly number[] | undefined;
  /** Divides then; as `mean`. Default 1. */
  std?: number | readonly number[] | undefined;
  /**
   * `stretch` (the default) changes proportions, `cover` cuts what is too much on two sides, `contain`
   * adds `background` on two sides.
   */
  resize?: "stretch" | "cover" | "contain" | undefined;
  /** Average what a pixel of a smaller picture covers; default false: take its four neighbours. */
  antialias?: boolean | undefined;
  /** Red, green and blue, 0 to 255, behind what is transparent or missing; default black. */
  background?: readonly [number, number, number] | undefined;
  /**
   * Width and height where the model leaves them open; default: the picture's own. If one is known the
   * other follows from the picture's proportions.
   */
  width?: number | undefined;
  height?: number | undefined;
}

/** Pixels as an input. */
export interface PixelInput extends PixelOptions {
  source: PixelSource;
}

/** Pixels that lie in memory: four bytes each, red, green, blue and alpha. */
export interface RawPixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** What pixels cross the port as. */
export type PixelImage = ImageBitmap | VideoFrame | Blob | ImageData | RawPixels;

/** How pixels become a tensor, as far as that is known before their number is. */
export interface PixelPlan {
  /** The input's name. */
  input: string;
  dtype: string;
  layout: PixelLayout;
  order: "rgb" | "bgr" | "gray";
  /** A channel's value, 0 to 255, is multiplied by this … */
  scale: number[];
  /** … and then this is added. */
  offset: number[];
  resize: "stretch" | "cover" | "contain";
  antialias: boolean;
  background: readonly [number, number, number];
  /** `null`: the picture's. */
  width: number | null;
  height: number | null;
}

/** Names of the options. */
export const PIXEL_OPTIONS: readonly (keyof PixelOptions)[] = [
  "layout",
  "order",
  "range",
  "mean",
  "std",
  "resize",
  "antialias",
  "background",
  "width",
  "height",
];

const KNOWN: ReadonlySet<string> = new Set<keyof PixelInput>(["source", ...PIXEL_OPTIONS]);
const KINDS: ReadonlySet<string> = new Set([
  "ImageBitmap",
  "ImageData",
  "VideoFrame",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "HTMLImageElement",
  "HTMLVideoElement",
  "Blob",
  "File",
]);
const LAYOUTS: ReadonlySet<unknown> = new Set(["nchw", "nhwc", "chw", "hwc", "nhw", "hw"]);
const RESIZES: ReadonlySet<unknown> = new Set(["stretch", "cover", "contain"]);
const ORDERS: ReadonlySet<unknown> = new Set(["rgb", "bgr", "gray"]);

/** What black and white are in a type of elements; `null`: that hangs on the model. */
const RANGES: Record<string, readonly [number, number] | null> = {
  float16: [0, 1],
  float32: [0, 1],
  float64: [0, 1],
  uint8: [0, 255],
  int8: null,
  int16: null,
  uint16: null,
  int32: null,
};

/** The least and largest of a byte, which is what a quantised picture's black and white are. */
const BYTES: Record<string, readonly [number, number]> = { uint8: [0, 255], int8: [-128, 127] };

/** The class of an object, also of one that comes from another frame. */
export function kindOf(given: unknown): string {
  return Object.prototype.toString.call(given).slice(8, -1);
}

/** Whether this has pixels. */
export function isPixels(given: unknown): given is PixelSource {
  return typeof given === "object" && given !== null && KINDS.has(kindOf(given));
}

/** Whether this is pixels and how to take them. */
export function isPixelInput(given: unknown): given is PixelInput {
  return typeof given === "object" && given !== null && "source" in given;
}

/** The value of an input that is given as pixels. */
export function pixelValue(port: PortInfo, given: PixelSource | PixelInput): WireValue {
  const { source, ...options } = isPixels(given) ? { source: given } : given;
  if (!isPixels(source)) {
    throw invalidInput(
      port.name,
      "needs `source`: an ImageBitmap, ImageData, VideoFrame, canvas, image, video or Blob",
    );
  }
  const plan = planOf(port, options);
  const empty = emptiness(source);
  if (empty) throw invalidInput(port.name, empty);
  return { kind: "pixels", image: source as PixelImage, plan };
}

/** How pixels become this input. */
function planOf(port: PortInfo, options: PixelOptions): PixelPlan {
  const { name, shape } = port;
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) throw invalidInput(name, `has pixels with the unknown option ${key}`);
  }
  const one = (key: string, value: unknown, of: ReadonlySet<unknown>): void => {
    if (value === undefined || of.has(value)) return;
    throw invalidInput(name, `has pixels whose \`${key}\` is none of ${[...of].join(", ")}`);
  };
  one("layout", options.layout, LAYOUTS);
  one("order", options.order, ORDERS);
  one("resize", options.resize, RESIZES);
  const layout = options.layout ?? layoutOf(port);
  if (shape && shape.length !== layout.length) {
    throw invalidInput(name, `has the shape ${shown(port)}, which is not ${layout}`);
  }
  const dim = (letter: string): number | undefined => {
    const at = layout.indexOf(letter);
    const found = at < 0 ? 1 : shape?.[at];
    return typeof found === "number" ? found : undefined;
  };
  if ((dim("n") ?? 1) !== 1) {
    throw invalidInput(name, `takes ${dim("n")} pictures at once: give a tensor`);
  }
  const channels = dim("c");
  const order = options.order ?? (channels === 1 ? "gray" : "rgb");
  const count = order === "gray" ? 1 : 3;
  if ((channels ?? count) !== count) {
    throw invalidInput(name, `has ${channels} channels, and ${order} pixels have ${count}`);
  }
  const size = (key: "width" | "height"): number | null => {
    const asked = options[key];
    if (asked !== undefined && !(Number.isInteger(asked) && asked > 0)) {
      throw invalidInput(name, `has pixels whose \`${key}\` is no whole number above 0`);
    }
    const fixed = dim(key.charAt(0));
    if (fixed !== undefined && (fixed === 0 || (asked ?? fixed) !== fixed)) {
      throw invalidInput(name, `has the shape ${shown(port)}, in which \`${key}\` is ${fixed}`);
    }
    return fixed ?? asked ?? null;
  };
  const { dtype, scale, offset } = valuesOf(port, options, count);
  return {
    input: name,
    dtype,
    layout,
    order,
    scale,
    offset,
    resize: options.resize ?? "stretch",
    antialias: options.antialias === true,
    background: backgroundOf(name, options.background),
    width: size("width"),
    height: size("height"),
  };
}

/** The layout that the model's shape tells. */
function layoutOf(port: PortInfo): PixelLayout {
  const { shape } = port;
  const few = (at: number): boolean => shape?.[at] === 1 || shape?.[at] === 3;
  const rank = shape?.length;
  if (rank === 2) return "hw";
  const [first, last] = rank === 4 ? [1, 3] : [0, 2];
  if ((rank === 3 || rank === 4) && few(first) !== few(last)) {
    if (few(first)) return rank === 4 ? "nchw" : "chw";
    return rank === 4 ? "nhwc" : "hwc";
  }
  throw invalidInput(
    port.name,
    `has the shape ${shown(port)}, which does not tell where the channels are: give \`layout\``,
  );
}

function shown({ shape }: PortInfo): string {
  return shape ? `[${shape.map((dim) => dim || "?").join(", ")}]` : "[…]";
}

/** The element type, and how a byte becomes an element. */
function valuesOf(
  port: PortInfo,
  { range, mean, std }: PixelOptions,
  channels: number,
): Pick<PixelPlan, "dtype" | "scale" | "offset"> {
  const { name } = port;
  const dtype = port.dtype ?? "float32";
  const usual = RANGES[dtype];
  if (usual === undefined) throw invalidInput(name, `is of ${dtype}, which no pixels are`);
  // Without a scale an integer stands for itself.
  const { scale: unit, zeroPoint: zero } = port.quantization ?? { scale: 1, zeroPoint: 0 };
  const bytes = port.quantization && BYTES[dtype];
  const all = bytes?.map((byte) => (byte - zero) * unit);
  const [black, white] = pair(name, range) ?? all ?? usual ?? [];
  if (black === undefined || white === undefined) {
    const hint = dtype === "int8" ? ", for example [-128, 127]" : "";
    throw invalidInput(
      name,
      `is of ${dtype}: give \`range\`, what black and white are in it${hint}`,
    );
  }
  const means = perChannel(name, "mean", mean ?? 0, channels);
  const divisors = perChannel(name, "std", std ?? 1, channels);
  if (divisors.includes(0)) throw invalidInput(name, "has pixels whose `std` is 0");
  return {
    dtype,
    scale: divisors.map((by) => (white - black) / 255 / by / unit),
    offset: divisors.map((by, at) => (black - (means[at] ?? 0)) / by / unit + zero),
  };
}

function pair(name: string, range: unknown): readonly [number, number] | undefined {
  if (range === undefined) return undefined;
  if (Array.isArray(range) && range.length === 2 && range.every(Number.isFinite)) {
    return range as unknown as readonly [number, number];
  }
  throw invalidInput(name, "has pixels whose `range` is not two numbers");
}

function perChannel(name: string, key: string, given: unknown, channels: number): number[] {
  const list: unknown[] = Array.isArray(given) ? given : Array<unknown>(channels).fill(given);
  if (list.length === channels && list.every(Number.isFinite)) return list as number[];
  throw invalidInput(name, `has pixels whose \`${key}\` is neither a number nor ${channels}`);
}

function backgroundOf(name: string, given: unknown): readonly [number, number, number] {
  if (given === undefined) return [0, 0, 0];
  const byte = (one: unknown): boolean => typeof one === "number" && one >= 0 && one <= 255;
  if (Array.isArray(given) && given.length === 3 && given.every(byte)) {
    return given as unknown as readonly [number, number, number];
  }
  throw invalidInput(name, "has pixels whose `background` is not three numbers from 0 to 255");
}

/** Why a source has no pixels, if so. */
function emptiness(source: PixelSource): string | undefined {
  const {
    width = 1,
    height = 1,
    codedWidth = 1,
    naturalWidth = 1,
    complete = true,
    readyState = 4,
    size = 1,
  } = source as unknown as Record<string, number | boolean | undefined>;
  switch (kindOf(source)) {
    case "HTMLImageElement":
      return complete && naturalWidth ? undefined : "is an image that is not loaded";
    case "HTMLVideoElement":
      return Number(readyState) >= 2 ? undefined : "is a video that has no frame yet";
    case "VideoFrame":
      return codedWidth ? undefined : "is a video frame that was closed";
    case "ImageBitmap":
      return width ? undefined : "is an image that was closed";
    case "Blob":
    case "File":
      return size ? undefined : "is a file of no bytes";
    default:
      return width && height ? undefined : "has no pixels";
  }
}

/** Inputs as they can be sent, and what of them is handed over. */
export interface Sendable {
  inputs: WireNamed[];
  transfer: Transferable[];
}

/** Whether there are pixels among the inputs. */
export function hasPixels(inputs: readonly WireNamed[]): boolean {
  const has = (value: WireValue): boolean =>
    value.kind === "pixels" || (value.kind === "sequence" && value.values.some(has));
  return inputs.some(({ value }) => has(value));
}

/** The inputs with their pixels changed, all at the same time. */
export async function eachPixels(
  inputs: readonly WireNamed[],
  change: (value: WirePixels) => Promise<WireValue>,
): Promise<WireNamed[]> {
  const changed = async (value: WireValue): Promise<WireValue> => {
    if (value.kind === "pixels") return change(value);
    if (value.kind !== "sequence") return value;
    return { kind: "sequence", values: await Promise.all(value.values.map(changed)) };
  };
  return Promise.all(
    inputs.map(async ({ name, value }) => ({ name, value: await changed(value) })),
  );
}

type WirePixels = Extract<WireValue, { kind: "pixels" }>;

/** Takes what the sources show now, by the time that it returns, in a form that can be sent. */
export async function sendable(inputs: readonly WireNamed[]): Promise<Sendable> {
  const transfer: Transferable[] = [];
  const taken = await eachPixels(inputs, async (value) => {
    const image = await snapshot(value.image, value.plan.input);
    if (image !== value.image) transfer.push(image as ImageBitmap);
    return { ...value, image };
  });
  return { inputs: taken, transfer };
}

async function snapshot(source: PixelImage, input: string): Promise<PixelImage> {
  const kind = kindOf(source);
  // Copied when they are sent: bytes, and what stands for bytes.
  if (kind === "ImageData" || kind === "Blob" || kind === "File") return source;
  try {
    if (kind === "VideoFrame") return (source as VideoFrame).clone();
    return await createImageBitmap(source as ImageBitmap);
  } catch (cause) {
    throw invalidInput(input, "has pixels that cannot be taken", cause);
  }
}

/** Frees what was taken, if it is still here. */
export function release({ transfer }: Sendable): void {
  for (const one of transfer) (one as { close?(): void }).close?.();
}
