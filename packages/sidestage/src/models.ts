import { expect, type Settled } from "./connection.js";
import { invalidOption } from "./errors.js";
import { baseUrl } from "./load.js";
import { absolute } from "./source.js";
import { visit, type VisitOptions } from "./visit.js";
import type { CachedModel, StorageReport, ToWorker } from "./wire.js";

/** Where to look: the same place that loads the models. */
export type StorageOptions = VisitOptions;

/** The models that are kept in this browser, the one used last first. */
export async function listModels(options: StorageOptions = {}): Promise<CachedModel[]> {
  const done = await ask(options, (id) => ({ type: "listModels", id }));
  return expect(done, "models").models;
}

/**
 * Throws the files of a model away; how many bytes that freed. `source`: as `loadModel` took it, or
 * as `listModels` gives it. `MODEL_IN_USE` while it is being loaded, in any tab; a model that is
 * loaded needs its files no more.
 */
export async function deleteModel(
  source: string | URL,
  options: StorageOptions = {},
): Promise<number> {
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw invalidOption("source", "must be a URL or `hf:owner/repo`");
  }
  const name = absolute(String(source), baseUrl());
  const done = await ask(options, (id) => ({ type: "deleteModel", id, source: name }));
  return expect(done, "deleted").bytes;
}

/** How much this site keeps in the browser, how much it may, and where models are kept. */
export async function storageEstimate(options: StorageOptions = {}): Promise<StorageReport> {
  const done = await ask(options, (id) => ({ type: "storageEstimate", id }));
  return expect(done, "storage").storage;
}

function ask(options: StorageOptions, build: (id: number) => ToWorker): Promise<Settled> {
  return visit(options, false, (place) => place.connection.request(build).done);
}
