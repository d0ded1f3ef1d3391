import { hasCanvas } from "../picture.js";
import type { Capabilities } from "../protocol.js";
import type { ChosenCache } from "./cache/backend.js";

// Modules of one function each; a browser that lacks the instruction finds them invalid.
const HEADER = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10];
/** `i8x16.popcnt(i8x16.splat(0))` */
const SIMD = [...HEADER, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
/** `i16x8.relaxed_dot_i8x16_i7x16_s(i8x16.splat(1), i8x16.splat(2))` */
const RELAXED = [...HEADER, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 146, 2, 11];

function valid(bytes: number[]): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(bytes));
}

/** What the browser's WebAssembly can do. */
export function wasmFeatures(): { simd: boolean; relaxedSimd: boolean } {
  return { simd: valid(SIMD), relaxedSimd: valid(RELAXED) };
}

/** Why several threads cannot be used here; `null`: they can. */
export function threadsRefused(place: "worker" | "page"): string | null {
  if (place === "page") return "a page must not wait, so it runs one thread";
  // A shared memory can be made without isolation; only posting it fails. So that is no test.
  if (!globalThis.crossOriginIsolated) {
    return "the worker is not cross-origin isolated (COOP and COEP headers)";
  }
  if (typeof SharedArrayBuffer !== "function") return "the browser has no SharedArrayBuffer";
  if (typeof Worker !== "function") return "a worker cannot start workers here";
  return null;
}

/** How many threads a load starts, if it can have several; `auto` starts all of which the fastest number is sought. */
export function threadsWanted(threads: number | "auto" | null): number {
  const cores = coresHere();
  return threads === "auto" ? cores : (threads ?? Math.max(1, cores - 1));
}

function coresHere(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** The name of the wasm file. */
export function variantOf(relaxedSimd: boolean, threads: boolean): string {
  return `${relaxedSimd ? "relaxed" : "simd"}${threads ? "-threads" : ""}`;
}

/** What this place can do, before a model says how much of it it uses. */
export async function findCapabilities(
  place: "worker" | "page",
  probe: boolean,
  cache: ChosenCache,
): Promise<Capabilities> {
  const { simd, relaxedSimd } = wasmFeatures();
  const threadsReason = threadsRefused(place);
  return {
    simd,
    relaxedSimd,
    threads: threadsReason === null,
    threadsReason,
    crossOriginIsolated: globalThis.crossOriginIsolated === true,
    cores: coresHere(),
    webgpu: probe && (await hasAdapter()),
    canvas: hasCanvas(),
    variant: variantOf(relaxedSimd, threadsReason === null),
    place,
    cache: cache.name,
    cacheReason: cache.reason,
    fallbackReason: null,
  };
}

async function hasAdapter(): Promise<boolean> {
  const { gpu } = (globalThis.navigator ?? {}) as {
    gpu?: { requestAdapter(): Promise<unknown> };
  };
  try {
    return (await gpu?.requestAdapter()) != null;
  } catch {
    return false;
  }
}
