/**
 * Writes GGUF files (version 3, little-endian).
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */

const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;
const ALIGNMENT = 32;

/** Metadata values by their GGUF type. */
export const u32 = (value) => ({ type: UINT32, value });
export const f32 = (value) => ({ type: FLOAT32, value });
export const bool = (value) => ({ type: BOOL, value });
export const string = (value) => ({ type: STRING, value });
export const strings = (value) => ({ type: ARRAY, of: STRING, value });
export const i32s = (value) => ({ type: ARRAY, of: INT32, value });

/** GGML types: number, weights and bytes of a block. */
export const TYPES = {
  F32: { number: 0, weights: 1, bytes: 4 },
  F16: { number: 1, weights: 1, bytes: 2 },
  Q4_0: { number: 2, weights: 32, bytes: 18 },
  Q8_0: { number: 8, weights: 32, bytes: 34 },
  Q4_K: { number: 12, weights: 256, bytes: 144 },
  Q5_K: { number: 13, weights: 256, bytes: 176 },
  Q6_K: { number: 14, weights: 256, bytes: 210 },
  BF16: { number: 30, weights: 1, bytes: 2 },
};

const aligned = (size) => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/** Bytes of a tensor; `shape` has the row's length first. */
export function tensorBytes(type, shape) {
  const { weights, bytes } = TYPES[type];
  if (shape[0] % weights !== 0) {
    throw new Error(
      `rows of ${shape[0]} weights cannot be ${type}: its blocks hold ${weights}`,
    );
  }
  return (shape.reduce((a, b) => a * b, 1) / weights) * bytes;
}

class Bytes {
  #parts = [];
  length = 0;

  put(buffer) {
    this.#parts.push(buffer);
    this.length += buffer.length;
  }

  number(bytes, write, value) {
    const buffer = Buffer.alloc(bytes);
    buffer[write](value, 0);
    this.put(buffer);
  }

  u32(value) {
    this.number(4, "writeUInt32LE", value);
  }

  u64(value) {
    this.number(8, "writeBigUInt64LE", BigInt(value));
  }

  string(value) {
    const text = Buffer.from(value, "utf8");
    this.u64(text.length);
    this.put(text);
  }

  value(type, value) {
    switch (type) {
      case UINT32:
        return this.u32(value);
      case INT32:
        return this.number(4, "writeInt32LE", value);
      case FLOAT32:
        return this.number(4, "writeFloatLE", value);
      case BOOL:
        return this.number(1, "writeUInt8", value ? 1 : 0);
      case STRING:
        return this.string(value);
      default:
        throw new Error(`no writer for metadata type ${type}`);
    }
  }

  join() {
    return Buffer.concat(this.#parts, this.length);
  }
}

/**
 * The file in pieces: the header, then each tensor with its padding. A tensor is
 * `{ name, type, shape, data }`; `data()` gives its bytes when its turn comes.
 */
export function* pieces(metadata, tensors) {
  const head = new Bytes();
  head.put(Buffer.from("GGUF"));
  head.u32(3);
  head.u64(tensors.length);
  head.u64(Object.keys(metadata).length);
  for (const [key, { type, of, value }] of Object.entries(metadata)) {
    head.string(key);
    head.u32(type);
    if (type === ARRAY) {
      head.u32(of);
      head.u64(value.length);
      for (const item of value) head.value(of, item);
    } else {
      head.value(type, value);
    }
  }
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    head.string(name);
    head.u32(shape.length);
    for (const size of shape) head.u64(size);
    head.u32(TYPES[type].number);
    head.u64(offset);
    offset += aligned(tensorBytes(type, shape));
  }
  head.put(Buffer.alloc(aligned(head.length) - head.length));
  yield head.join();
  for (const { type, shape, data } of tensors) {
    const bytes = data();
    const expected = tensorBytes(type, shape);
    if (bytes.length !== expected)
      throw new Error(`${bytes.length} bytes instead of ${expected}`);
    yield bytes;
    yield Buffer.alloc(aligned(expected) - expected);
  }
}
