import { invalidInput, SidestageError } from "./errors.js";
import {
  isPixelInput,
  isPixels,
  type PixelInput,
  type PixelSource,
  pixelValue,
} from "./pixels.js";
import type { ModelInfo, PortInfo } from "./protocol.js";
import type { WireNamed, WireValue } from "./wire.js";

/** Types of elements, as NumPy names them. */
export type TensorType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
  | "bool";

/** The elements of a tensor. `bool` is a byte each; `float16` and `bfloat16` are their bits. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Uint8ClampedArray
  | BigInt64Array
  | BigUint64Array;

/** A tensor: elements, row-major, and dimensions, outermost first. */
export interface Tensor {
  data: TensorData;
  shape: readonly number[];
  dtype: TensorType;
}

/** Numbers in nested arrays, of which all at one depth have one length. */
export type NestedNumbers = number | bigint | boolean | readonly NestedNumbers[];

/**
 * What an input may be given as: a tensor, whose `dtype` is that of `data` or the model's; elements
 * alone, where the model's shape has at most one free dimension; or nested arrays of numbers.
 */
export type TensorInput =
  | {
      data: TensorData | readonly (number | bigint | boolean)[];
      shape: readonly number[];
      dtype?: TensorType | undefined;
    }
  | TensorData
  | NestedNumbers;

/** A tensor, or pixels that become one. */
type OneInput = TensorInput | PixelSource | PixelInput;

/** An input: a tensor or pixels, several for a sequence, or `null` for an optional one. */
export type RunInput = OneInput | readonly OneInput[] | null;

/** An output: a tensor, a sequence of outputs, or `null` where an optional one is not there. */
export type RunOutput = Tensor | RunOutput[] | null;

type Constructor = new (buffer: ArrayBuffer) => TensorData;

const ARRAYS: Record<TensorType, Constructor> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Types that arrays of another type hold too. */
const ALSO: Record<string, readonly TensorType[]> = {
  uint8: ["bool"],
  uint16: ["float16", "bfloat16"],
};

const NAMES: Record<string, TensorType> = {
  Float16Array: "float16",
  Float32Array: "float32",
  Float64Array: "float64",
  Int8Array: "int8",
  Int16Array: "int16",
  Int32Array: "int32",
  BigInt64Array: "int64",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
  Uint16Array: "uint16",
  Uint32Array: "uint32",
  BigUint64Array: "uint64",
};

/** The inputs of a run, given by name, as the worker gets them. */
export function wireInputs(
  info: ModelInfo,
  given: Readonly<Record<string, RunInput>>,
): WireNamed[] {
  return Object.entries(given).map(([name, value]) => {
    const port = info.inputs.find((one) => one.name === name);
    if (!port) throw unknownInput(info, name);
    return { name, value: wireValue(port, value) };
  });
}

function unknownInput(info: ModelInfo, name: string): SidestageError {
  if (info.inputs.length === 0) {
    return new SidestageError("TASK_UNSUPPORTED", "the model is not run as a graph", {
      hint: 'Use generateText or streamText; an ONNX decoder is run if loaded with task: "run".',
    });
  }
  const names = info.inputs.map((one) => one.name).join(", ");
  return new SidestageError(
    "INPUT_INVALID",
    `the model has no input ${name}; it takes: ${names}`,
    {
      hint: "`model.inputs` has the names, types and shapes.",
      detail: { input: name },
    },
  );
}

/** The value of an input as the worker gets it. */
function wireValue(port: PortInfo, given: RunInput): WireValue {
  if (given === null) return { kind: "nothing" };
  if (port.kind === "sequence" || (port.kind === "optional" && isListOfTensors(given))) {
    if (!Array.isArray(given)) throw invalid(port, "must be an array of tensors");
    const values = (given as readonly OneInput[]).map((one) => wireValue(bare(port), one));
    return { kind: "sequence", values };
  }
  if (isPixels(given) || isPixelInput(given)) return pixelValue(port, given);
  return wireTensor(port, given as TensorInput);
}

function wireTensor(port: PortInfo, given: TensorInput): WireValue {
  if (isElements(given)) return tensor(port, given, shapeOf(port, given.length), undefined);
  if (typeof given === "object" && !Array.isArray(given)) {
    const { data, shape, dtype } = given as Exclude<TensorInput, NestedNumbers | TensorData>;
    if (!Array.isArray(shape) || !shape.every((dim) => Number.isInteger(dim) && dim >= 0)) {
      throw invalid(port, "needs `shape`, an array of whole numbers");
    }
    if (dtype !== undefined && !(dtype in ARRAYS)) {
      throw invalid(port, `has the dtype ${String(dtype)}, which there is not`);
    }
    if (isElements(data)) return tensor(port, data, shape, dtype);
    if (!Array.isArray(data)) throw invalid(port, "needs `data`, a typed array or an array");
    return numbers(port, data, shape, dtype);
  }
  const shape: number[] = [];
  const flat: unknown[] = [];
  flatten(port, given, 0, shape, flat);
  return numbers(port, flat, shape, undefined);
}

