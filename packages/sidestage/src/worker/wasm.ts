import { SidestageError } from "../errors.js";
import { BUILD_ID } from "../wire.js";

/** Compiled modules by URL, once for all models of this worker. */
export class Modules {
  readonly #base: string;
  readonly #compiled = new Map<string, Promise<WebAssembly.Module>>();

  /** `base`: the URL of the folder of the wasm files, or of a file in it. */
  constructor(base: string) {
    this.#base = base;
  }

  /** The module of `sidestage-NAME.wasm`. */
  get(name: string): Promise<WebAssembly.Module> {
    // A cache may hold the file of another build under the same name. Servers of files ignore `v`.
    const version = encodeURIComponent(BUILD_ID);
    const url = new URL(`sidestage-${name}.wasm?v=${version}`, this.#base).href;
    let module = this.#compiled.get(url);
    if (!module) {
      module = compile(url);
      this.#compiled.set(url, module);
      // A failure may pass; the next model tries again.
      module.catch(() => this.#compiled.delete(url));
    }
    return module;
  }
}

async function compile(url: string): Promise<WebAssembly.Module> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin" });
  } catch (cause) {
    throw notFound(url, "could not be fetched", {}, cause);
  }
  if (!response.ok) {
    throw notFound(url, `was answered with status ${response.status}`, {
      status: response.status,
    });
  }
  const type = response.headers.get("content-type");
  try {
    if (type === "application/wasm") return await WebAssembly.compileStreaming(response);
    // Any other type is refused by compileStreaming.
    const bytes = await response.arrayBuffer();
    if (!isWasm(bytes)) throw notFound(url, "is no wasm file", { contentType: type });
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    if (cause instanceof SidestageError) throw cause;
    throw refused(url, cause);
  }
}

function isWasm(bytes: ArrayBuffer): boolean {
  const head = new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength));
  return head.length === 4 && [0, 0x61, 0x73, 0x6d].every((byte, at) => head[at] === byte);
}

function notFound(
  url: string,
  why: string,
  detail: Record<string, unknown>,
  cause?: unknown,
): SidestageError {
  return new SidestageError("WASM_NOT_FOUND", `${url} ${why}`, {
    hint: "Serve all of the package's .wasm files beside sidestage-worker.js, or set `wasmUrl`; the policy's connect-src must allow them.",
    detail: { url, ...detail },
    cause,
  });
}

/** Why a module was not compiled or instantiated. */
export function refused(url: string, cause: unknown): SidestageError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/content security policy|unsafe-eval|csp/i.test(message)) {
    return new SidestageError("WASM_BLOCKED", "a Content Security Policy forbids WebAssembly", {
      hint: "Add `'wasm-unsafe-eval'` to script-src: of the worker's own response, and of the page for page mode.",
      detail: { url, browser: message },
      cause,
    });
  }
  if (cause instanceof RangeError || /out of memory|could not allocate/i.test(message)) {
    return outOfMemory(message, cause);
  }
  return new SidestageError("WASM_UNSUPPORTED", `${url} cannot be run here: ${message}`, {
    hint: "The browser must know WebAssembly with 128-bit SIMD.",
    detail: { url, browser: message },
    cause,
  });
}

/** The browser gave no memory. */
export function outOfMemory(
  message: string,
  cause?: unknown,
  detail: Record<string, unknown> = {},
): SidestageError {
  return new SidestageError("OUT_OF_MEMORY", `the browser refused memory: ${message}`, {
    hint: "Use a smaller model or a shorter `contextLength`, or close other tabs.",
    detail,
    cause,
  });
}
