import type { PixelImage, PixelPlan } from "./pixels.js";
import type {
  Capabilities,
  Event,
  LoadOptions,
  Outcome,
  Request,
  RunTimings,
} from "./protocol.js";

/**
 * What the page and the worker's JavaScript say to each other beside the engine's protocol, which
 * knows neither blobs nor the life of a worker.
 */
export type ToWorker =
  | Exclude<Request, { type: "hello" } | { type: "load" } | { type: "run" }>
  | WireRun
  | (Extract<Request, { type: "hello" }> & {
      /** Look for a WebGPU adapter too; that wakes the GPU's process, so only `capabilities()` asks. */
      probe?: boolean;
      /** A load that comes next: its modules are compiled while the page and the worker still greet. */
      next?: NextLoad;
    })
  | (Extract<Request, { type: "load" }> & {
      /** The files of a source of kind `held`; of a folder the worker fills in names and sizes. */
      held?: HeldFiles;
    })
  /** The cache is the worker's JavaScript's: the engine knows nothing of these. */
  | { type: "listModels"; id: number }
  | { type: "deleteModel"; id: number; source: string }
  | { type: "storageEstimate"; id: number }
  /** Asks for a sign of life, where no Web Lock tells of death. */
  | { type: "ping" };

export type FromWorker =
  | Exclude<Event, { type: "done" }>
  | (Omit<Extract<Event, { type: "done" }>, "outcome"> & {
      outcome: AnyOutcome;
      /** With `loaded`: what this model really uses. */
      capabilities?: Capabilities;
    })
  /** Of a load: the worker makes its threads now, and is deaf until it says that they are made. */
  | { type: "threads"; id: number; made: boolean }
  | { type: "pong" };

/** What of a load says which modules it needs. */
export type NextLoad = Pick<Extract<Request, { type: "load" }>, "source"> & {
  threads: LoadOptions["threads"];
};

/** Files that are sent along: in order, or a folder. */
export type HeldFiles = (Blob | Uint8Array)[] | FileSystemDirectoryHandle;

/** A run: its tensors lie in the message, not in buffers beside it. */
export type WireRun = Omit<Extract<Request, { type: "run" }>, "inputs"> & {
  inputs: WireNamed[];
};

/** A value of a run and its name. */
export interface WireNamed {
  name: string;
  value: WireValue;
}

/** A value of a run, as the engine's, with its bytes. */
export type WireValue =
  | { kind: "tensor"; dtype: string; shape: number[]; data: Uint8Array<ArrayBuffer> }
  | { kind: "sequence"; values: WireValue[] }
  | { kind: "nothing" }
  /** Of an input: the worker makes a tensor of it. */
  | { kind: "pixels"; image: PixelImage; plan: PixelPlan };

/** What came of a request to the engine, or to the worker's JavaScript. */
export type AnyOutcome =
  | Exclude<Outcome, { kind: "ran" }>
  /** With the buffers of the request's tensors, which it needs no more. */
  | { kind: "ran"; outputs: WireNamed[]; timings: RunTimings; spent: ArrayBuffer[] }
  | { kind: "models"; models: CachedModel[] }
  | { kind: "deleted"; bytes: number }
  | { kind: "storage"; storage: StorageReport };

/** A model that is kept. */
export interface CachedModel {
  /** What `loadModel` was asked for; `deleteModel` takes it. */
  source: string;
  files: CachedFile[];
  /** Bytes of all files. */
  bytes: number;
  /** Whether every file is whole; if not, the next load goes on where the last one ended. */
  complete: boolean;
  /** Milliseconds since 1970. */
  created: number;
  /** Milliseconds since 1970 of the last load. */
  used: number;
}

/** A file of a model that is kept. */
export interface CachedFile {
  file: string;
  /** Bytes that are kept. */
  bytes: number;
  /** Bytes of the whole file, where known. */
  length: number | null;
  complete: boolean;
}

/** What the site keeps in this browser, models and all else. */
export interface StorageReport {
  /** Bytes used, as far as the browser says. */
  usage: number | null;
  /** Bytes that may be used, as far as the browser says. */
  quota: number | null;
  /** Whether the browser asks the user before it throws the site's data away. */
  persisted: boolean;
  /** Where models are kept; `memory`: nowhere, each load downloads anew. */
  backend: "opfs" | "cache-api" | "memory";
  /** Why not in a better place. */
  reason: string | null;
}

/** Set by the build: the package's version and a hash of its sources and wasm files. */
declare const __BUILD_ID__: string;

export const BUILD_ID: string = typeof __BUILD_ID__ === "string" ? __BUILD_ID__ : "unbuilt";
