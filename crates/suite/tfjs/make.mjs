// Writes cases.json: small models, and what TensorFlow.js computes with them.
//   npm install @tensorflow/tfjs@4.22.0 && node make.mjs
import * as tf from "@tensorflow/tfjs";
import { writeFileSync } from "node:fs";

await tf.setBackend("cpu");
let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const size = (shape) => shape.reduce((a, b) => a * b, 1);
/** A tensor of small numbers that halves have, too. */
const some = (shape, least = -2, most = 2) => ({
  shape,
  dtype: "float32",
  data: Array.from({ length: size(shape) }, () => Math.round((least + random() * (most - least)) * 64) / 64),
});
const ints = (data, shape = [data.length]) => ({ shape, dtype: "int32", data });
const bools = (data, shape = [data.length]) => ({ shape, dtype: "bool", data });
const one = (value, dtype = "int32") => ({ shape: [], dtype, data: [value] });
const fixed = (tensor) => ({ ...tensor, fixed: true });
/** A constant of a function. */
const inside = (tensor) => ({ ...tensor, fixed: true, inner: true });
const types = { float32: "DT_FLOAT", int32: "DT_INT32", bool: "DT_BOOL" };
const text = (value) => ({ s: Buffer.from(value).toString("base64") });
const texts = (...all) => ({ list: { s: all.map((one) => text(one).s) } });
const list = (...all) => ({ list: { i: all.map(String) } });
const int = (value) => ({ i: String(value) });
const float = (value) => ({ f: value });
const yes = { b: true };
const type = (dtype) => ({ type: types[dtype] });
const shape = (...dims) => ({ shape: { dim: dims.map((dim) => ({ size: String(dim) })) } });
const func = (name) => ({ func: { name } });

const cases = [];
const bytes = ({ dtype, data }) => {
  const array = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype].from(data);
  return Buffer.from(array.buffer);
};
const node = (name, op, input = [], attr = {}) => ({ name, op, input, attr });

/** A graph: `given` are its placeholders and constants by name. */
async function graph(name, given, nodes, outputs, library) {
  const [head, specs, parts] = [[], [], []];
  for (const [key, tensor] of Object.entries(given)) {
    const attr = { dtype: type(tensor.dtype), shape: shape(...tensor.shape) };
    if (!tensor.inner) head.push(node(key, tensor.fixed ? "Const" : "Placeholder", [], attr));
    if (tensor.fixed) {
      specs.push({ name: key, shape: tensor.shape, dtype: tensor.dtype });
      parts.push(bytes(tensor));
    }
  }
  const modelTopology = { node: [...head, ...nodes], library, versions: { producer: 1 } };
  const weightData = Uint8Array.from(Buffer.concat(parts)).buffer;
  const load = tf.io.fromMemory({ modelTopology, weightSpecs: specs, weightData });
  let results;
  const fed = {};
  for (const [key, tensor] of Object.entries(given)) {
    if (!tensor.fixed) fed[key] = tf.tensor(tensor.data, tensor.shape, tensor.dtype);
  }
  try {
    const model = await tf.loadGraphModel(load);
    results = await model.executeAsync(fed, outputs);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    return;
  }
  results = Array.isArray(results) ? results : [results];
  const signature = { inputs: {}, outputs: {} };
  for (const key of Object.keys(fed)) signature.inputs[key] = { name: `${key}:0` };
  for (const key of outputs) signature.outputs[key] = { name: key.includes(":") ? key : `${key}:0` };
  await keep(name, { modelTopology, signature }, specs, weightData, Object.keys(fed).map((k) => given[k]), results);
}

async function keep(name, model, specs, weightData, inputs, results) {
  cases.push({
    name,
    // A text: the order of its members counts.
    model: JSON.stringify({ ...model, weightsManifest: [{ paths: ["weights.bin"], weights: specs }] }),
    weights: Buffer.from(weightData).toString("base64"),
    inputs: inputs.map(({ shape, dtype, data }) => ({ shape, dtype, data })),
    outputs: await Promise.all(
      results.map(async (one) => ({
        shape: one.shape,
        dtype: one.dtype,
        data: Array.from(await one.data(), (x) => (Number.isFinite(x) ? Number(x.toPrecision?.(9) ?? x) : String(x))),
      })),
    ),
  });
}

/** One operator; `count` are its results. */
async function op(op, given, attr = {}, count = 1, name = op) {
  const inputs = given.map((_, at) => `x${at}`);
  const named = Object.fromEntries(given.map((tensor, at) => [`x${at}`, tensor]));
  const outputs = Array.from({ length: count }, (_, at) => (at ? `y:${at}` : "y"));
  await graph(name, named, [node("y", op, inputs, attr)], outputs);
}

