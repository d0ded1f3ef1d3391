import type { ErrorInfo } from "./protocol.js";

/**
 * The codes that the JavaScript side gives. The engine adds its own (`MODEL_INVALID` and so on);
 * they reach the page unchanged.
 */
export type ClientErrorCode =
  /** The browser has no `Worker`, `MessageChannel` or `ReadableStream`, and `useWorker` is true. */
  | "WORKER_NOT_SUPPORTED"
  /** The worker's script could not be started; `detail.cause` is csp, coep, http, mime, network, … */
  | "WORKER_BLOCKED"
  /** The worker started but did not answer in time. */
  | "WORKER_START_TIMEOUT"
  /** The worker died or was terminated while a request was open. */
  | "WORKER_TERMINATED"
  /** A running request gave no sign of life for `workerOptions.timeout`. */
  | "WORKER_TIMEOUT"
  /** A Content Security Policy forbids WebAssembly. */
  | "WASM_BLOCKED"
  /** The browser lacks WebAssembly or its 128-bit SIMD. */
  | "WASM_UNSUPPORTED"
  /** A wasm file could not be fetched or is not one. */
  | "WASM_NOT_FOUND"
  /** Page and worker are of different builds. */
  | "VERSION_MISMATCH"
  /** The engine trapped; its model is gone, and is loaded again on next use. */
  | "ENGINE_CRASHED"
  /** The browser refused memory. */
  | "OUT_OF_MEMORY"
  /** The device asked for is not there. */
  | "DEVICE_UNAVAILABLE"
  /** An option cannot be; `detail.option` names it. */
  | "INVALID_OPTION"
  /** The model's source is neither a URL nor files nor bytes. */
  | "INVALID_SOURCE"
  /** A model's files cannot be deleted while a tab loads it. */
  | "MODEL_IN_USE"
  /** A folder cannot be read; the engine says it of servers too. */
  | "ACCESS_DENIED"
  /** The worker has no canvas to read pixels with. */
  | "PIXELS_UNSUPPORTED"
  /** The model was disposed. */
  | "MODEL_DISPOSED"
  /** The load was aborted; `cause` is the signal's reason. */
  | "ABORTED";

/** Any code: one of the client's or one of the engine's. */
export type ErrorCode = ClientErrorCode | (string & {});

/** What may be said of an error besides its code and message. */
export interface ErrorParts {
  /** What to do about it. */
  hint?: string | null;
  /** Figures and names that belong to it. */
  detail?: Record<string, unknown> | null;
  /** What led to it. */
  cause?: unknown;
}

/** Every error that this package throws. */
export class SidestageError extends Error {
  /** Stable, for programs. */
  readonly code: ErrorCode;
  /** What to do about it, for people. */
  readonly hint: string | null;
  /** Figures and names that belong to it. */
  readonly detail: Record<string, unknown> | null;

  constructor(code: ErrorCode, message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    // What the platform calls an aborted operation; callers compare this name.
    this.name = code === "ABORTED" ? "AbortError" : "SidestageError";
    this.code = code;
    this.hint = parts.hint ?? null;
    this.detail = parts.detail ?? null;
  }

  /** An error that crossed the port. */
  static from(info: ErrorInfo): SidestageError {
    return new SidestageError(info.code, info.message, {
      hint: info.hint,
      detail: info.detail,
    });
  }
}

/** An impossible option, named. */
export function invalidOption(option: string, why: string, cause?: unknown): SidestageError {
  return new SidestageError("INVALID_OPTION", `\`${option}\` ${why}`, {
    detail: { option },
    cause,
  });
}

/** An input that does not fit, named. */
export function invalidInput(input: string, problem: string, cause?: unknown): SidestageError {
  return new SidestageError("INPUT_INVALID", `the input ${input} ${problem}`, {
    hint: "`model.inputs` has the names, types and shapes.",
    detail: { input },
    cause,
  });
}

/** Whatever was thrown, as a [`SidestageError`]. */
export function asSidestageError(thrown: unknown, code: ErrorCode): SidestageError {
  if (thrown instanceof SidestageError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SidestageError(code, message, { cause: thrown });
}
