/**
 * Writes the same shapes as ONNX graphs, for ONNX Runtime Web: float weights as they are, 4-bit ones in
 * MatMulNBits with blocks of 32, attention as GroupQueryAttention. As onnxruntime-genai's builder does,
 * but the head sees the last position only, which is faster.
 *
 * The operators: ContribOperators.md of ONNX Runtime.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FOLDER, generator, MODELS } from "./models.mjs";
import {
  FLOAT,
  initializer,
  input,
  INT32,
  INT64,
  node,
  output,
  UINT8,
  writeModel,
} from "./onnx-file.mjs";

const LONGEST = 8192;

function floats(count, spread, next) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) values[i] = (next() / 2 ** 31 - 1) * spread;
  return Buffer.from(values.buffer);
}

/** Cosines and sines of every position, as the operator wants them. */
function angles(half) {
  const [cos, sin] = [new Float32Array(LONGEST * half), new Float32Array(LONGEST * half)];
  for (let position = 0; position < LONGEST; position += 1) {
    for (let i = 0; i < half; i += 1) {
      const angle = position / 100000 ** (i / half);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return [cos, sin].map((values) => Buffer.from(values.buffer));
}

function graph({ width, layers, heads, kvHeads, inner, vocabulary }, quantized) {
  const next = generator(1234);
  const head = width / heads;
  const kvWidth = head * kvHeads;
  const pieces = [];
  const add = (...more) => pieces.push(...more.flat());
  const vector = (name) => {
    const ones = Buffer.from(new Float32Array(width).fill(1).buffer);
    add(initializer(name, FLOAT, [width], ones));
    return name;
  };
  const norm = (name, x) => {
    const attributes = { axis: -1, epsilon: { float: 1e-5 } };
    add(
      node("SimplifiedLayerNormalization", [x, vector(`${name}.weight`)], [name], attributes),
    );
    return name;
  };
  const linear = (name, x, from, to) => {
    const spread = 0.6 / Math.sqrt(from);
    if (!quantized) {
      add(initializer(`${name}.weight`, FLOAT, [from, to], floats(from * to, spread, next)));
      add(node("MatMul", [x, `${name}.weight`], [name]));
      return name;
    }
    const blocks = from / 32;
    const words = new Uint32Array(to * blocks * 4);
    for (let i = 0; i < words.length; i += 1) words[i] = next();
    const scales = Buffer.from(new Float32Array(to * blocks).fill(spread / 5).buffer);
    add(initializer(`${name}.quants`, UINT8, [to, blocks, 16], Buffer.from(words.buffer)));
    add(initializer(`${name}.scales`, FLOAT, [to * blocks], scales));
    const attributes = { K: from, N: to, bits: 4, block_size: 32, accuracy_level: 4 };
    const inputs = [x, `${name}.quants`, `${name}.scales`];
    add(node("MatMulNBits", inputs, [name], attributes, "com.microsoft"));
    return name;
  };
  const [cos, sin] = angles(head / 2);
  add(initializer("cos", FLOAT, [LONGEST, head / 2], cos));
  add(initializer("sin", FLOAT, [LONGEST, head / 2], sin));
  add(
    initializer(
      "embedding",
      FLOAT,
      [vocabulary, width],
      floats(vocabulary * width, 0.05, next),
    ),
  );
  add(initializer("last", INT64, [1], Buffer.alloc(8, 255)));
  add(input("input_ids", INT64, [1, "rows"]));
  add(input("before_last", INT32, [1]), input("total", INT32, []));
  add(node("Gather", ["embedding", "input_ids"], ["embedded"]));
  let x = "embedded";
  for (let layer = 0; layer < layers; layer += 1) {
    const at = (name) => `${layer}.${name}`;
    const normed = norm(at("attention_norm"), x);
    const q = linear(at("q"), normed, width, width);
    const k = linear(at("k"), normed, width, kvWidth);
    const v = linear(at("v"), normed, width, kvWidth);
    for (const part of ["key", "value"]) {
      add(input(`past.${at(part)}`, FLOAT, [1, kvHeads, "past", head]));
      add(output(`present.${at(part)}`, FLOAT, [1, kvHeads, "total_rows", head]));
    }
    const cache = [`past.${at("key")}`, `past.${at("value")}`];
    const kept = [`present.${at("key")}`, `present.${at("value")}`];
    const operands = [q, k, v, ...cache, "before_last", "total", "cos", "sin"];
    const attributes = { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 };
    const results = [at("attended"), ...kept];
    add(node("GroupQueryAttention", operands, results, attributes, "com.microsoft"));
    const attended = linear(at("o"), at("attended"), width, width);
    add(node("Add", [x, attended], [at("middle")]));
    const second = norm(at("feed_norm"), at("middle"));
    const gate = linear(at("gate"), second, width, inner);
    const up = linear(at("up"), second, width, inner);
    add(
      node("Sigmoid", [gate], [at("sigmoid")]),
      node("Mul", [gate, at("sigmoid")], [at("silu")]),
    );
    add(node("Mul", [at("silu"), up], [at("gated")]));
    const down = linear(at("down"), at("gated"), inner, width);
    add(node("Add", [at("middle"), down], [at("out")]));
    x = at("out");
  }
  add(node("Gather", [norm("output_norm", x), "last"], ["last_row"], { axis: 1 }));
  linear("logits", "last_row", width, vocabulary);
  add(output("logits", FLOAT, [1, 1, vocabulary]));
  return pieces;
}

/** Makes the graph of a model, unless it is there. Gives its path, or nothing where ONNX has no such type. */
export function makeOnnx(name) {
  const { shape, weights } = MODELS[name];
  if (weights !== "Q4_0" && weights !== "F16") return undefined;
  const path = join(FOLDER, `${name}.onnx`);
  if (existsSync(path)) return path;
  writeModel(path, graph(shape, weights === "Q4_0"), { "": 17, "com.microsoft": 1 });
  return path;
}
