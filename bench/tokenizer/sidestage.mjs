/** The text module, called as the worker calls it: bytes over its border. */
import { readFileSync } from "node:fs";

const [FILE_NAME, FILE, OPEN_FILES, ENCODE] = [10, 11, 12, 2];
const MODULE = "../../packages/sidestage/dist/sidestage-text.wasm";

export async function prepare() {
  const path = process.env["SIDESTAGE_TEXT_WASM"] ?? new URL(MODULE, import.meta.url);
  const { instance } = await WebAssembly.instantiate(readFileSync(path));
  const text = instance.exports;
  const call = (op, message) => {
    const at = text.alloc(message.length) >>> 0;
    new Uint8Array(text.memory.buffer, at, message.length).set(message);
    const failed = text.call(op, at, message.length);
    text.free(at, message.length);
    const result = new Uint8Array(
      text.memory.buffer,
      text.result_ptr() >>> 0,
      text.result_len(),
    );
    if (failed) throw new Error(new TextDecoder().decode(result));
    return result.slice();
  };
  const encoder = new TextEncoder();
  return (bytes) => {
    call(FILE_NAME, encoder.encode("tokenizer.json"));
    call(FILE, bytes);
    call(OPEN_FILES, new Uint8Array());
    return (string) => {
      const message = new Uint8Array(1 + string.length * 3);
      const { written } = encoder.encodeInto(string, message.subarray(1));
      return new Uint32Array(call(ENCODE, message.subarray(0, 1 + written)).buffer);
    };
  };
}
