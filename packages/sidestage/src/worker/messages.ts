import type { Completion, Effect, Request } from "../protocol.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// What JSON cannot say. Half a character, as a cut string has it, would be an escape that is none in
// UTF-8; the bias that bans a token would be null, and becomes what is minus infinity in single precision.
function sayable(_: string, value: unknown): unknown {
  if (typeof value === "string") return value.replace(/\p{Surrogate}/gu, "\uFFFD");
  return value === -Infinity ? -Number.MAX_VALUE : value;
}

/** A message to the engine. */
export function encode(message: Request | Completion): Uint8Array {
  return encoder.encode(JSON.stringify(message, sayable));
}

/** The engine's effects; `bytes` must not be shared memory, which `TextDecoder` refuses. */
export function decodeEffects(bytes: Uint8Array): Effect[] {
  return JSON.parse(decoder.decode(bytes)) as Effect[];
}
