/**
 * Writes the same shapes as ONNX graphs, for ONNX Runtime Web: float weights as they are, 4-bit ones in
 * MatMulNBits with blocks of 32, attention as GroupQueryAttention. As onnxruntime-genai's builder does,
 * but the head sees the last position only, which is faster.
 *
 * Formats: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and ContribOperators.md of ONNX Runtime.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { FOLDER, generator, MODELS } from "./models.mjs";

const FLOAT = 1;
const UINT8 = 2;
const INT32 = 6;
const INT64 = 7;
const LONGEST = 8192;

/** A message in pieces, so that weights are not copied at each level. */
const size = (pieces) => pieces.reduce((sum, piece) => sum + piece.length, 0);

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const number = (field, value) => [varint(field << 3), varint(value)];
const message = (field, pieces) => [varint((field << 3) | 2), varint(size(pieces)), ...pieces];
const text = (field, value) => message(field, [Buffer.from(value, "utf8")]);

function float(field, value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return [varint((field << 3) | 5), bytes];
}

function attribute([name, value]) {
  const isFloat = typeof value === "object";
  const body = isFloat ? float(2, value.float) : number(3, value);
  return message(5, [...text(1, name), ...body, ...number(20, isFloat ? 1 : 2)]);
}

function node(type, inputs, outputs, attributes = {}, domain = "") {
  return message(1, [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, type),
    ...Object.entries(attributes).flatMap(attribute),
    ...text(7, domain),
  ]);
}

function initializer(name, type, dims, data) {
  const shape = dims.flatMap((dim) => number(1, dim));
  return message(5, [...shape, ...number(2, type), ...text(8, name), ...message(9, [data])]);
}

function value(field, name, type, dims) {
  const shape = dims.flatMap((dim) =>
    message(1, typeof dim === "string" ? text(2, dim) : number(1, dim)),
  );
  const tensor = message(1, [...number(1, type), ...message(2, shape)]);
  return message(field, [...text(1, name), ...message(2, tensor)]);
}

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
    const attributes = { axis: -1n & 0xffff_ffff_ffff_ffffn, epsilon: { float: 1e-5 } };
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
  add(value(11, "input_ids", INT64, [1, "rows"]));
  add(value(11, "before_last", INT32, [1]), value(11, "total", INT32, []));
  add(node("Gather", ["embedding", "input_ids"], ["embedded"]));
  let x = "embedded";
  for (let layer = 0; layer < layers; layer += 1) {
    const at = (name) => `${layer}.${name}`;
    const normed = norm(at("attention_norm"), x);
    const q = linear(at("q"), normed, width, width);
    const k = linear(at("k"), normed, width, kvWidth);
    const v = linear(at("v"), normed, width, kvWidth);
    for (const part of ["key", "value"]) {
      add(value(11, `past.${at(part)}`, FLOAT, [1, kvHeads, "past", head]));
      add(value(12, `present.${at(part)}`, FLOAT, [1, kvHeads, "total_rows", head]));
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
  add(value(12, "logits", FLOAT, [1, 1, vocabulary]));
  add(text(2, "decoder"));
  return pieces;
}

/** Makes the graph of a model, unless it is there. Gives its path, or nothing where ONNX has no such type. */
export function makeOnnx(name) {
  const { shape, weights } = MODELS[name];
  if (weights !== "Q4_0" && weights !== "F16") return undefined;
  const path = join(FOLDER, `${name}.onnx`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const opset = (domain, version) => message(8, [...text(1, domain), ...number(2, version)]);
  const pieces = [
    ...number(1, 8),
    ...opset("", 17),
    ...opset("com.microsoft", 1),
    ...message(7, graph(shape, weights === "Q4_0")),
  ];
  const file = openSync(`${path}.part`, "w");
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
  }
  closeSync(file);
  renameSync(`${path}.part`, path);
  return path;
}
