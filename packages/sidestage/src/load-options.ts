import { invalidOption, SidestageError } from "./errors.js";
import { flag, knownOnly, numberIn, shown, signalOf, wholeIn } from "./options.js";
import type { LoadOptions, Progress } from "./protocol.js";

/** The life of a model's worker. */
export interface WorkerOptions {
  /** End the worker when it has had nothing to do for `idleMs`; it is started again on next use. */
  terminateOnIdle?: boolean | undefined;
  /** Milliseconds from the last activity; default 60000. */
  idleMs?: number | undefined;
  /** Milliseconds without any event after which a running request is given up; default: none. */
  timeout?: number | undefined;
  /** Milliseconds that the worker may take to start; default 20000. */
  startTimeout?: number | undefined;
}

/** A script's URL, or the `TrustedScriptURL` that a strict page makes of it. */
export type ScriptUrl = string | URL | { toString(): string };

/** What the kept files are used for. */
export type CacheMode = "default" | "no-store" | "reload" | "force-cache" | "only-if-cached";

const CACHE_MODES: readonly string[] = [
  "default",
  "no-store",
  "reload",
  "force-cache",
  "only-if-cached",
] satisfies CacheMode[];

/** How to load a model. */
export interface LoadModelOptions {
  /** Run in a worker; default: if the browser can. */
  useWorker?: boolean | undefined;
  /** If the worker cannot be used, run on the page. */
  fallback?: boolean | undefined;
  /** Your own worker that runs `sidestage-worker.js`, or a function that makes one. */
  worker?: Worker | (() => Worker) | undefined;
  /** Where `sidestage-worker.js` lies, if not beside this module. */
  workerUrl?: ScriptUrl | undefined;
  /** The folder of the wasm files, if they do not lie beside the worker. */
  wasmUrl?: string | URL | undefined;
  /** `auto` (default) or `cpu`. */
  device?: "auto" | "cpu" | "webgpu" | undefined;
  /**
   * Threads, where the browser allows several; default: one less than there are cores. `auto`: as
   * many as are measured to be the fastest, up to one for each core; that is remembered.
   */
  threads?: number | "auto" | undefined;
  /** Positions a conversation may have; default: the model's own, at most 4096. */
  contextLength?: number | undefined;
  /** Base URL of `hf:` sources. */
  hubUrl?: string | URL | undefined;
  /** Token for models of the hub that are not public; goes to the hub only. */
  hubToken?: string | undefined;
  /**
   * What the files kept in the browser are used for, with the meanings of `Request.cache`:
   * `default`, `no-store`, `reload`, `force-cache` or `only-if-cached`.
   */
  cache?: CacheMode | undefined;
  /** Name under which a URL's file is kept, instead of the URL: for URLs that change. */
  cacheKey?: string | undefined;
  /** Type that the weights of a folder are turned into while they load, for example `q8_0`. */
  dtype?: string | undefined;
  /** Type of the KV cache's elements; default: `f16`. */
  kvType?: "f32" | "f16" | "q8_0" | undefined;
  /**
   * `run`: a decoder of a graph format is run as the graph that its file has, its past as inputs and
   * outputs; `auto` (default): it generates text.
   */
  task?: "auto" | "run" | undefined;
  /** Bytes the model may take in all; default: what the browser allows. */
  memoryLimit?: number | undefined;
  /** Told how far the load is; never goes back. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the load with the error `ABORTED`. */
  signal?: AbortSignal | undefined;
  /** The life of the worker. */
  workerOptions?: WorkerOptions | undefined;
}

/** Checked [`LoadModelOptions`]. */
export interface CheckedLoad {
  useWorker: boolean | undefined;
  fallback: boolean;
  worker: Worker | (() => Worker) | undefined;
  workerUrl: ScriptUrl | undefined;
  wasmUrl: string | undefined;
  engine: LoadOptions;
  onProgress: ((progress: Progress) => void) | undefined;
  signal: AbortSignal | undefined;
  /** Milliseconds of idleness, if it ends the worker. */
  idleMs: number | undefined;
  timeout: number | undefined;
  startTimeout: number;
}

const KNOWN: ReadonlySet<string> = new Set<keyof LoadModelOptions>([
  "useWorker",
  "fallback",
  "worker",
  "workerUrl",
  "wasmUrl",
  "device",
  "threads",
  "contextLength",
  "hubUrl",
  "hubToken",
  "cache",
  "cacheKey",
  "dtype",
  "kvType",
  "task",
  "memoryLimit",
  "onProgress",
  "signal",
  "workerOptions",
]);

const KNOWN_WORKER: ReadonlySet<string> = new Set<keyof WorkerOptions>([
  "terminateOnIdle",
  "idleMs",
  "timeout",
  "startTimeout",
]);

const LONGEST_TIMER = 2 ** 31 - 1;
const MOST_THREADS = 1024;

