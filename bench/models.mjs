#!/usr/bin/env node
/**
 * Makes the models that are measured: random weights, the shapes of real models, the same bytes on
 * every machine. What they say is nonsense; what they cost is what the real ones cost.
 *
 *     node bench/models.mjs [NAME …]
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bool, f32, i32s, pieces, string, strings, tensorBytes, TYPES, u32 } from "./gguf.mjs";

const SMOLLM2_135M = {
  width: 576,
  layers: 30,
  heads: 9,
  kvHeads: 3,
  inner: 1536,
  vocabulary: 49152,
};
// Widths of SmolLM2 are no multiples of 256, which K-quants need.
const LLAMA_300M = {
  width: 1024,
  layers: 24,
  heads: 16,
  kvHeads: 4,
  inner: 2816,
  vocabulary: 49152,
};
// The shape of Qwen2.5-0.5B, with its vocabulary.
const QWEN_500M = {
  width: 896,
  layers: 24,
  heads: 14,
  kvHeads: 2,
  inner: 4864,
  vocabulary: 151936,
};
// For tests of life and death: loaded in no time.
const TINY = {
  width: 256,
  layers: 4,
  heads: 4,
  kvHeads: 2,
  inner: 512,
  vocabulary: 1024,
};

/** llama.cpp's numbers of the mixtures, and the type of the embeddings in each. */
const MIXTURES = {
  q4_0: { weights: "Q4_0", embedding: "Q8_0", fileType: 2 },
  q8_0: { weights: "Q8_0", embedding: "Q8_0", fileType: 7 },
  q4_k: { weights: "Q4_K", embedding: "Q6_K", fileType: 14 },
  q5_k: { weights: "Q5_K", embedding: "Q6_K", fileType: 16 },
  q6_k: { weights: "Q6_K", embedding: "Q6_K", fileType: 18 },
  f16: { weights: "F16", embedding: "F16", fileType: 1 },
  bf16: { weights: "BF16", embedding: "BF16", fileType: 32 },
};

const named = (name, shape, mixtures) =>
  mixtures.map((mixture) => [`${name}-${mixture}`, { shape, ...MIXTURES[mixture] }]);

/** Names, shapes and types. */
export const MODELS = Object.fromEntries([
  ...named("smollm2-135m", SMOLLM2_135M, ["q4_0", "q8_0", "f16", "bf16"]),
  ...named("llama-300m", LLAMA_300M, ["q4_0", "q8_0", "q4_k", "q5_k", "q6_k", "f16"]),
  ...named("qwen-0.5b", QWEN_500M, ["q4_0", "q8_0"]),
  ["tiny", { shape: TINY, ...MIXTURES.q8_0 }],
]);

/** Those whose speed is measured. */
export const MEASURED = ["smollm2-135m-q4_0", "smollm2-135m-q8_0", "llama-300m-q4_k"];

/** Of the makers' source: models of an older maker are not taken for those of this one. */
const MAKER = createHash("sha256")
  .update(readFileSync(new URL("models.mjs", import.meta.url)))
  .update(readFileSync(new URL("gguf.mjs", import.meta.url)))
  .update(readFileSync(new URL("onnx.mjs", import.meta.url)))
  .update(readFileSync(new URL("onnx-file.mjs", import.meta.url)))
  .digest("hex")
  .slice(0, 8);

/** Where the models lie: with what else builds keep, or here. */
export const FOLDER = process.env.SIDESTAGE_CACHE
  ? join(process.env.SIDESTAGE_CACHE, "bench-models", MAKER)
  : fileURLToPath(new URL(`models/${MAKER}`, import.meta.url));

/** xorshift32: fast, and good enough for weights that mean nothing. */
export function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function half(value) {
  const [bits] = new Uint32Array(new Float32Array([value]).buffer);
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent >= 31) throw new Error(`${value} is no half`);
  // Below the normal halves: steps of 2^-24.
  if (exponent <= 0) return Math.round(value * 2 ** 24);
  return (exponent << 10) + ((bits & 0x7fffff) >>> 13);
}

/**
 * Where a block holds its halves, and how wide a weight spreads for a scale of one (standard
 * deviation, all other bits random). Blocks: ggml-common.h of llama.cpp.
 */
const BLOCKS = {
  Q4_0: { spread: 4.6, halves: [[0, 1]] },
  Q8_0: { spread: 73.9, halves: [[0, 1]] },
  // d and dmin: with dmin = 7.5 d the mean is zero.
  Q4_K: {
    spread: 258,
    halves: [
      [0, 1],
      [2, 7.5],
    ],
  },
  Q5_K: {
    spread: 530,
    halves: [
      [0, 1],
      [2, 15.5],
    ],
  },
  Q6_K: { spread: 1367, halves: [[208, 1]] },
};

/** The upper half of a float. */
function brain(value) {
  return new Uint32Array(new Float32Array([value]).buffer)[0] >>> 16;
}

/** Floats of 16 bits and both signs, all about as far from zero as `deviation`. */
function randomFloats(type, count, deviation, next) {
  const [scale, exponent] =
    type === "F16" ? [half(deviation), 0x7c00] : [brain(deviation), 0x7f80];
  const values = new Uint16Array(count);
  // Its exponent, with a random sign and fraction.
  for (let i = 0; i < count; i += 1) values[i] = (scale & exponent) | (next() & ~exponent);
  return Buffer.from(values.buffer);
}

