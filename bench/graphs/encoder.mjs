/**
 * An encoder of BERT's kind with the shapes of all-MiniLM-L6-v2, at 128 tokens, as PyTorch exports it:
 * attention, GELU and the mask in single operators. Quantised it is as ONNX Runtime's `quantize_dynamic`
 * makes it: the products with weights in whole numbers, activations rounded as they come.
 */
import { generator } from "../models.mjs";
import {
  FLOAT,
  initializer,
  input,
  INT64,
  INT8,
  node,
  output,
  UINT8,
  writeModel,
} from "../onnx-file.mjs";

export const TOKENS = 128;
const [WIDTH, LAYERS, HEADS, INNER, VOCABULARY, POSITIONS] = [384, 6, 12, 1536, 30522, 512];
const HEAD = WIDTH / HEADS;

/** Multiply-adds: products with weights, and attention. */
export const MACS =
  LAYERS * TOKENS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER + 2 * TOKENS * WIDTH);

const bytes = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

export function writeEncoder(path, quantised) {
  const pieces = [];
  const add = (...more) => pieces.push(...more.flat());
  const next = generator(1234);
  const random = (count, spread) =>
    Float32Array.from({ length: count }, () => (next() / 2 ** 31 - 1) * spread);
  const floats = (name, dims, values) => {
    add(initializer(name, FLOAT, dims, bytes(values)));
    return name;
  };
  const number = (name, value) => floats(name, [], new Float32Array([value]));
  const list = (name, values) => {
    add(initializer(name, INT64, [values.length], bytes(BigInt64Array.from(values, BigInt))));
    return name;
  };
  const apply = (op, inputs, name, attributes) => {
    add(node(op, inputs, [name], attributes));
    return name;
  };

  /** `x · weights`, and what is added: both kinds read the rounded activations of one node. */
  const rounded = new Map();
  const linear = (name, x, from, to) => {
    const values = random(from * to, Math.sqrt(3 / from));
    const bias = floats(`${name}.bias`, [to], random(to, 0.05));
    if (!quantised) {
      const product = apply(
        "MatMul",
        [x, floats(`${name}.weight`, [from, to], values)],
        `${name}.product`,
      );
      return apply("Add", [bias, product], name);
    }
    if (!rounded.has(x)) {
      const results = ["whole", "scale", "zero"].map((part) => `${x}.${part}`);
      add(node("DynamicQuantizeLinear", [x], results));
      rounded.set(x, results);
    }
    const [whole, scale, zero] = rounded.get(x);
    const step = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    const weights = Int8Array.from(values, (value) => Math.round(value / step));
    add(initializer(`${name}.weight`, INT8, [from, to], bytes(weights)));
    add(initializer(`${name}.zero`, INT8, [], bytes(new Int8Array(1))));
    const operands = [whole, `${name}.weight`, zero, `${name}.zero`];
    const sums = apply("MatMulInteger", operands, `${name}.sums`);
    const factor = apply("Mul", [scale, number(`${name}.step`, step)], `${name}.factor`);
    const cast = apply("Cast", [sums], `${name}.cast`, { to: FLOAT });
    const product = apply("Mul", [cast, factor], `${name}.product`);
    return apply("Add", [bias, product], name);
  };
  const norm = (name, x) => {
    const weight = floats(
      `${name}.weight`,
      [WIDTH],
      random(WIDTH, 0.1).map((value) => 1 + value),
    );
    const bias = floats(`${name}.bias`, [WIDTH], random(WIDTH, 0.05));
    const attributes = { axis: -1, epsilon: { float: 1e-12 } };
    return apply("LayerNormalization", [x, weight, bias], name, attributes);
  };
  /** A table of vectors, in 8 bits as quantize_dynamic makes it. */
  const embedding = (name, count, ids) => {
    const values = random(count * WIDTH, 0.05);
    if (!quantised) {
      return apply("Gather", [floats(`${name}.weight`, [count, WIDTH], values), ids], name);
    }
    const step = 0.1 / 255;
    const table = Uint8ClampedArray.from(values, (value) => Math.round(value / step + 128));
    add(initializer(`${name}.weight`, UINT8, [count, WIDTH], bytes(table)));
    add(initializer(`${name}.zero`, UINT8, [], bytes(new Uint8Array([128]))));
    const taken = apply("Gather", [`${name}.weight`, ids], `${name}.taken`);
    return apply(
      "DequantizeLinear",
      [taken, number(`${name}.step`, step), `${name}.zero`],
      name,
    );
  };

  for (const name of ["input_ids", "attention_mask", "token_type_ids"]) {
    add(input(name, INT64, [1, TOKENS]));
  }
  add(output("last_hidden_state", FLOAT, [1, TOKENS, WIDTH]));

  // 0 where the mask is 1, else the least number.
  const axes = list("mask.axes", [1, 2]);
  const spread = apply("Unsqueeze", ["attention_mask", axes], "mask.spread");
  const ones = apply("Cast", [spread], "mask.ones", { to: FLOAT });
  const holes = apply("Sub", [number("one", 1), ones], "mask.holes");
  const mask = apply("Mul", [holes, number("least", -3.4028234663852886e38)], "mask");

  add(
    initializer(
      "positions",
      INT64,
      [1, TOKENS],
      bytes(BigInt64Array.from({ length: TOKENS }, (_, i) => BigInt(i))),
    ),
  );
  const words = embedding("words", VOCABULARY, "input_ids");
  const types = embedding("types", 2, "token_type_ids");
  const places = embedding("places", POSITIONS, "positions");
  const sum = apply("Add", [apply("Add", [words, types], "embedded.0"), places], "embedded.1");
  let x = norm("embedded", sum);

  const split = list("split", [1, TOKENS, HEADS, HEAD]);
  const merge = list("merge", [1, TOKENS, WIDTH]);
  const root = number("root", Math.sqrt(HEAD));
  const [half, rootTwo] = [number("half", 0.5), number("root_two", Math.SQRT2)];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const at = (name) => `${layer}.${name}`;
    const heads = (name, perm) => {
      const rows = apply(
        "Reshape",
        [linear(at(name), x, WIDTH, WIDTH), split],
        at(`${name}.split`),
      );
      return apply("Transpose", [rows], at(`${name}.heads`), { perm });
    };
    const q = heads("query", [0, 2, 1, 3]);
    const k = heads("key", [0, 2, 3, 1]);
    const v = heads("value", [0, 2, 1, 3]);
    const scores = apply("Div", [apply("MatMul", [q, k], at("products")), root], at("scores"));
    const masked = apply("Add", [scores, mask], at("masked"));
    const shares = apply("Softmax", [masked], at("shares"), { axis: -1 });
    const mixed = apply("MatMul", [shares, v], at("mixed"));
    const back = apply("Transpose", [mixed], at("back"), { perm: [0, 2, 1, 3] });
    const attended = linear(
      at("out"),
      apply("Reshape", [back, merge], at("attended")),
      WIDTH,
      WIDTH,
    );
    const middle = norm(at("middle"), apply("Add", [attended, x], at("middle.sum")));
    const inner = linear(at("inner"), middle, WIDTH, INNER);
    const erf = apply("Erf", [apply("Div", [inner, rootTwo], at("gelu.0"))], at("gelu.1"));
    const grown = apply("Mul", [inner, apply("Add", [erf, "one"], at("gelu.2"))], at("gelu.3"));
    const gelu = apply("Mul", [grown, half], at("gelu"));
    const outer = linear(at("outer"), gelu, INNER, WIDTH);
    const last = layer === LAYERS - 1;
    const total = apply("Add", [outer, middle], at("outer.sum"));
    x = norm(last ? "last_hidden_state" : at("outputs"), total);
  }
  writeModel(path, pieces, { "": 17 });
}
