/**
 * Networks as ONNX graphs, as PyTorch exports them: channels first, normalisations already in the weights.
 * Quantised they are as ONNX Runtime's `quantize_static` makes them: QuantizeLinear and DequantizeLinear
 * around each value, activations in 8 unsigned bits, weights in 8 signed ones with a scale for each
 * output; where the rounding also cuts what a Clip would, there is no Clip.
 */
import {
  FLOAT,
  initializer,
  input,
  INT32,
  INT8,
  node,
  output,
  UINT8,
  writeModel,
} from "../onnx-file.mjs";
import { windows } from "./network.mjs";

const bytes = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const floats = (name, dims, values) => initializer(name, FLOAT, dims, bytes(values));

/** Weights of a layer, channels first: their dimensions, and where each of them comes from. */
function channelsFirst({ op, kernel, shape, inputs, weights }) {
  if (op === "dense") return { dims: [shape[0], inputs[0].shape[0]], values: weights };
  const [outputs, taps] = [shape[2], kernel * kernel];
  const channels = op === "conv" ? inputs[0].shape[2] : 1;
  const values = new weights.constructor(weights.length);
  for (let o = 0; o < outputs; o += 1) {
    for (let c = 0; c < channels; c += 1) {
      for (let tap = 0; tap < taps; tap += 1) {
        const from = op === "conv" ? (o * taps + tap) * channels + c : tap * outputs + o;
        values[(o * channels + c) * taps + tap] = weights[from];
      }
    }
  }
  return { dims: [outputs, channels, kernel, kernel], values };
}

function places({ kernel, stride, inputs }) {
  const [height, width] = inputs[0].shape;
  const [rows, columns] = [windows(height, kernel, stride), windows(width, kernel, stride)];
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [rows.before, columns.before, rows.behind, columns.behind],
  };
}

/** `scales`: how it is quantised (quantise.mjs), if it is. */
export function writeOnnx(path, net, scales) {
  const pieces = [];
  const add = (...more) => pieces.push(...more.flat());
  const [height, width, channels] = net.input.shape;
  add(input("input", FLOAT, [1, channels, height, width]));
  add(output("output", FLOAT, [1, ...net.output.shape]));

  /** A value of a layer as its readers get it. */
  const rounded = (name, id) => {
    if (scales === undefined) return name;
    const { scale, zero } = scales.values.get(id);
    const [s, z] = [`${name}.scale`, `${name}.zero`];
    add(floats(s, [], new Float32Array([scale])));
    add(initializer(z, UINT8, [], bytes(new Uint8Array([zero + 128]))));
    add(node("QuantizeLinear", [name, s, z], [`${name}.rounded`]));
    add(node("DequantizeLinear", [`${name}.rounded`, s, z], [`${name}.read`]));
    return `${name}.read`;
  };
  const weights = (name, layer) => {
    const { dims, values } = channelsFirst(
      scales === undefined ? layer : { ...layer, weights: scales.weights.get(layer.id).values },
    );
    if (scales === undefined) {
      add(floats(`${name}.weight`, dims, values));
      add(floats(`${name}.bias`, [dims[0]], layer.bias));
      return [`${name}.weight`, `${name}.bias`];
    }
    const quantised = scales.weights.get(layer.id);
    const constant = (what, type, shape, data, factors) => {
      const axis = factors.length > 1 ? [factors.length] : [];
      const zeros = new data.constructor(factors.length);
      add(initializer(`${what}.rounded`, type, shape, bytes(data)));
      add(floats(`${what}.scale`, axis, factors));
      add(initializer(`${what}.zero`, type, axis, bytes(zeros)));
      const operands = [`${what}.rounded`, `${what}.scale`, `${what}.zero`];
      add(node("DequantizeLinear", operands, [what], factors.length > 1 ? { axis: 0 } : {}));
      return what;
    };
    return [
      constant(`${name}.weight`, INT8, dims, values, quantised.scales),
      constant(`${name}.bias`, INT32, [dims[0]], quantised.bias, quantised.biasScales),
    ];
  };

  const names = new Map([[0, rounded("input", 0)]]);
  add(floats("zero", [], new Float32Array([0])), floats("six", [], new Float32Array([6])));
  for (const layer of net.layers) {
    const { op, id, activation } = layer;
    const name = `${op}${id}`;
    const of = layer.inputs.map((value) => names.get(value.id));
    if (op === "conv" || op === "depthwise") {
      const group = op === "conv" ? 1 : layer.shape[2];
      add(node("Conv", [...of, ...weights(name, layer)], [name], { group, ...places(layer) }));
    } else if (op === "dense") {
      add(node("Flatten", of, [`${name}.flat`]));
      add(node("Gemm", [`${name}.flat`, ...weights(name, layer)], [name], { transB: 1 }));
    } else {
      const type = { add: "Add", max: "MaxPool", mean: "GlobalAveragePool" }[op];
      add(node(type, of, [name], op === "max" ? places(layer) : {}));
    }
    let result = name;
    if (activation !== "none" && scales === undefined) {
      result = `${name}.${activation}`;
      if (activation === "relu6") add(node("Clip", [name, "zero", "six"], [result]));
      else add(node("Relu", [name], [result]));
    }
    names.set(id, rounded(result, id));
  }
  add(node("Identity", [names.get(net.output.id)], ["output"]));
  writeModel(path, pieces, { "": 17 });
}
