import { SidestageError } from "./errors.js";
import { checkLoad, type LoadModelOptions } from "./load-options.js";
import { baseUrl } from "./load.js";
import { isWorkerFailure, openPlace, type Place } from "./place.js";
import type { Capabilities } from "./protocol.js";

/** Where to look. */
export type CapabilitiesOptions = Pick<
  LoadModelOptions,
  "useWorker" | "worker" | "workerUrl" | "wasmUrl" | "signal" | "workerOptions"
>;

/**
 * What an engine can do here, asked inside a worker, where it would run; on the page if no worker
 * can be started (`fallbackReason` says why). Only this call looks for a WebGPU adapter.
 */
export async function capabilities(options: CapabilitiesOptions = {}): Promise<Capabilities> {
  const checked = checkLoad(options, baseUrl());
  const opening = { signal: checked.signal, probe: true };
  let place: Place;
  try {
    place = await openPlace(checked, opening);
  } catch (error) {
    if (!isWorkerFailure(error)) throw error;
    place = await openPlace(checked, opening, error);
  }
  place.close(new SidestageError("WORKER_TERMINATED", "the question was answered"));
  return place.capabilities;
}
