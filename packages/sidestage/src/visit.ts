import { SidestageError } from "./errors.js";
import { checkLoad, type LoadModelOptions } from "./load-options.js";
import { baseUrl } from "./load.js";
import { isWorkerFailure, openPlace, type Place } from "./place.js";

/** Where an engine would run. */
export type VisitOptions = Pick<
  LoadModelOptions,
  "useWorker" | "worker" | "workerUrl" | "wasmUrl" | "signal" | "workerOptions"
>;

/**
 * Asks something of the place where a model would be loaded, which is on the page if no worker can
 * be started, and leaves it again.
 */
export async function visit<T>(
  options: VisitOptions,
  probe: boolean,
  work: (place: Place) => T | Promise<T>,
): Promise<T> {
  const checked = checkLoad(options, baseUrl());
  const opening = { signal: checked.signal, probe };
  let place: Place;
  try {
    place = await openPlace(checked, opening);
  } catch (error) {
    if (!isWorkerFailure(error)) throw error;
    place = await openPlace(checked, opening, error);
  }
  try {
    return await work(place);
  } finally {
    place.close(new SidestageError("WORKER_TERMINATED", "the question was answered"));
  }
}
