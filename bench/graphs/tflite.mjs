/**
 * Networks as TFLite models, as TensorFlow's converter makes them; quantised with floats at the border.
 *
 * Format: https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
 */
import { Builder } from "flatbuffers";
import { writeFileSync } from "node:fs";

const [FLOAT32, INT32, INT8] = [0, 2, 9];
/** Numbers of operators, and their versions of floats and of int8. */
const OPERATORS = {
  add: [0, 1, 2],
  conv: [3, 1, 3],
  depthwise: [4, 1, 3],
  dequantize: [6, 2, 2],
  dense: [9, 1, 4],
  max: [17, 1, 2],
  mean: [40, 1, 2],
  quantize: [114, 1, 1],
};
const ACTIVATIONS = { none: 0, relu: 1, relu6: 3 };

/** A table of fields: number, type and value of each. Where the format's default is not 0, the value is not 0. */
function table(builder, fields) {
  builder.startObject(Math.max(-1, ...fields.map(([field]) => field)) + 1);
  for (const [field, type, value] of fields) builder[`addField${type}`](field, value, 0);
  return builder.endObject();
}

function vector(builder, type, size, values) {
  builder.startVector(size, values.length, size);
  for (let at = values.length - 1; at >= 0; at -= 1) builder[`add${type}`](values[at]);
  return builder.endVector();
}

const ints = (builder, values) => vector(builder, "Int32", 4, values);
const offsets = (builder, values) => vector(builder, "Offset", 4, values);

/** Bytes that start at a multiple of 16. */
function data(builder, bytes) {
  builder.startVector(1, bytes.length, 16);
  builder.bb.setPosition((builder.space -= bytes.length));
  builder.bb.bytes().set(bytes, builder.space);
  return builder.endVector();
}

/** The number of a layer's options in the union of all, and the options. */
function options(builder, { op, activation, kernel, stride }) {
  const act = ACTIVATIONS[activation];
  const strides = [
    [1, "Int32", stride],
    [2, "Int32", stride],
  ];
  const ones = (at) => [
    [at, "Int32", 1],
    [at + 1, "Int32", 1],
  ];
  switch (op) {
    case "conv":
      return [1, table(builder, [[0, "Int8", 0], ...strides, [3, "Int8", act], ...ones(4)])];
    case "depthwise": {
      const more = [[3, "Int32", 1], [4, "Int8", act], ...ones(5)];
      return [2, table(builder, [[0, "Int8", 0], ...strides, ...more])];
    }
    case "max": {
      const size = [
        [3, "Int32", kernel],
        [4, "Int32", kernel],
      ];
      return [5, table(builder, [[0, "Int8", 0], ...strides, ...size, [5, "Int8", act]])];
    }
    case "dense":
      return [8, table(builder, [[0, "Int8", act]])];
    case "add":
      return [11, table(builder, [[0, "Int8", act]])];
    case "mean":
      return [27, table(builder, [[0, "Int8", 0]])];
    default:
      return [0, 0];
  }
}

