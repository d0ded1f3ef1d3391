import { invalidOption } from "./errors.js";
import { checkLoad, type LoadModelOptions } from "./load-options.js";
import { Model } from "./model.js";
import { askToPersist } from "./persist.js";
import { Session } from "./session.js";
import { checkSource, type Source } from "./source.js";

/** Where relative URLs start. */
export function baseUrl(): string | undefined {
  return (
    (globalThis.document as Document | undefined)?.baseURI ??
    (globalThis.location as Location | undefined)?.href
  );
}

/** Loads a model, by default in a worker of its own. */
export async function loadModel(
  source: Source,
  options: LoadModelOptions = {},
): Promise<Model> {
  const base = baseUrl();
  const checked = checkLoad(options, base);
  const from = checkSource(source, base);
  if (checked.idleMs !== undefined && !from.reloadable) {
    throw invalidOption(
      "workerOptions.terminateOnIdle",
      "cannot be used with bytes, which cannot be loaded again; give a Blob",
    );
  }
  const session = new Session(from, checked);
  const live = await session.start();
  askToPersist(live.info);
  return new Model(session, live);
}
