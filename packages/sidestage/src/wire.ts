import type { Capabilities, Event, Request } from "./protocol.js";

/**
 * What the page and the worker's JavaScript say to each other beside the engine's protocol, which
 * knows neither blobs nor the life of a worker.
 */
export type ToWorker =
  | Exclude<Request, { type: "hello" } | { type: "load" }>
  | (Extract<Request, { type: "hello" }> & {
      /** Look for a WebGPU adapter too; that wakes the GPU's process, so only `capabilities()` asks. */
      probe?: boolean;
    })
  | (Extract<Request, { type: "load" }> & {
      /** The bytes of a source of kind `held`. */
      held?: Blob | Uint8Array;
    })
  /** Asks for a sign of life, where no Web Lock tells of death. */
  | { type: "ping" };

export type FromWorker =
  | Exclude<Event, { type: "done" }>
  | (Extract<Event, { type: "done" }> & {
      /** With `loaded`: what this model really uses. */
      capabilities?: Capabilities;
    })
  | { type: "pong" };

/** Set by the build: the package's version and a hash of its sources and wasm files. */
declare const __BUILD_ID__: string;

export const BUILD_ID: string = typeof __BUILD_ID__ === "string" ? __BUILD_ID__ : "unbuilt";