function tensor(
  port: PortInfo,
  data: TensorData,
  shape: readonly number[],
  asked: TensorType | undefined,
): WireValue {
  const own = NAMES[data.constructor.name] ?? "uint8";
  const wanted = asked ?? (port.dtype as TensorType | null) ?? own;
  // Whole numbers of 32 bits are the same in 64.
  if (data instanceof Int32Array && wanted === "int64" && asked === undefined) {
    return elements(shape, "int64", BigInt64Array.from(data, BigInt));
  }
  const fits = wanted === own || (ALSO[own]?.includes(wanted) ?? false);
  if (!fits && asked !== undefined) {
    throw invalid(port, `has the dtype ${asked}, yet its data is of ${own}`);
  }
  return elements(shape, fits ? wanted : own, data);
}

function numbers(
  port: PortInfo,
  list: readonly unknown[],
  shape: readonly number[],
  asked: TensorType | undefined,
): WireValue {
  const dtype = asked ?? (port.dtype as TensorType | null) ?? "float32";
  if (dtype === "float16" || dtype === "bfloat16") {
    throw invalid(port, `is of ${dtype}: give its bits as a Uint16Array`);
  }
  const big = dtype === "int64" || dtype === "uint64";
  try {
    const all = list.map((one) => (big ? BigInt(one as number) : Number(one)));
    const Elements = ARRAYS[dtype] as unknown as { from(all: unknown[]): TensorData };
    return elements(shape, dtype, Elements.from(all));
  } catch (cause) {
    throw invalid(port, `has what is no number of ${dtype}`, cause);
  }
}

function elements(shape: readonly number[], dtype: TensorType, data: TensorData): WireValue {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { kind: "tensor", dtype, shape: [...shape], data: bytes as Uint8Array<ArrayBuffer> };
}

/** The shape of so many elements, where the model leaves at most one dimension open. */
function shapeOf(port: PortInfo, count: number): number[] {
  if (!port.shape) throw invalid(port, "has no fixed shape: give `{ data, shape }`");
  const fixed = port.shape.filter((dim) => typeof dim === "number");
  const known = fixed.reduce((all, dim) => all * dim, 1);
  const free = port.shape.length - fixed.length;
  // The batch is the first, and one where it is not said.
  const rest = known > 0 ? count / known : 0;
  if (free > 1 || !Number.isInteger(rest)) {
    const shape = port.shape.map((dim) => dim || "?").join(", ");
    throw invalid(
      port,
      `has the shape [${shape}], which ${count} elements do not tell: give \`{ data, shape }\``,
    );
  }
  return port.shape.map((dim) => (typeof dim === "number" ? dim : rest));
}

function flatten(
  port: PortInfo,
  given: unknown,
  depth: number,
  shape: number[],
  flat: unknown[],
): void {
  if (!Array.isArray(given)) {
    if (depth !== shape.length) throw invalid(port, "has arrays of different depths");
    flat.push(given);
    return;
  }
  if (flat.length === 0 && depth === shape.length) shape.push(given.length);
  if (shape[depth] !== given.length) throw invalid(port, "has arrays of different lengths");
  for (const one of given) flatten(port, one, depth + 1, shape, flat);
}

/** The tensors of what came from the worker. */
export function outputOf(value: WireValue): RunOutput {
  switch (value.kind) {
    case "nothing":
    case "pixels":
      return null;
    case "sequence":
      return value.values.map(outputOf);
    case "tensor": {
      const dtype = value.dtype as TensorType;
      const Elements = ARRAYS[dtype] ?? Uint8Array;
      return { data: new Elements(value.data.buffer), shape: value.shape, dtype };
    }
  }
}

function isElements(given: unknown): given is TensorData {
  return ArrayBuffer.isView(given) && !(given instanceof DataView);
}

function isListOfTensors(given: unknown): boolean {
  return (
    Array.isArray(given) && given.some((one) => typeof one === "object" && !Array.isArray(one))
  );
}

function bare(port: PortInfo): PortInfo {
  return { ...port, kind: "tensor" };
}

function invalid(port: PortInfo, problem: string, cause?: unknown): SidestageError {
  return invalidInput(port.name, problem, cause);
}
