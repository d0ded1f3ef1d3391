import { Decoder, Encoder } from "@msgpack/msgpack";
import type { Completion, Effect, Request } from "../protocol.js";

const encoder = new Encoder({ ignoreUndefined: true });
const decoder = new Decoder();

/** A message to the engine. The bytes are valid until the next call. */
export function encode(message: Request | Completion): Uint8Array {
  return encoder.encodeSharedRef(message);
}

/** The engine's effects; `bytes` must not be shared memory, which `TextDecoder` refuses. */
export function decodeEffects(bytes: Uint8Array): Effect[] {
  return decoder.decode(bytes) as Effect[];
}
