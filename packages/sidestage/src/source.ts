import { SidestageError } from "./errors.js";
import type { ModelSource } from "./protocol.js";
import type { HeldFiles } from "./wire.js";

/**
 * A URL, `hf:owner/repo[/path][@revision]`, a `File` or `Blob`, bytes; or several files: all parts
 * of a split GGUF, or a folder of a model, which is read in the worker.
 */
export type Source =
  | string
  | URL
  | Blob
  | ArrayBuffer
  | ArrayBufferView
  | readonly File[]
  | FileList
  | FileSystemDirectoryHandle;

/** A source as the worker gets it. */
export interface CheckedSource {
  source: ModelSource;
  /** The files to send with each load. */
  held: HeldFiles | undefined;
  /** Whether it can be sent again: bytes are handed over, not kept. */
  reloadable: boolean;
}

function invalid(message: string, cause?: unknown): SidestageError {
  return new SidestageError("INVALID_SOURCE", message, {
    hint: "Give a URL, `hf:owner/repo`, Files or a folder's handle, a Blob, an ArrayBuffer or a typed array.",
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
  if (isBlob(given)) {
    return held([{ bytes: given, name: nameOf(given), size: given.size }], true);
  }
  if (given instanceof ArrayBuffer) {
    const bytes = new Uint8Array(given);
    return held([{ bytes, name: "bytes", size: given.byteLength }], false);
  }
  if (ArrayBuffer.isView(given)) {
    const view = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
    // Only the view's bytes are sent, not the buffer they lie in; a shared one cannot be sent.
    const whole =
      view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength;
    const bytes = whole ? view : view.slice();
    return held([{ bytes, name: "bytes", size: view.byteLength }], false);
  }
  if ((given as { kind?: unknown } | null)?.kind === "directory") {
    return {
      source: { kind: "held", files: [] },
      held: given as FileSystemDirectoryHandle,
      reloadable: true,
    };
  }
  const files = listOf(given);
  if (files)
    return held(
      files.map((bytes) => ({ bytes, name: nameOf(bytes), size: bytes.size })),
      true,
    );
  throw invalid("the model's source is neither a URL nor files nor bytes");
}

/** An absolute URL; `hf:` sources are so already. */
export function absolute(url: string, base: string | undefined): string {
  if (url === "") throw invalid("the model's URL is empty");
  if (url.startsWith("hf:")) return url;
  try {
    return new URL(url, base).href;
  } catch (cause) {
    throw invalid(`"${url}" is not a URL`, cause);
  }
}

interface HeldFile {
  bytes: Blob | Uint8Array;
  name: string;
  size: number;
}

function held(files: HeldFile[], reloadable: boolean): CheckedSource {
  if (files.every(({ size }) => size === 0)) {
    const [first] = files;
    throw invalid(first ? `the model's source "${first.name}" is empty` : "no file is given");
  }
  return {
    source: { kind: "held", files: files.map(({ name, size }) => ({ name, size })) },
    held: files.map(({ bytes }) => bytes),
    reloadable,
  };
}

// An array or a FileList. Of a chosen folder (`webkitdirectory`) only what lies right in it, as with
// a folder's handle.
function listOf(given: unknown): Blob[] | undefined {
  const isList =
    Array.isArray(given) || (typeof FileList === "function" && given instanceof FileList);
  if (!isList) return undefined;
  const files = Array.from(given as ArrayLike<unknown>);
  if (!files.every(isBlob)) return undefined;
  return files.filter((file) => pathOf(file).split("/").length <= 2);
}

function isBlob(file: unknown): file is Blob {
  return typeof Blob === "function" && file instanceof Blob;
}

function pathOf(file: Blob): string {
  return (file as Partial<File>).webkitRelativePath ?? "";
}

function nameOf(file: Blob): string {
  return "name" in file ? String(file.name) : "blob";
}
