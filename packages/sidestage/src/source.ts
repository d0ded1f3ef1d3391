import { SidestageError } from "./errors.js";
import type { ModelSource } from "./protocol.js";

/** A URL, `hf:owner/repo/file[@revision]`, a `File` or `Blob`, or bytes. */
export type Source = string | URL | Blob | ArrayBuffer | ArrayBufferView;

/** A source as the worker gets it. */
export interface CheckedSource {
  source: ModelSource;
  /** The bytes to send with each load. */
  held: Blob | Uint8Array | undefined;
  /** Whether it can be sent again: bytes are handed over, not kept. */
  reloadable: boolean;
}

function invalid(message: string, cause?: unknown): SidestageError {
  return new SidestageError("INVALID_SOURCE", message, {
    hint: "Give a URL, `hf:owner/repo/file`, a File or Blob, an ArrayBuffer or a typed array.",
    cause,
  });
}

/** Checks a source; relative URLs are relative to the page, `base`. */
export function checkSource(given: unknown, base: string | undefined): CheckedSource {
  if (typeof given === "string" || given instanceof URL) {
    return {
      source: { kind: "url", url: absolute(String(given), base) },
      held: undefined,
      reloadable: true,
    };
  }
  if (typeof Blob === "function" && given instanceof Blob) {
    const name = "name" in given ? String(given.name) : "blob";
    return held(given, name, given.size, true);
  }
  if (given instanceof ArrayBuffer) {
    return held(new Uint8Array(given), "bytes", given.byteLength, false);
  }
  if (ArrayBuffer.isView(given)) {
    const view = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
    // Only the view's bytes are sent, not the buffer they lie in; a shared one cannot be sent.
    const whole =
      view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength;
    return held(whole ? view : view.slice(), "bytes", view.byteLength, false);
  }
  throw invalid("the model's source is neither a URL nor a Blob nor bytes");
}

function held(
  bytes: Blob | Uint8Array,
  name: string,
  size: number,
  reloadable: boolean,
): CheckedSource {
  if (size === 0) throw invalid(`the model's source "${name}" is empty`);
  return { source: { kind: "held", files: [{ name, size }] }, held: bytes, reloadable };
}

function absolute(url: string, base: string | undefined): string {
  if (url === "") throw invalid("the model's URL is empty");
  if (url.startsWith("hf:")) return url;
  try {
    return new URL(url, base).href;
  } catch (cause) {
    throw invalid(`"${url}" is not a URL`, cause);
  }
}
