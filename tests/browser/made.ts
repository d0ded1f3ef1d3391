import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Models that the tests make from the story model. */
export const MADE: Record<string, (models: string) => Buffer> = {
  /** With a chat template. */
  "chat.gguf": (models) =>
    withTemplate(
      story(models),
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
    ),
  /** With a template that opens the model's reasoning. */
  "think.gguf": (models) =>
    withTemplate(
      story(models),
      "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}",
    ),
  /** With a context of 8192 positions, for work that takes its time. */
  "long.gguf": (models) => {
    const bytes = Buffer.from(story(models));
    const key = "llama.context_length";
    bytes.writeUInt32LE(8192, bytes.indexOf(key) + key.length + 4);
    return bytes;
  },
  /** With the name of a graph. */
  "story.onnx": story,
  /** A graph with the name of a language model. */
  "digits.gguf": (models) => readFileSync(join(models, "../onnx/mnist-12.onnx")),
  /** A decoder that is a graph, with a tokenizer beside it. */
  "talk/model.onnx": (models) => readFileSync(join(models, "../onnx/stories260K-kv.onnx")),
  ...Object.fromEntries(
    ["config.json", "tokenizer.json", "tokenizer_config.json"].map((name) => [
      `talk/${name}`,
      (models: string) => readFileSync(join(models, "stories260K-hf", name)),
    ]),
  ),
  /** Of an architecture that nobody knows. */
  "unknown.gguf": (models) => {
    const bytes = Buffer.from(story(models));
    const key = "general.architecture";
    const at = bytes.indexOf(key) + key.length + 4 + 8;
    bytes.write("lamma", at, "latin1");
    return bytes;
  },
};

function story(models: string): Buffer {
  return readFileSync(join(models, "stories260K-F32.gguf"));
}

/** Fixed sizes of GGUF's metadata types; strings (8) and arrays (9) are read. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;
const ALIGNMENT = 32;

/** The same file with the key `tokenizer.chat_template` added. */
function withTemplate(file: Buffer, template: string): Buffer {
  const tensors = Number(file.readBigUInt64LE(8));
  const pairs = file.readBigUInt64LE(16);
  let at = 24;
  const length = (): number => {
    const value = Number(file.readBigUInt64LE(at));
    at += 8;
    return value;
  };
  const type = (): number => {
    const value = file.readUInt32LE(at);
    at += 4;
    return value;
  };
  const text = (): void => {
    const bytes = length();
    at += bytes;
  };
  const value = (kind: number): void => {
    if (kind === STRING) text();
    else if (kind === ARRAY) {
      const of = type();
      for (let left = length(); left > 0; left -= 1) value(of);
    } else at += SIZES[kind] ?? 0;
  };
  for (let left = pairs; left > 0n; left -= 1n) {
    text();
    value(type());
  }
  const end = at;
  for (let left = tensors; left > 0; left -= 1) {
    text();
    const dimensions = type();
    at += dimensions * 8 + 4 + 8;
  }
  const data = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
  const head = Buffer.from(file.subarray(0, end));
  head.writeBigUInt64LE(pairs + 1n, 16);
  const header = Buffer.concat([
    head,
    string("tokenizer.chat_template"),
    u32(STRING),
    string(template),
    file.subarray(end, at),
  ]);
  const padding = Buffer.alloc((ALIGNMENT - (header.length % ALIGNMENT)) % ALIGNMENT);
  return Buffer.concat([header, padding, file.subarray(data)]);
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([head, bytes]);
}
