/**
 * Scales of a network's values, from the values that one image gives, and its weights in 8 bits: as
 * TensorFlow's converter and ONNX Runtime's `quantize_static` choose them.
 */
import { windows } from "./network.mjs";

const CLIPS = { none: [-Infinity, Infinity], relu: [0, Infinity], relu6: [0, 6] };

/** The values of a layer, whose operands' are given. */
function evaluate(layer, [x, other]) {
  const { op, kernel, stride, shape, inputs, weights, bias } = layer;
  const [height, width, channels] = inputs[0].shape;
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (op === "add") values.forEach((_, at) => (values[at] = x[at] + other[at]));
  if (op === "mean")
    x.forEach((value, at) => (values[at % channels] += value / (height * width)));
  if (op === "dense") {
    for (let o = 0; o < values.length; o += 1) {
      let sum = bias[o];
      for (let i = 0; i < x.length; i += 1) sum += x[i] * weights[o * x.length + i];
      values[o] = sum;
    }
  }
  if (op !== "conv" && op !== "depthwise") return values;
  const [rows, columns, outputs] = shape;
  const [above, left] = [height, width].map((size) => windows(size, kernel, stride).before);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const at = (row * columns + column) * outputs;
      values.set(bias, at);
      for (let kh = 0; kh < kernel; kh += 1) {
        for (let kw = 0; kw < kernel; kw += 1) {
          const [h, w] = [row * stride + kh - above, column * stride + kw - left];
          if (h < 0 || h >= height || w < 0 || w >= width) continue;
          const from = (h * width + w) * channels;
          const tap = kh * kernel + kw;
          for (let o = 0; o < outputs; o += 1) {
            if (op === "depthwise") {
              values[at + o] += x[from + o] * weights[tap * channels + o];
              continue;
            }
            const start = (o * kernel * kernel + tap) * channels;
            let sum = 0;
            for (let c = 0; c < channels; c += 1) sum += x[from + c] * weights[start + c];
            values[at + o] += sum;
          }
        }
      }
    }
  }
  return values;
}

/** Scale and zero of a value between these limits. */
function affine(least, most) {
  const scale = Math.fround((most - least) / 255);
  return { scale, zero: Math.max(-128, Math.min(127, Math.round(-128 - least / scale))) };
}

/** Weights of a layer with a scale for each output, of a dense one with one for all. */
function quantiseWeights(layer, inputScale) {
  const { op, kernel, shape, weights, bias } = layer;
  const [outputs, each] = [shape.at(-1), weights.length / shape.at(-1)];
  const count = op === "dense" ? 1 : outputs;
  /** Of which output a weight is. */
  const output = (at) => (op === "depthwise" ? at % outputs : Math.floor(at / each));
  const scales = new Float32Array(count);
  const values = new Int8Array(weights.length);
  if (op === "depthwise" && each !== kernel * kernel) throw new Error("one result a channel");
  weights.forEach((value, at) => {
    const of = output(at) % count;
    scales[of] = Math.max(scales[of], Math.abs(value) / 127);
  });
  weights.forEach((value, at) => {
    values[at] = Math.round(value / scales[output(at) % count]);
  });
  const biasScales = scales.map((scale) => scale * inputScale);
  const roundedBias = Int32Array.from(bias, (value, at) =>
    Math.round(value / biasScales[at % count]),
  );
  return { values, scales, bias: roundedBias, biasScales };
}

/** `image`: what the network is shown, channels last. Zeros are those of signed values. */
export function quantise(net, image) {
  const found = new Map([[0, image]]);
  const values = new Map([[0, affine(-1, 1)]]);
  const weights = new Map();
  for (const layer of net.layers) {
    const [least, most] = CLIPS[layer.activation];
    const result = evaluate(
      layer,
      layer.inputs.map(({ id }) => found.get(id)),
    );
    const all = result.map((value) => Math.max(least, Math.min(most, value)));
    const [low, high] = all.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [0, 0]);
    found.set(layer.id, all);
    values.set(layer.id, layer.activation === "relu6" ? affine(0, 6) : affine(low, high));
    if (layer.weights === undefined) continue;
    weights.set(layer.id, quantiseWeights(layer, values.get(layer.inputs[0].id).scale));
  }
  return { values, weights };
}