/** `scales`: how it is quantised (quantise.mjs), if it is. */
export function writeTflite(path, net, scales) {
  const builder = new Builder(1 << 24);
  // The first is that of tensors without data.
  const buffers = [table(builder, [])];
  const tensors = [];
  const operators = [];
  const used = Object.keys(OPERATORS);

  const tensor = (name, type, shape, { values, factors, zeros, axis = 0 } = {}) => {
    let buffer = 0;
    if (values !== undefined) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      buffer = buffers.push(table(builder, [[0, "Offset", data(builder, bytes)]])) - 1;
    }
    const fields = [
      [0, "Offset", ints(builder, shape)],
      [1, "Int8", type],
      [2, "Int32", buffer],
      [3, "Offset", builder.createString(name)],
    ];
    if (factors !== undefined) {
      const big = Array.from(zeros ?? new Int32Array(factors.length), BigInt);
      const quantisation = [
        [2, "Offset", vector(builder, "Float32", 4, factors)],
        [3, "Offset", vector(builder, "Int64", 8, big)],
        [6, "Int32", axis],
      ];
      fields.push([4, "Offset", table(builder, quantisation)]);
    }
    return tensors.push(table(builder, fields)) - 1;
  };
  const value = (name, id, shape) => {
    if (scales === undefined) return tensor(name, FLOAT32, [1, ...shape]);
    const { scale, zero } = scales.values.get(id);
    return tensor(name, INT8, [1, ...shape], { factors: [scale], zeros: [zero] });
  };
  const weights = (name, layer) => {
    const { op, kernel, shape, inputs, id } = layer;
    const channels = inputs[0].shape.at(-1);
    const dims = {
      conv: [shape[2], kernel, kernel, channels],
      depthwise: [1, kernel, kernel, channels],
      dense: [shape[0], channels],
    }[op];
    const outputs = [shape.at(-1)];
    if (scales === undefined) {
      const weight = tensor(`${name}/weight`, FLOAT32, dims, { values: layer.weights });
      return [weight, tensor(`${name}/bias`, FLOAT32, outputs, { values: layer.bias })];
    }
    const { values, scales: factors, bias, biasScales } = scales.weights.get(id);
    const axis = op === "depthwise" ? 3 : 0;
    return [
      tensor(`${name}/weight`, INT8, dims, { values, factors, axis }),
      tensor(`${name}/bias`, INT32, outputs, { values: bias, factors: biasScales }),
    ];
  };
  const operator = (layer, inputs, results) => {
    const [type, body] = options(builder, layer);
    const fields = [
      [0, "Int32", used.indexOf(layer.op)],
      [1, "Offset", ints(builder, inputs)],
      [2, "Offset", ints(builder, results)],
    ];
    if (type > 0) fields.push([3, "Int8", type], [4, "Offset", body]);
    operators.push(table(builder, fields));
  };

  let first = value("input", 0, net.input.shape);
  const places = new Map([[0, first]]);
  if (scales !== undefined) {
    const rounded = first;
    first = tensor("input/float", FLOAT32, [1, ...net.input.shape]);
    operator({ op: "quantize" }, [first], [rounded]);
  }
  const axes = new Int32Array([1, 2]);
  for (const layer of net.layers) {
    const { op, id, shape } = layer;
    const name = `${op}${id}`;
    const inputs = layer.inputs.map((of) => places.get(of.id));
    if (layer.weights !== undefined) inputs.push(...weights(name, layer));
    if (op === "mean") inputs.push(tensor("axes", INT32, [2], { values: axes }));
    const result = value(name, id, shape);
    operator(layer, inputs, [result]);
    places.set(id, result);
  }
  let last = places.get(net.output.id);
  if (scales !== undefined) {
    const rounded = last;
    last = tensor("output/float", FLOAT32, [1, ...net.output.shape]);
    operator({ op: "dequantize" }, [rounded], [last]);
  }

  const graph = table(builder, [
    [0, "Offset", offsets(builder, tensors)],
    [1, "Offset", ints(builder, [first])],
    [2, "Offset", ints(builder, [last])],
    [3, "Offset", offsets(builder, operators)],
    [4, "Offset", builder.createString("main")],
  ]);
  const codes = used.map((op) => {
    const [number, float, int8] = OPERATORS[op];
    const version = scales === undefined ? float : int8;
    return table(builder, [
      [0, "Int8", number],
      [2, "Int32", version],
      [3, "Int32", number],
    ]);
  });
  const model = table(builder, [
    [0, "Int32", 3],
    [1, "Offset", offsets(builder, codes)],
    [2, "Offset", offsets(builder, [graph])],
    [4, "Offset", offsets(builder, buffers)],
  ]);
  builder.finish(model, "TFL3");
  writeFileSync(path, builder.asUint8Array());
}
