/**
 * Qwen2's `tokenizer.json`, from the vocabulary in the shared test data: 151,643 tokens and 151,387
 * merges; the rest of the file is as its model has it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const EXPRESSION =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

export function qwen2(data) {
  const path = join(data, "tokenizers/llamacpp-vocab/ggml-vocab-qwen2.gguf");
  const keys = readKeys(readFileSync(path));
  const [tokens, types] = [keys.get("tokens"), keys.get("token_type")];
  const added = tokens.flatMap((content, id) => (types[id] === 3 ? [{ id, content }] : []));
  const names = new Set(added.map(({ content }) => content));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map(({ id, content }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: EXPRESSION }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(
        tokens.flatMap((text, id) => (names.has(text) || types[id] !== 1 ? [] : [[text, id]])),
      ),
      merges: keys.get("merges"),
    },
  };
}

/** The keys `tokenizer.ggml.*` of a GGUF file. */
function readKeys(bytes) {
  let at = 8;
  const u64 = () => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const u32 = () => bytes.readUInt32LE((at += 4) - 4);
  const string = () => {
    const length = u64();
    return bytes.toString("utf8", at, (at += length));
  };
  const sizes = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
  const value = (kind) => {
    if (kind === 8) return string();
    if (kind === 9) {
      const [of, count] = [u32(), u64()];
      return Array.from({ length: count }, () => value(of));
    }
    at += sizes[kind];
    return sizes[kind] === 4 ? bytes.readUInt32LE(at - 4) : undefined;
  };
  u64();
  const keys = new Map();
  for (let count = u64(); count > 0; count -= 1) {
    const name = string();
    keys.set(name.replace("tokenizer.ggml.", ""), value(u32()));
  }
  return keys;
}
