/**
 * Networks as TensorFlow.js graph models, with the fused operators that its converter makes.
 *
 * Operators: https://www.tensorflow.org/api_docs/python/tf/raw_ops
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const text = (value) => ({ s: Buffer.from(value).toString("base64") });
const texts = (values) => ({ list: { s: values.map((value) => text(value).s) } });
const ints = (values) => ({ list: { i: values.map(String) } });
const shapeOf = (dims) => ({ dim: dims.map((dim) => ({ size: String(dim) })) });
const FLOAT = { type: "DT_FLOAT" };
const ACTIVATIONS = { none: [], relu: ["Relu"], relu6: ["Relu6"] };

/** Weights of a layer, and their dimensions: outputs last. */
function outputsLast({ op, kernel, shape, inputs, weights }) {
  const channels = inputs[0].shape.at(-1);
  if (op === "depthwise") return { dims: [kernel, kernel, channels, 1], values: weights };
  const outputs = shape.at(-1);
  const each = weights.length / outputs;
  const values = new Float32Array(weights.length);
  for (let o = 0; o < outputs; o += 1) {
    for (let i = 0; i < each; i += 1) values[i * outputs + o] = weights[o * each + i];
  }
  const taps = op === "conv" ? [kernel, kernel] : [];
  return { dims: [...taps, channels, outputs], values };
}

export function writeTfjs(path, net) {
  const nodes = [];
  const weights = [];
  const bytes = [];
  const add = (name, op, input, attr) => nodes.push({ name, op, input, attr });
  const constant = (name, dtype, dims, values) => {
    const type = { type: dtype === "int32" ? "DT_INT32" : "DT_FLOAT" };
    const value = { tensor: { dtype: type.type, tensorShape: shapeOf(dims) } };
    add(name, "Const", [], { dtype: type, value });
    weights.push({ name, shape: dims, dtype });
    bytes.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    return name;
  };
  add("input", "Placeholder", [], {
    dtype: FLOAT,
    shape: { shape: shapeOf([1, ...net.input.shape]) },
  });
  const names = new Map([[0, "input"]]);
  for (const layer of net.layers) {
    const { op, id, activation, kernel, stride } = layer;
    const name = layer === net.output ? "output" : `${op}${id}`;
    const of = layer.inputs.map((value) => names.get(value.id));
    if (layer.weights !== undefined) {
      const { dims, values } = outputsLast(layer);
      of.push(constant(`${name}/weight`, "float32", dims, values));
      of.push(constant(`${name}/bias`, "float32", [layer.bias.length], layer.bias));
    }
    const fused = {
      fused_ops: texts(["BiasAdd", ...ACTIVATIONS[activation]]),
      num_args: { i: "1" },
      epsilon: { f: 0 },
      T: FLOAT,
    };
    const places = {
      strides: ints([1, stride, stride, 1]),
      padding: text("SAME"),
      data_format: text("NHWC"),
    };
    const conv = {
      ...fused,
      ...places,
      dilations: ints([1, 1, 1, 1]),
      explicit_paddings: { list: {} },
    };
    let result = name;
    if (op === "conv") add(name, "_FusedConv2D", of, conv);
    if (op === "depthwise") add(name, "FusedDepthwiseConv2dNative", of, conv);
    if (op === "dense") {
      const sides = { transpose_a: { b: false }, transpose_b: { b: false } };
      add(name, "_FusedMatMul", of, { ...fused, ...sides });
    }
    if (op === "max")
      add(name, "MaxPool", of, { ...places, ksize: ints([1, kernel, kernel, 1]), T: FLOAT });
    if (op === "mean") {
      of.push(constant(`${name}/axes`, "int32", [2], new Int32Array([1, 2])));
      add(name, "Mean", of, { keep_dims: { b: false }, T: FLOAT, Tidx: { type: "DT_INT32" } });
    }
    if (op === "add") {
      add(name, "AddV2", of, { T: FLOAT });
      if (activation !== "none") {
        result = `${name}/${activation}`;
        add(result, ACTIVATIONS[activation][0], [name], { T: FLOAT });
      }
    }
    names.set(id, result);
  }
  const port = (name, dims) => ({
    [name]: { name: `${name}:0`, dtype: "DT_FLOAT", tensorShape: shapeOf(dims) },
  });
  const model = {
    format: "graph-model",
    modelTopology: { node: nodes, library: {}, versions: { producer: 1 } },
    signature: {
      inputs: port("input", [1, ...net.input.shape]),
      outputs: port("output", [1, ...net.output.shape]),
    },
    weightsManifest: [{ paths: ["weights.bin"], weights }],
  };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(join(dirname(path), "weights.bin"), Buffer.concat(bytes));
  writeFileSync(path, JSON.stringify(model));
}