/** Random blocks whose weights have the standard deviation `deviation`. */
function randomBlocks(type, shape, deviation, next) {
  const length = tensorBytes(type, shape);
  if (type === "F16" || type === "BF16") return randomFloats(type, length / 2, deviation, next);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i += 1) words[i] = next();
  const bytes = Buffer.from(words.buffer, 0, length);
  const { spread, halves } = BLOCKS[type];
  for (const [at, factor] of halves) {
    const scale = half((deviation / spread) * factor);
    for (let block = at; block < length; block += TYPES[type].bytes)
      bytes.writeUInt16LE(scale, block);
  }
  return bytes;
}

/** Norm weights near one. */
function norms(count, next) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) values[i] = 0.9 + (0.2 * next()) / 2 ** 32;
  return Buffer.from(values.buffer);
}

function tensors({ shape, weights, embedding }, next) {
  const { width, layers, heads, kvHeads, inner, vocabulary: words } = shape;
  const kvWidth = (width / heads) * kvHeads;
  const norm = (name) => ({
    name,
    type: "F32",
    shape: [width],
    data: () => norms(width, next),
  });
  const matrix = (name, from, to) => ({
    name,
    type: weights,
    shape: [from, to],
    data: () => randomBlocks(weights, [from, to], 0.6 / Math.sqrt(from), next),
  });
  const list = [
    {
      name: "token_embd.weight",
      type: embedding,
      shape: [width, words],
      data: () => randomBlocks(embedding, [width, words], 0.05, next),
    },
    norm("output_norm.weight"),
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `blk.${layer}.`;
    list.push(
      norm(`${at}attn_norm.weight`),
      matrix(`${at}attn_q.weight`, width, width),
      matrix(`${at}attn_k.weight`, width, kvWidth),
      matrix(`${at}attn_v.weight`, width, kvWidth),
      matrix(`${at}attn_output.weight`, width, width),
      norm(`${at}ffn_norm.weight`),
      matrix(`${at}ffn_gate.weight`, width, inner),
      matrix(`${at}ffn_up.weight`, width, inner),
      matrix(`${at}ffn_down.weight`, inner, width),
    );
  }
  return list;
}

/** GPT-2's characters for the 256 bytes. */
function byteCharacters() {
  const printable = (byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(printable(byte) ? byte : other++),
  );
}

/**
 * A byte-level vocabulary of the right size. Digits never merge, so that N digits are N tokens: this
 * is how an engine that takes only text is given as many tokens as the others.
 */
function vocabulary(size) {
  const control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  const tokens = [...control, ...byteCharacters(), "th", "the"];
  while (tokens.length < size) tokens.push(`word${tokens.length}`);
  const CONTROL = 3;
  const NORMAL = 1;
  const types = tokens.map((_, id) => (id < control.length ? CONTROL : NORMAL));
  return { tokens, types, merges: ["t h", "th e"] };
}

function metadata(name, { shape, fileType }) {
  const { tokens, types, merges } = vocabulary(shape.vocabulary);
  return {
    "general.architecture": string("llama"),
    "general.name": string(`${name}-random`),
    "general.file_type": u32(fileType),
    "general.quantization_version": u32(2),
    "llama.context_length": u32(8192),
    "llama.embedding_length": u32(shape.width),
    "llama.block_count": u32(shape.layers),
    "llama.feed_forward_length": u32(shape.inner),
    "llama.attention.head_count": u32(shape.heads),
    "llama.attention.head_count_kv": u32(shape.kvHeads),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "llama.rope.dimension_count": u32(shape.width / shape.heads),
    "llama.rope.freq_base": f32(100000),
    "llama.vocab_size": u32(shape.vocabulary),
    "tokenizer.ggml.model": string("gpt2"),
    "tokenizer.ggml.pre": string("smollm"),
    "tokenizer.ggml.tokens": strings(tokens),
    "tokenizer.ggml.token_type": i32s(types),
    "tokenizer.ggml.merges": strings(merges),
    "tokenizer.ggml.bos_token_id": u32(0),
    "tokenizer.ggml.eos_token_id": u32(2),
    "tokenizer.ggml.add_bos_token": bool(false),
  };
}

/**
 * What a step must do: bytes that an answer's token reads, and multiply-adds that one of a prompt needs
 * (its attention, which depends on its place, is left out).
 */
export function cost(name) {
  const all = tensors(MODELS[name], () => 0);
  const layers = all.filter(({ name: tensor }) => tensor.startsWith("blk."));
  const elements = ({ shape }) => shape.reduce((a, b) => a * b, 1);
  return {
    bytes: all.reduce((sum, { type, shape }) => sum + tensorBytes(type, shape), 0),
    macs: layers
      .filter(({ shape }) => shape.length === 2)
      .reduce((sum, it) => sum + elements(it), 0),
  };
}

/** Makes a model, unless it is there. Gives its path. */
export function make(name) {
  const model = MODELS[name];
  if (model === undefined) {
    throw new Error(`no model ${name}; there are ${Object.keys(MODELS).join(", ")}`);
  }
  const path = join(FOLDER, `${name}.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(FOLDER, { recursive: true });
  // Under another name until it is whole, so that a broken run leaves no half model.
  const part = `${path}.part`;
  const file = openSync(part, "w");
  for (const piece of pieces(metadata(name, model), tensors(model, generator(1234)))) {
    for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
  }
  closeSync(file);
  renameSync(part, path);
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  for (const name of names.length > 0 ? names : Object.keys(MODELS)) console.log(make(name));
}
