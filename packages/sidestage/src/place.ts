import type { Connection } from "./connection.js";
import { SidestageError } from "./errors.js";
import type { CheckedLoad } from "./load-options.js";
import { openPage } from "./page-mode.js";
import type { Capabilities } from "./protocol.js";
import type { NextLoad } from "./wire.js";
import { openWorker } from "./worker-life.js";

/** Where an engine runs: a worker, or this page. */
export interface Place {
  connection: Connection;
  capabilities: Capabilities;
  /** Ends it; open requests fail with `error`. Given a model's handle, frees at least that. */
  close(error: SidestageError, handle?: number): void;
}

/** What decides the place. */
export type PlaceOptions = Pick<
  CheckedLoad,
  "useWorker" | "fallback" | "worker" | "workerUrl" | "wasmUrl" | "timeout" | "startTimeout"
>;

/** What a place is opened with besides. */
export interface Opening {
  /** Ends the opening. */
  signal?: AbortSignal | undefined;
  /** Look for a WebGPU adapter too. */
  probe?: boolean;
  /** What is to be loaded there at once. */
  next?: NextLoad | undefined;
  /** Called once when the place is no more. */
  onClosed?: (error: SidestageError) => void;
}

/** Whether the browser has what the worker mode needs. */
export function canUseWorker(): boolean {
  return (
    typeof Worker === "function" &&
    typeof ReadableStream === "function" &&
    typeof MessageChannel === "function"
  );
}

/** Failures of the worker, not of the model: what `fallback` answers. */
const WORKER_FAILURES: ReadonlySet<string> = new Set([
  "WORKER_NOT_SUPPORTED",
  "WORKER_BLOCKED",
  "WORKER_START_TIMEOUT",
  "VERSION_MISMATCH",
  "WASM_BLOCKED",
]);

/** Whether the page may be tried after this failure. */
export function isWorkerFailure(error: unknown): error is SidestageError {
  return error instanceof SidestageError && WORKER_FAILURES.has(error.code);
}

/** Opens the place that the options ask for. `reason`: why it must be the page. */
export async function openPlace(
  options: PlaceOptions,
  opening: Opening,
  reason?: SidestageError,
): Promise<Place> {
  if (reason) return openPage(options, opening, `${reason.code}: ${reason.message}`);
  if (options.useWorker === false) return openPage(options, opening, null);
  if (options.worker === undefined && !canUseWorker()) {
    const error = new SidestageError("WORKER_NOT_SUPPORTED", "this browser has no Worker", {
      hint: "Use `useWorker: false`, or `fallback: true`.",
    });
    if (options.useWorker === true && !options.fallback) throw error;
    return openPage(options, opening, `${error.code}: ${error.message}`);
  }
  return openWorker(options, opening);
}
