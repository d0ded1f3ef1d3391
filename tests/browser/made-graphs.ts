import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Graph models that the tests make from real ones; `data` is the folder of those. */
export const MADE_GRAPHS: Record<string, (data: string) => Buffer> = {
  /** Its weights lie in a file beside it. */
  "outside/model.onnx": (data) => outside(data).model,
  "outside/weights.bin": (data) => outside(data).weights,
  /** The same, with two operators that nobody has. */
  "unknown/model.onnx": (data) => {
    const text = outside(data).model.toString("latin1");
    return Buffer.from(
      text.replaceAll('"\x04Conv', '"\x04Corv').replaceAll('"\x07MaxPool', '"\x07MaxFool'),
      "latin1",
    );
  },
  "unknown/model.json": (data) =>
    edited(data, "tfjs-mini-graph", ["weights.bin"], (text) =>
      text.replace('"op": "MatMul"', '"op": "MatFul"'),
    ),
  /** In several shards, cut in the middle of elements. */
  "shards/model.json": (data) => edited(data, "human-emotion", ["a.bin", "b.bin", "c.bin"]),
  "shards/a.bin": (data) => emotion(data).subarray(0, 99_999),
  "shards/b.bin": (data) => emotion(data).subarray(99_999, 100_002),
  "shards/c.bin": (data) => emotion(data).subarray(100_002),
  /** One of whose shards is not there. */
  "missing/model.json": (data) => edited(data, "human-emotion", ["a.bin", "gone.bin"]),
  "missing/a.bin": (data) => emotion(data).subarray(0, 99_999),
};

function emotion(data: string): Buffer {
  return readFileSync(join(data, "tfjs/human-emotion/emotion.bin"));
}

/** A `model.json` with other shards. */
function edited(
  data: string,
  model: string,
  paths: string[],
  edit = (text: string): string => text,
): Buffer {
  const file = edit(readFileSync(join(data, "tfjs", model, "model.json"), "utf8"));
  const json = JSON.parse(file) as { weightsManifest: { paths: string[] }[] };
  for (const group of json.weightsManifest) group.paths = paths;
  return Buffer.from(JSON.stringify(json));
}

// Fields of ONNX's messages (onnx.proto).
const GRAPH = 7;
const INITIALIZER = 5;
const FLOAT_DATA = 4;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
const EXTERNAL = 1;

/** A model whose floats lie in `weights.bin`, each of them 64 bytes behind the last. */
function outside(data: string): { model: Buffer; weights: Buffer } {
  const file = readFileSync(join(data, "onnx/mnist-12.onnx"));
  let weights = Buffer.alloc(64, 7);
  const entry = (key: string, value: string): Buffer =>
    field(
      EXTERNAL_DATA,
      Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]),
    );
  const initializer = (tensor: Buffer): Buffer =>
    mapped(tensor, (number, bytes) => {
      if (number !== FLOAT_DATA) return undefined;
      const at = weights.length;
      weights = Buffer.concat([weights, bytes, Buffer.alloc(64, 7)]);
      return Buffer.concat([
        entry("location", "weights.bin"),
        entry("offset", String(at)),
        entry("length", String(bytes.length)),
        Buffer.from([DATA_LOCATION << 3, EXTERNAL]),
      ]);
    });
  const model = mapped(file, (number, graph) => {
    if (number !== GRAPH) return undefined;
    const moved = mapped(graph, (inner, bytes) =>
      inner === INITIALIZER ? field(INITIALIZER, initializer(bytes)) : undefined,
    );
    return field(GRAPH, moved);
  });
  return { model, weights };
}

/** A message of protocol buffers with some of its fields of bytes replaced. */
function mapped(
  message: Buffer,
  change: (number: number, bytes: Buffer) => Buffer | undefined,
): Buffer {
  const out: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at] ?? 0;
      at += 1;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    let replaced: Buffer | undefined;
    if ((tag & 7) === 0) varint();
    else if ((tag & 7) === 2) {
      const length = varint();
      at += length;
      replaced = change(tag >> 3, message.subarray(at - length, at));
    } else at += (tag & 7) === 5 ? 4 : 8;
    out.push(replaced ?? message.subarray(start, at));
  }
  return Buffer.concat(out);
}

function field(number: number, bytes: Buffer): Buffer {
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 127; length = Math.floor(length / 128)) head.push((length % 128) | 128);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}