const x = some([2, 3, 4]);
const positive = some([2, 5], 0.1, 3);
for (const name of ["Abs", "Neg", "Sign", "Ceil", "Floor", "Round", "Exp", "Expm1", "Relu", "Relu6", "Elu", "Selu",
  "Sigmoid", "Softplus", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Tanh", "Asinh", "Atan", "Erf", "Square", "Softmax",
  "LogSoftmax", "IsNan", "IsInf", "IsFinite", "ZerosLike", "OnesLike", "Rank", "Size", "Shape", "Identity"]) {
  await op(name, [x]);
}
for (const name of ["Sqrt", "Rsqrt", "Log", "Log1p", "Reciprocal"]) await op(name, [positive]);
for (const name of ["Asin", "Acos", "Atanh"]) await op(name, [some([7], -0.9, 0.9)]);
await op("Acosh", [some([7], 1.1, 4)]);
await op("LeakyRelu", [x], { alpha: float(0.1) });
await op("ClipByValue", [x, fixed(one(-1, "float32")), fixed(one(0.5, "float32"))]);
await op("Prelu", [x, fixed(some([4]))]);
for (const name of ["Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "SquaredDifference", "Greater",
  "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "Atan2"]) {
  await op(name, [x, fixed(some([3, 1], 0.5, 2))]);
}
const [a, b] = [ints([-7, 7, -7, 7, 0, 5]), ints([2, -2, -2, 2, 3, 5])];
for (const name of ["Add", "Sub", "Mul", "Div", "RealDiv", "FloorDiv", "FloorMod", "Mod", "Maximum", "Minimum", "Equal",
  "SquaredDifference"]) {
  await op(name, [a, b], {}, 1, `${name} of integers`);
}
await op("FloorMod", [some([9]), some([9], 0.5, 1)]);
await op("FloorDiv", [some([9]), some([9], 0.5, 1)]);
await op("Pow", [positive, fixed(some([5], 0, 3))]);
await op("DivNoNan", [some([3]), { shape: [3], dtype: "float32", data: [0, 2, -1] }]);
await op("AddN", [x, x, some([2, 3, 4])]);
await op("BiasAdd", [x, fixed(some([4]))]);
await op("LogicalAnd", [bools([0, 1, 0, 1]), bools([0, 0, 1, 1])]);
await op("LogicalOr", [bools([0, 1, 0, 1]), bools([0, 0, 1, 1])]);
await op("LogicalNot", [bools([0, 1])]);
await op("Select", [bools([1, 0, 1]), some([3]), some([3])]);
await op("SelectV2", [bools([1, 0, 1], [3, 1]), some([3, 2]), some([1])]);
await op("Cast", [some([6])], { SrcT: type("float32"), DstT: type("int32") });
await op("Cast", [ints([0, 3])], { SrcT: type("int32"), DstT: type("bool") }, 1, "Cast to bool");
for (const name of ["Max", "Mean", "Min", "Sum", "Prod", "EuclideanNorm"]) {
  await op(name, [x, fixed(ints([0, 2]))], { keep_dims: yes });
  await op(name, [x, fixed(ints([-1]))], {}, 1, `${name} of the last axis`);
}
await op("Any", [bools([0, 0, 1, 0], [2, 2]), fixed(ints([1]))]);
await op("All", [bools([1, 1, 1, 0], [2, 2]), fixed(ints([1]))]);
await op("ArgMax", [x, fixed(one(1))]);
await op("ArgMin", [x, fixed(one(-1))]);
await op("Cumsum", [x, fixed(one(1))], { exclusive: yes, reverse: yes });
await op("Cumprod", [x, fixed(one(2))]);
await op("TopKV2", [some([2, 6]), fixed(one(3))], { sorted: yes }, 2);
await op("OneHot", [ints([1, 4, 0, -1]), fixed(one(3)), fixed(one(5, "float32")), fixed(one(-1, "float32"))], { axis: int(-1), T: type("float32") });
await op("Unique", [ints([3, 1, 3, 2, 1])], {}, 2);
await op("ListDiff", [ints([1, 2, 3, 4]), ints([3, 1])], {}, 2);
await op("Where", [bools([1, 0, 1, 1, 0, 0], [2, 3])]);
await op("MatrixBandPart", [some([3, 4]), fixed(one(1)), fixed(one(0))]);
await op("LowerBound", [some([1, 1]), some([1, 3])]);
await op("DenseBincount", [ints([1, 1, 3]), fixed(one(4)), fixed(some([0]))]);

// Shapes.
await op("Reshape", [x, fixed(ints([4, -1]))]);
await op("Squeeze", [some([1, 3, 1, 2])], { squeeze_dims: list(2) });
await op("ExpandDims", [x, fixed(one(-2))]);
await op("Fill", [fixed(ints([2, 2])), one(7, "float32")]);
await op("Range", [fixed(one(1)), fixed(one(9)), fixed(one(3))], { Tidx: type("int32") });
await op("LinSpace", [fixed(one(1, "float32")), fixed(one(2, "float32")), fixed(one(5))]);
await op("Transpose", [x, fixed(ints([2, 0, 1]))]);
await op("Tile", [x, fixed(ints([1, 2, 1]))]);
await op("BroadcastTo", [some([3, 1]), fixed(ints([2, 3, 2]))]);
await op("Slice", [x, fixed(ints([0, 1, 1])), fixed(ints([2, -1, 2]))]);
const strided = (bits) => Object.fromEntries(["begin", "end", "ellipsis", "new_axis", "shrink_axis"].map((k, i) => [`${k}_mask`, int(bits[i])]));
await op("StridedSlice", [some([4, 5]), fixed(ints([1, 4])), fixed(ints([4, 0])), fixed(ints([2, -2]))], strided([0, 0, 0, 0, 0]));
await op("StridedSlice", [some([4, 5, 3]), fixed(ints([-1, 0, 1])), fixed(ints([0, 0, 2])), fixed(ints([1, 1, 1]))], strided([0, 0, 2, 0, 1]), 1, "StridedSlice that shrinks");
await op("StridedSlice", [some([4, 5]), fixed(ints([0, 1, 0])), fixed(ints([0, 3, 0])), fixed(ints([1, 1, 1]))], strided([4, 4, 0, 1, 0]), 1, "StridedSlice with a new axis");
await op("ConcatV2", [some([2, 1]), some([2, 3]), fixed(one(1))], { N: int(2) });
await op("Pack", [some([2, 3]), some([2, 3])], { axis: int(1), N: int(2) });
await op("Unpack", [some([3, 2])], { axis: int(1), num: int(2) }, 2);
await op("Split", [fixed(one(1)), some([2, 6])], { num_split: int(3) }, 3);
await op("SplitV", [some([2, 6]), fixed(ints([1, 2, 3])), fixed(one(1))], { num_split: int(3) }, 3);
await op("Pad", [some([2, 3]), fixed(ints([1, 0, 2, 1], [2, 2]))]);
await op("PadV2", [some([2, 3]), fixed(ints([1, 0, 2, 1], [2, 2])), fixed(one(9, "float32"))]);
for (const mode of ["REFLECT", "SYMMETRIC"]) {
  await op("MirrorPad", [some([3, 3]), fixed(ints([1, 1, 2, 1], [2, 2]))], { mode: text(mode) }, 1, `MirrorPad ${mode}`);
}
await op("ReverseV2", [x, fixed(ints([0, 2]))]);
await op("GatherV2", [x, ints([2, 0, 1], [3]), fixed(one(1))], { batch_dims: int(0) });
await op("GatherV2", [some([2, 3, 2]), ints([2, 0, 1, 1], [2, 2]), fixed(one(1))], { batch_dims: int(1) }, 1, "GatherV2 of a batch");
await op("GatherNd", [x, ints([1, 2, 0, 0], [2, 2])]);
await op("ScatterNd", [ints([1, 3, 1], [3, 1]), some([3, 2]), fixed(ints([4, 2]))]);
await op("TensorScatterUpdate", [some([4, 2]), ints([1, 3], [2, 1]), some([2, 2])]);
await op("SparseToDense", [ints([1, 3]), fixed(ints([5])), some([2]), fixed(one(-1, "float32"))]);
await op("SpaceToBatchND", [some([2, 4, 3, 2]), fixed(ints([2, 2])), fixed(ints([0, 0, 1, 0], [2, 2]))]);
await op("BatchToSpaceND", [some([8, 2, 2, 1]), fixed(ints([2, 2])), fixed(ints([0, 1, 1, 0], [2, 2]))]);
await op("DepthToSpace", [some([1, 2, 3, 8])], { block_size: int(2), data_format: text("NHWC") });

// Windows, products, norms, images.
const windows = (padding, stride = 1, dilation = 1) => ({
  strides: list(1, stride, stride, 1), dilations: list(1, dilation, dilation, 1), padding: text(padding), data_format: text("NHWC"),
});
const image = some([2, 7, 6, 3]);
for (const [padding, stride, dilation] of [["SAME", 2, 1], ["VALID", 1, 2], ["SAME", 1, 1]]) {
  const name = `${padding} ${stride} ${dilation}`;
  await op("Conv2D", [image, fixed(some([3, 2, 3, 5]))], windows(padding, stride, dilation), 1, `Conv2D ${name}`);
  await op("DepthwiseConv2dNative", [image, fixed(some([3, 3, 3, 2]))], windows(padding, stride, dilation), 1, `DepthwiseConv2dNative ${name}`);
}
const explicit = { ...windows("EXPLICIT"), explicit_paddings: list(0, 0, 1, 2, 0, 1, 0, 0) };
await op("Conv2D", [image, fixed(some([3, 2, 3, 5]))], explicit, 1, "Conv2D EXPLICIT");
for (const [name, ...more] of [["Relu"], ["Relu6"], ["Elu"], ["Prelu", fixed(some([4]))], ["Sigmoid"], ["LeakyRelu"]]) {
  const attr = { ...windows("SAME"), fused_ops: texts("BiasAdd", name), num_args: int(1 + more.length), leakyrelu_alpha: float(0.3) };
  const given = [image, fixed(some([3, 3, 3, 4])), fixed(some([4])), ...more];
  await op("_FusedConv2D", given, attr, 1, `_FusedConv2D ${name}`);
}
await op("FusedDepthwiseConv2dNative", [image, fixed(some([3, 3, 3, 1])), fixed(some([3]))],
  { ...windows("SAME", 2), fused_ops: texts("BiasAdd", "Relu6"), num_args: int(1) });
await op("Conv1D", [some([1, 8, 2]), fixed(some([3, 2, 4]))], { stride: int(2), padding: text("SAME"), data_format: text("NWC"), dilation: int(1) });
await op("Conv3D", [some([1, 4, 5, 3, 2]), fixed(some([2, 3, 2, 2, 3]))],
  { strides: list(1, 1, 2, 1, 1), dilations: list(1, 1, 1, 1, 1), padding: text("SAME"), data_format: text("NDHWC") });
await op("Conv2DBackpropInput", [fixed(ints([1, 8, 8, 3])), fixed(some([3, 3, 3, 2])), some([1, 4, 4, 2])], windows("SAME", 2));
await op("Conv2DBackpropInput", [fixed(ints([1, 9, 9, 3])), fixed(some([3, 3, 3, 2])), some([1, 4, 4, 2])], windows("VALID", 2), 1, "Conv2DBackpropInput VALID");
for (const name of ["MaxPool", "AvgPool"]) {
  await op(name, [image], { ...windows("SAME", 2), ksize: list(1, 3, 2, 1) });
  await op(name, [image], { ...windows("VALID", 1), ksize: list(1, 2, 2, 1) }, 1, `${name} VALID`);
}
await op("MaxPoolWithArgmax", [image], { ...windows("SAME", 2), ksize: list(1, 2, 2, 1), include_batch_in_index: yes }, 2);
await op("AvgPool3D", [some([1, 4, 4, 4, 2])], { ksize: list(1, 2, 2, 2, 1), strides: list(1, 2, 2, 2, 1), padding: text("SAME") });
await op("MatMul", [some([3, 4]), fixed(some([5, 4]))], { transpose_b: yes });
await op("BatchMatMulV2", [some([2, 4, 3]), some([2, 4, 5])], { adj_x: yes });
await op("_FusedMatMul", [some([3, 4]), fixed(some([4, 5])), fixed(some([5]))], { fused_ops: texts("BiasAdd", "Relu"), num_args: int(1) });
await op("Einsum", [some([2, 3, 4]), some([4, 5])], { equation: text("bij,jk->bik"), N: int(2) });
await op("FusedBatchNormV3", [image, fixed(some([3])), fixed(some([3])), fixed(some([3])), fixed(some([3], 0.1, 2))], { epsilon: float(0.01), data_format: text("NHWC") });
await op("LRN", [some([1, 2, 2, 7])], { depth_radius: int(2), bias: float(1.5), alpha: float(0.5), beta: float(0.75) });
for (const [align, half] of [[false, false], [true, false], [false, true]]) {
  const attr = { align_corners: { b: align }, half_pixel_centers: { b: half } };
  for (const name of ["ResizeBilinear", "ResizeNearestNeighbor"]) {
    await op(name, [image, fixed(ints([5, 11]))], attr, 1, `${name} ${align} ${half}`);
  }
}
await op("CropAndResize", [image, { shape: [2, 4], dtype: "float32", data: [0.1, 0.2, 0.8, 0.9, 0, 0.5, 1.2, 0.7] }, ints([1, 0]), fixed(ints([3, 4]))],
  { method: text("bilinear"), extrapolation_value: float(7) });
const boxes = { shape: [6, 4], dtype: "float32", data: [0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101] };
const scores = { shape: [6], dtype: "float32", data: [0.9, 0.75, 0.6, 0.95, 0.5, 0.3] };
const choice = [fixed(one(4)), fixed(one(0.5, "float32")), fixed(one(0.35, "float32"))];
await op("NonMaxSuppressionV2", [boxes, scores, ...choice.slice(0, 2)]);
await op("NonMaxSuppressionV3", [boxes, scores, ...choice]);
await op("NonMaxSuppressionV4", [boxes, scores, ...choice], { pad_to_max_output_size: yes }, 2);
await op("NonMaxSuppressionV5", [boxes, scores, ...choice, fixed(one(0.5, "float32"))], {}, 2);

// Branches and loops.
const cond = (pred) => graph(`Switch and Merge, ${pred}`, { x: some([3]), p: bools([pred], []), two: fixed(one(2, "float32")) }, [
  node("s", "Switch", ["x", "p"]),
  node("st", "Identity", ["s:1"]),
  node("a", "Mul", ["s:1", "two"]),
  node("b", "Sub", ["s", "two"]),
  node("c", "Exp", ["b"]),
  node("m", "Merge", ["c", "a"]),
  node("y", "Neg", ["m"]),
], ["y"]);
await cond(0);
await cond(1);
await graph("A branch that is a constant", { x: some([]), p: bools([0], []), k: fixed(one(5, "float32")) }, [
  node("s", "Switch", ["x", "p"]),
  node("f", "Identity", ["s"]),
  node("kf", "Identity", ["k", "^f"]),
  node("m", "Merge", ["kf", "s:1"]),
  node("y", "Identity", ["m"]),
], ["y"]);
const frame = { frame_name: text("loop"), is_constant: { b: false } };
const loop = [
  node("ei", "Enter", ["zero"], frame), node("ex", "Enter", ["x"], frame),
  node("mi", "Merge", ["ei", "ni"]), node("mx", "Merge", ["ex", "nx"]),
  node("less", "Less", ["mi", "en"]), node("en", "Enter", ["n"], { ...frame, is_constant: yes }),
  node("lc", "LoopCond", ["less"]),
  node("si", "Switch", ["mi", "lc"]), node("sx", "Switch", ["mx", "lc"]),
  node("ii", "Identity", ["si:1"]), node("e1", "Enter", ["one"], { ...frame, is_constant: yes }), node("ai", "AddV2", ["ii", "e1"]),
  node("ix", "Identity", ["sx:1"]), node("eh", "Enter", ["half"], { ...frame, is_constant: yes }), node("ax", "Mul", ["ix", "eh"]),
  node("ni", "NextIteration", ["ai"]), node("nx", "NextIteration", ["ax"]),
  node("yi", "Exit", ["si"]), node("yx", "Exit", ["sx"]),
];
await graph("A loop of TensorFlow 1", { x: some([4]), n: one(5), zero: fixed(one(0)), one: fixed(one(1)), half: fixed(one(0.5, "float32")) }, loop, ["yx", "yi"]);
const arrayLoop = [
  node("ta", "TensorArrayV3", ["n"], { dtype: type("float32"), element_shape: shape(2), dynamic_size: { b: false }, clear_after_read: yes, identical_element_shapes: yes, tensor_array_name: text("a") }),
  node("ei", "Enter", ["zero"], frame), node("ef", "Enter", ["ta:1"], frame),
  node("mi", "Merge", ["ei", "ni"]), node("mf", "Merge", ["ef", "nf"]),
  node("en", "Enter", ["n"], { ...frame, is_constant: yes }), node("less", "Less", ["mi", "en"]), node("lc", "LoopCond", ["less"]),
  node("si", "Switch", ["mi", "lc"]), node("sf", "Switch", ["mf", "lc"]),
  node("e1", "Enter", ["one"], { ...frame, is_constant: yes }), node("ii", "Identity", ["si:1"]), node("ai", "AddV2", ["ii", "e1"]),
  node("eh", "Enter", ["ta"], { ...frame, is_constant: yes }), node("xx", "Enter", ["x"], { ...frame, is_constant: yes }),
  node("g", "GatherV2", ["xx", "ii", "ez"], { batch_dims: int(0) }), node("ez", "Enter", ["zero"], { ...frame, is_constant: yes }),
  node("w", "TensorArrayWriteV3", ["eh", "ii", "g", "sf:1"], { T: type("float32") }),
  node("ni", "NextIteration", ["ai"]), node("nf", "NextIteration", ["w"]),
  node("yf", "Exit", ["sf"]), node("yi", "Exit", ["si"]),
  node("r", "Range", ["zero", "n", "one"]),
  node("y", "TensorArrayGatherV3", ["ta", "r", "yf"], { dtype: type("float32"), element_shape: shape(2) }),
];
await graph("A loop that fills an array", { x: some([3, 2]), n: fixed(one(3)), zero: fixed(one(0)), one: fixed(one(1)) }, arrayLoop, ["y"]);
const argument = (name, dtype) => ({ name, type: types[dtype] });
const library = (...all) => ({ function: all.map(([name, inputs, outputs, nodeDef, ret]) => ({ signature: { name, inputArg: inputs, outputArg: outputs }, nodeDef, ret })) });
const [fi, fx] = [argument("i", "int32"), argument("v", "float32")];
await graph("StatelessWhile", { x: some([3]), zero: fixed(one(0)), lim: inside(one(4)), k: inside(one(1)) }, [
  node("w", "StatelessWhile", ["zero", "x"], { cond: func("c"), body: func("b") }),
  node("yi", "Identity", ["w"]), node("yx", "Identity", ["w:1"]),
], ["yx", "yi"], library(
  ["c", [fi, fx], [argument("r", "bool")], [node("lim", "Const", [], { dtype: type("int32") }), node("l", "Less", ["i", "lim:output:0"])], { r: "l:z:0" }],
  ["b", [fi, fx], [argument("ri", "int32"), argument("rv", "float32")], [node("k", "Const", [], { dtype: type("int32") }), node("a", "AddV2", ["i", "k:output:0"]), node("s", "Tanh", ["v"])], { ri: "a:z:0", rv: "s:y:0" }],
));
for (const pred of [0, 1]) {
  await graph(`StatelessIf ${pred}`, { x: some([3]), p: bools([pred], []) }, [
    node("y", "StatelessIf", ["p", "x"], { then_branch: func("t"), else_branch: func("e") }),
  ], ["y"], library(
    ["t", [fx], [argument("r", "float32")], [node("a", "Exp", ["v"])], { r: "a:y:0" }],
    ["e", [fx], [argument("r", "float32")], [node("a", "Neg", ["v"])], { r: "a:y:0" }],
  ));
}
const element = { element_dtype: type("float32") };
await graph("TensorList", { x: some([3, 2]), s: fixed(ints([2])), n: fixed(one(3)), i: fixed(one(1)), v: some([2]) }, [
  node("l", "TensorListFromTensor", ["x", "s"], element),
  node("l2", "TensorListSetItem", ["l", "i", "v"], element),
  node("y", "TensorListStack", ["l2", "s"], { ...element, num_elements: int(3) }),
  node("g", "TensorListGetItem", ["l2", "n1", "s"], element), node("n1", "Identity", ["i"]),
  node("len", "TensorListLength", ["l2"]),
], ["y", "g", "len"]);

// Layers.
async function layers(name, model, inputs) {
  for (const weight of model.weights) weight.write(tf.tensor(some(weight.shape, weight.name.includes("variance") ? 0.2 : -1, 1).data, weight.shape));
  let kept;
  await model.save(tf.io.withSaveHandler(async (artifacts) => { kept = artifacts; return { modelArtifactsInfo: {} }; }));
  const fed = inputs.map((one) => tf.tensor(one.data, one.shape, one.dtype));
  const results = model.predict(fed.length === 1 ? fed[0] : fed);
  const weightData = tf.io.concatenateArrayBuffers([].concat(kept.weightData));
  await keep(name, { modelTopology: kept.modelTopology }, kept.weightSpecs, weightData, inputs, [].concat(results));
}
const sequence = (inputShape, ...all) => {
  all[0].inputShape = inputShape;
  const model = tf.sequential();
  for (const { className, ...config } of all) model.add(tf.layers[className](config));
  return model;
};
const layer = (className, config = {}) => ({ className, ...config });
const single = async (name, input, ...all) => {
  try {
    await layers(name, sequence(input.shape.slice(1), ...all), [input]);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
};
const [rows, steps, picture, volume] = [some([2, 6]), some([2, 5, 3]), some([2, 6, 5, 3]), some([1, 4, 4, 4, 2])];
for (const activation of ["elu", "hardSigmoid", "linear", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh", "swish", "mish"]) {
  await single(`Dense ${activation}`, rows, layer("dense", { units: 4, activation }));
}
await single("Dense of steps", steps, layer("dense", { units: 4, useBias: false }), layer("activation", { activation: "tanh" }), layer("dropout", { rate: 0.5 }));
for (const padding of ["same", "valid"]) {
  await single(`Conv1D ${padding}`, steps, layer("conv1d", { filters: 4, kernelSize: 3, padding, strides: 2 }));
  await single(`Conv2D ${padding}`, picture, layer("conv2d", { filters: 4, kernelSize: [3, 2], padding, strides: [1, 2], activation: "relu" }));
  await single(`Conv3D ${padding}`, volume, layer("conv3d", { filters: 3, kernelSize: 2, padding }));
  await single(`DepthwiseConv2D ${padding}`, picture, layer("depthwiseConv2d", { kernelSize: 3, padding, depthMultiplier: 2 }));
  await single(`SeparableConv2D ${padding}`, picture, layer("separableConv2d", { filters: 4, kernelSize: 3, padding, activation: "relu" }));
  await single(`Conv2DTranspose ${padding}`, picture, layer("conv2dTranspose", { filters: 4, kernelSize: 3, strides: 2, padding }));
  await single(`Conv3DTranspose ${padding}`, volume, layer("conv3dTranspose", { filters: 2, kernelSize: 2, strides: 2, padding }));
  await single(`pools ${padding}`, picture, layer("maxPooling2d", { poolSize: 2, strides: 1, padding }), layer("averagePooling2d", { poolSize: [2, 3], padding }));
}
await single("Conv2DTranspose with gaps", picture, layer("conv2dTranspose", { filters: 2, kernelSize: 2, strides: 3, padding: "valid" }));
await single("pools of sequences", steps, layer("maxPooling1d", { poolSize: 2, strides: 1 }), layer("averagePooling1d", { poolSize: 2 }));
await single("pools of volumes", volume, layer("maxPooling3d", { poolSize: 2, strides: 1 }), layer("averagePooling3d", { poolSize: 2, strides: 1 }));
await single("GlobalAveragePooling1D", steps, layer("globalAveragePooling1d"));
await single("GlobalMaxPooling2D", picture, layer("globalMaxPooling2d"));
await single("GlobalAveragePooling2D", picture, layer("globalAveragePooling2d"));
await single("BatchNormalization", picture, layer("batchNormalization"), layer("batchNormalization", { scale: false, center: false }));
await single("BatchNormalization of rows", rows, layer("batchNormalization", { axis: 1 }));
await single("LayerNormalization", steps, layer("layerNormalization"));
await single("advanced activations", rows, layer("leakyReLU", { alpha: 0.2 }), layer("prelu"), layer("elu"), layer("reLU", { maxValue: 1 }), layer("thresholdedReLU", { theta: 0.1 }), layer("softmax"));
await single("shapes", rows, layer("reshape", { targetShape: [3, 2] }), layer("permute", { dims: [2, 1] }), layer("flatten"), layer("repeatVector", { n: 3 }));
await single("ZeroPadding2D", picture, layer("zeroPadding2d", { padding: [[1, 0], [2, 1]] }), layer("cropping2D", { cropping: [[0, 1], [1, 0]] }));
await single("UpSampling2D nearest", picture, layer("upSampling2d", { size: [2, 3] }));
await single("UpSampling2D bilinear", picture, layer("upSampling2d", { size: [2, 3], interpolation: "bilinear" }));
await single("Embedding", ints([1, 4, 2, 0, 3, 3], [2, 3]), layer("embedding", { inputDim: 5, outputDim: 3 }));
for (const className of ["simpleRNN", "gru", "lstm"]) {
  for (const config of [{}, { returnSequences: true, goBackwards: true, recurrentActivation: "sigmoid" }]) {
    await single(`${className} ${Object.keys(config).length}`, steps, layer(className, { units: 4, ...config }));
  }
  for (const mergeMode of ["concat", "ave"]) {
    const inner = () => tf.layers[className]({ units: 3, returnSequences: mergeMode === "ave" });
    await single(`bidirectional ${className} ${mergeMode}`, steps, layer("bidirectional", { layer: inner(), mergeMode }));
  }
}
await single("TimeDistributed", some([2, 3, 6, 5, 2]), layer("timeDistributed", { layer: tf.layers.conv2d({ filters: 3, kernelSize: 3 }) }));
const [left, right] = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
const shared = tf.layers.dense({ units: 4, activation: "relu" });
const [l, r] = [shared.apply(left), shared.apply(right)];
const joined = tf.layers.concatenate().apply([tf.layers.add().apply([l, r]), tf.layers.multiply().apply([l, r]), tf.layers.average().apply([l, r]), tf.layers.maximum().apply([l, r]), tf.layers.minimum().apply([l, r])]);
const inner = sequence([20], layer("dense", { units: 5 }), layer("batchNormalization"));
await layers("Functional", tf.model({ inputs: [left, right], outputs: [inner.apply(joined), l] }), [some([2, 4]), some([2, 4])]);

// Names that converters write less often, and lists. Behind the others, whose numbers stay as they are.
/** An operator of TensorFlow that TensorFlow.js has under another name, or as a function only. */
async function own(name, compute, ...rest) {
  tf.registerOp(name, compute);
  await op(name, ...rest);
  tf.deregisterOp(name);
}
await op("BatchMatMul", [some([2, 3, 4]), some([2, 4, 5])]);
await own("BatchMatMulV3", ({ inputs: [a, b] }) => tf.matMul(a, b, true), [some([2, 4, 3]), some([2, 4, 5])], { adj_x: yes });
await own("BiasAddV1", ({ inputs: [a, b] }) => tf.add(a, b), [x, fixed(some([4]))]);
await op("Bincount", [ints([1, 1, 3]), fixed(one(4)), fixed(some([3]))]);
await own("BitwiseAnd", ({ inputs: [a, b] }) => tf.bitwiseAnd(a, b), [ints([5, -1, 12, 7]), ints([3, 6, 10, -8])]);
await op("BroadcastArgs", [ints([2, 1, 3]), ints([4, 1])]);
await op("Concat", [fixed(one(1)), some([2, 1]), some([2, 3])], { N: int(2) });
const cubes = { strides: list(1, 2, 2, 2, 1), dilations: list(1, 1, 1, 1, 1), data_format: text("NDHWC") };
for (const [padding, size] of [["SAME", [1, 4, 6, 4, 3]], ["VALID", [1, 5, 7, 5, 3]]]) {
  await own("Conv3DBackpropInputV2", ({ inputs: [, w, dy] }) => tf.conv3dTranspose(dy, w, size, 2, padding.toLowerCase()),
    [fixed(ints(size)), fixed(some([3, 3, 3, 3, 2])), some([1, 2, 3, 2, 2])], { ...cubes, padding: text(padding) }, 1, `Conv3DBackpropInputV2 ${padding}`);
}
await op("DepthwiseConv2d", [image, fixed(some([3, 3, 3, 2]))], windows("SAME", 2));
await op("EnsureShape", [x, fixed(ints([2, 3, 4]))], { shape: shape(2, 3, 4) });
await op("FakeQuantWithMinMaxVars", [x, fixed(one(-2, "float32")), fixed(one(2, "float32"))], { num_bits: int(8) });
for (const name of ["FusedBatchNorm", "FusedBatchNormV2"]) {
  await op(name, [image, fixed(some([3])), fixed(some([3])), fixed(some([3])), fixed(some([3], 0.1, 2))], { epsilon: float(0.01), data_format: text("NHWC") });
}
await op("Gather", [x, ints([1, 0, 1])]);
await op("MaxPool3D", [some([1, 4, 4, 4, 2])], { ksize: list(1, 2, 3, 2, 1), strides: list(1, 2, 2, 2, 1), padding: text("SAME") });
await graph("NoOp", { x }, [node("n", "NoOp"), node("y", "Neg", ["x", "^n"])], ["y"]);
for (const name of ["Ones", "Zeros"]) await op(name, [fixed(ints([2, 3]))], { T: type("float32") });
await op("Print", [x, one(3)], { message: text("printed"), summarize: int(3) });
await op("Reverse", [x, fixed(bools([1, 0, 1]))]);
await graph("ShapeN", { x, b: some([5]) }, [
  // TensorFlow.js makes numbers of them.
  node("n", "ShapeN", ["x", "b"]), node("y", "Cast", ["n"], { SrcT: type("int32"), DstT: type("float32") }),
  node("z", "Cast", ["n:1"], { SrcT: type("int32"), DstT: type("float32") }),
], ["y", "z"]);
await op("Snapshot", [x]);
await op("StopGradient", [x]);
await own("SpaceToDepth", ({ inputs: [image] }) => tf.einsum("nhywxc->nhwyxc", image.reshape([2, 2, 2, 3, 2, 3])).reshape([2, 2, 3, 12]),
  [some([2, 4, 6, 3])], { block_size: int(2), data_format: text("NHWC") });
await op("UniqueV2", [ints([1, 0, 0, 1, 0, 0, 2, 0, 0], [3, 3]), fixed(ints([0]))], {}, 2);
await op("UpperBound", [ints([0, 3, 9, 9, 10, 20], [1, 6]), ints([9, 4, 0, -1, 20], [1, 5])]);

// Arrays, one after the other as the flow says.
const array = { dtype: type("float32"), element_shape: shape(2), dynamic_size: { b: false }, clear_after_read: { b: false }, identical_element_shapes: yes, tensor_array_name: text("a") };
const typed = { T: type("float32"), dtype: type("float32") };
await graph("TensorArrayScatterV3", { x: some([3, 2]), n: fixed(one(3)), places: fixed(ints([2, 0, 1])), i: one(1) }, [
  node("ta", "TensorArrayV3", ["n"], array),
  node("f", "TensorArrayScatterV3", ["ta", "places", "x", "ta:1"], typed),
  node("y", "TensorArrayReadV3", ["ta", "i", "f"], typed),
  node("n2", "TensorArraySizeV3", ["ta", "f"]),
  node("all", "TensorArrayConcatV3", ["ta", "f"], { ...typed, element_shape_except0: shape() }),
  node("end", "TensorArrayCloseV3", ["ta", "^all", "^y", "^n2"]),
], ["y", "n2", "all"]);
await graph("TensorArraySplitV3", { x: some([6, 2]), n: fixed(one(3)), lengths: fixed(ints([2, 2, 2])), i: fixed(one(2)) }, [
  node("ta", "TensorArrayV3", ["n"], { ...array, element_shape: shape(2, 2) }),
  node("f", "TensorArraySplitV3", ["ta", "x", "lengths", "ta:1"], typed),
  node("y", "TensorArrayReadV3", ["ta", "i", "f"], typed),
  node("all", "TensorArrayConcatV3", ["ta", "f"], typed),
], ["y", "all"]);

// Lists.
const listed = { element_dtype: type("float32"), element_shape: shape(2) };
await graph("TensorListPushBack", { x: some([2]), b: some([2]), s: fixed(ints([2])), most: fixed(one(-1)) }, [
  node("l", "EmptyTensorList", ["s", "most"], listed),
  node("l1", "TensorListPushBack", ["l", "x"], listed),
  node("l2", "TensorListPushBack", ["l1", "b"], listed),
  node("y", "TensorListStack", ["l2", "s"], { ...listed, num_elements: int(-1) }),
  node("n", "TensorListLength", ["l2"]),
], ["y", "n"]);
await graph("TensorListPopBack", { x: some([3, 2]), s: fixed(ints([2])) }, [
  node("l", "TensorListFromTensor", ["x", "s"], listed),
  node("y", "TensorListPopBack", ["l", "s"], listed),
], ["y"]);
await graph("TensorListReserve", { x: some([2]), b: some([2]), s: fixed(ints([2])), n: fixed(one(2)), i: fixed(one(0)), j: fixed(one(1)) }, [
  node("l", "TensorListReserve", ["s", "n"], listed),
  node("l1", "TensorListSetItem", ["l", "j", "x"], listed),
  node("l2", "TensorListSetItem", ["l1", "i", "b"], listed),
  node("y", "TensorListStack", ["l2", "s"], { ...listed, num_elements: int(2) }),
], ["y"]);
await graph("TensorListResize", { x: some([3, 2]), s: fixed(ints([2])), n: one(2) }, [
  node("l", "TensorListFromTensor", ["x", "s"], listed),
  node("l1", "TensorListResize", ["l", "n"], listed),
  node("y", "TensorListStack", ["l1", "s"], { ...listed, num_elements: int(-1) }),
  node("count", "TensorListLength", ["l1"]),
], ["y", "count"]);
await graph("TensorListGather", { x: some([4, 2]), s: fixed(ints([2])), places: ints([3, 0, 3]) }, [
  node("l", "TensorListFromTensor", ["x", "s"], listed),
  node("y", "TensorListGather", ["l", "places", "s"], listed),
], ["y"]);
await graph("TensorListScatter", { x: some([3, 2]), s: fixed(ints([2])), places: ints([2, 0, 1]) }, [
  node("l", "TensorListScatter", ["x", "places", "s"], listed),
  node("y", "TensorListStack", ["l", "s"], { ...listed, num_elements: int(-1) }),
], ["y"]);
await graph("TensorListScatterV2", { x: some([3, 2]), s: fixed(ints([2])), places: ints([2, 0, 1]), n: fixed(one(3)), i: fixed(one(2)) }, [
  node("l", "TensorListScatterV2", ["x", "places", "s", "n"], listed),
  node("y", "TensorListStack", ["l", "s"], { ...listed, num_elements: int(-1) }),
  node("z", "TensorListGetItem", ["l", "i", "s"], listed),
], ["y", "z"]);
for (const name of ["TensorListConcat", "TensorListConcatV2"]) {
  const more = name.endsWith("V2") ? { s2: fixed(ints([2, 2])), leading: fixed(ints([], [0])) } : {};
  await graph(name, { x: some([3, 2, 2]), s: fixed(ints([2, 2])), ...more }, [
    node("l", "TensorListFromTensor", ["x", "s"], { ...listed, element_shape: shape(2, 2) }),
    node("y", name, ["l", ...Object.keys(more)], { ...listed, element_shape: shape(2, 2) }),
  ], ["y"]);
}
await graph("TensorListSplit", { x: some([3, 2]), s: fixed(ints([2])), lengths: fixed(ints([1, 1, 1])), flat: fixed(ints([-1])) }, [
  // TensorFlow.js splits into rows only, and takes their first dimension away.
  node("l", "TensorListSplit", ["x", "s", "lengths"], listed),
  node("all", "TensorListConcat", ["l"], listed),
  node("y", "Reshape", ["all", "flat"]),
], ["y"]);

writeFileSync(new URL("cases.json", import.meta.url), `[\n${cases.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
console.log(`${cases.length} cases`);