/** Checks the options of `loadModel`; URLs are relative to the page, `base`. */
export function checkLoad(given: LoadModelOptions, base: string | undefined): CheckedLoad {
  if (typeof given !== "object" || given === null) {
    throw invalidOption("options", "must be an object");
  }
  knownOnly(given, KNOWN);
  const life = given.workerOptions ?? {};
  if (typeof life !== "object") throw invalidOption("workerOptions", "must be an object");
  knownOnly(life, KNOWN_WORKER, "workerOptions.");
  const ms = (name: keyof WorkerOptions): number | undefined =>
    numberIn(
      `workerOptions.${name}`,
      life[name],
      (n) => n > 0 && n <= LONGEST_TIMER,
      "milliseconds above 0",
    );
  const idleMs = ms("idleMs");
  const useWorker = flag("useWorker", given.useWorker);
  if (useWorker === false && (given.worker != null || given.workerUrl != null)) {
    throw invalidOption("useWorker", "is false, yet a worker is given");
  }
  if (given.onProgress != null && typeof given.onProgress !== "function") {
    throw invalidOption("onProgress", "must be a function");
  }
  checkWorker(given.worker);
  return {
    useWorker,
    fallback: flag("fallback", given.fallback) ?? false,
    worker: given.worker ?? undefined,
    workerUrl: given.workerUrl ?? undefined,
    wasmUrl: urlOf("wasmUrl", given.wasmUrl, base),
    engine: {
      contextLength: wholeIn("contextLength", given.contextLength, 1, 2 ** 32 - 1) ?? null,
      threads: threadsOf(given.threads),
      measured: null,
      device: deviceOf(given.device),
      hubUrl: urlOf("hubUrl", given.hubUrl, base) ?? null,
      hubToken: tokenOf(given.hubToken),
      cache: cacheOf(given.cache),
      cacheKey: textOf("cacheKey", given.cacheKey),
      dtype: textOf("dtype", given.dtype),
      kvType: textOf("kvType", given.kvType),
      task: textOf("task", given.task),
      memoryLimit:
        wholeIn("memoryLimit", given.memoryLimit, 1, Number.MAX_SAFE_INTEGER) ?? null,
    },
    onProgress: given.onProgress ?? undefined,
    signal: signalOf("signal", given.signal),
    idleMs: flag("workerOptions.terminateOnIdle", life.terminateOnIdle)
      ? (idleMs ?? 60_000)
      : undefined,
    timeout: ms("timeout"),
    startTimeout: ms("startTimeout") ?? 20_000,
  };
}

function threadsOf(threads: unknown): number | "auto" | null {
  if (threads === undefined || threads === null) return null;
  if (threads === "auto" || isCount(threads)) return threads;
  throw new SidestageError(
    "INVALID_OPTION",
    `\`threads\` must be "auto" or a whole number from 1 to ${MOST_THREADS}, not ${shown(threads)}`,
    {
      hint: "Leave it out for one less than there are cores.",
      detail: { option: "threads" },
    },
  );
}

function isCount(threads: unknown): threads is number {
  return Number.isInteger(threads) && Number(threads) >= 1 && Number(threads) <= MOST_THREADS;
}

function deviceOf(device: unknown): string {
  switch (device ?? "auto") {
    case "auto":
    case "cpu":
      return (device ?? "auto") as string;
    case "webgpu":
      throw new SidestageError("DEVICE_UNAVAILABLE", "this version does not use WebGPU yet", {
        hint: 'Use `device: "auto"`.',
        detail: { device },
      });
    default:
      throw invalidOption("device", `must be "auto" or "cpu", not ${String(device)}`);
  }
}

function cacheOf(mode: unknown): string | null {
  const text = textOf("cache", mode);
  if (text === null || CACHE_MODES.includes(text)) return text;
  throw invalidOption("cache", `must be one of ${CACHE_MODES.join(", ")}, not ${text}`);
}

function tokenOf(token: unknown): string | null {
  const text = textOf("hubToken", token);
  // It becomes a header, in which the browser allows no other characters.
  if (text !== null && !/^[\x21-\x7e]+$/.test(text)) {
    throw invalidOption("hubToken", "has characters that no token has");
  }
  return text;
}

function textOf(option: string, text: unknown): string | null {
  if (text === undefined || text === null) return null;
  if (typeof text === "string" && text !== "") return text;
  throw invalidOption(option, "must be a string that is not empty");
}

function checkWorker(worker: unknown): void {
  if (worker == null || typeof worker === "function") return;
  if (typeof (worker as Worker).postMessage !== "function") {
    throw invalidOption("worker", "must be a Worker or a function that makes one");
  }
}

function urlOf(option: string, url: unknown, base: string | undefined): string | undefined {
  if (url === undefined || url === null) return undefined;
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw invalidOption(option, "must be a string or a URL");
  }
  try {
    return new URL(url, base).href;
  } catch (cause) {
    throw invalidOption(option, `is not a URL: ${String(url)}`, cause);
  }
}
