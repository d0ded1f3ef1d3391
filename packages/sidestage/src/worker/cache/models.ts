import { SidestageError } from "../../errors.js";
import type { CachedModel, StorageReport } from "../../wire.js";
import type { ChosenCache, Kept } from "./backend.js";
import { type Release, takeLock } from "./locks.js";
import { figureKey } from "./figures.js";
import { estimate } from "./room.js";

/** What a hub said of a model is kept beside its files, but is none of them. */
const ANSWERS = "hf-api/";

/** The models that are kept, the one used last first. */
export async function listModels({ backend }: ChosenCache): Promise<CachedModel[]> {
  const bySource = new Map<string, CachedModel>();
  for (const { key, entry } of (await backend?.list()) ?? []) {
    if (key.startsWith(ANSWERS)) continue;
    const { source, file, bytes, length, complete, created, used } = entry;
    let model = bySource.get(source);
    if (!model) {
      model = { source, files: [], bytes: 0, complete: true, created, used };
      bySource.set(source, model);
    }
    const whole = complete && bytes >= entry.bytes && (length === null || bytes === length);
    model.files.push({ file, bytes, length, complete: whole });
    model.bytes += bytes;
    model.complete &&= whole;
    model.created = Math.min(model.created, created);
    model.used = Math.max(model.used, used);
  }
  for (const { files } of bySource.values()) {
    files.sort((a, b) => (a.file < b.file ? -1 : 1));
  }
  return [...bySource.values()].sort((a, b) => b.used - a.used);
}

/** Throws a model's files away; the bytes that they took. */
export async function deleteModel({ backend }: ChosenCache, source: string): Promise<number> {
  const all = (await backend?.list()) ?? [];
  const files = all.filter(({ entry }) => entry.source === source || entry.url === source);
  const locks: Release[] = [];
  try {
    for (const file of files) locks.push(await lockOf(file));
    let bytes = 0;
    for (const { key, entry } of files) {
      await backend?.drop(key);
      bytes += entry.bytes;
    }
    await backend?.drop(figureKey(source));
    return bytes;
  } finally {
    for (const release of locks) await release();
  }
}

async function lockOf({ key, entry }: Kept): Promise<Release> {
  const release = await takeLock(key, "exclusive", false);
  if (release) return release;
  throw new SidestageError("MODEL_IN_USE", `${entry.file} is being read or written`, {
    hint: "A model is being loaded from it, perhaps in another tab. Try again when it is loaded.",
    detail: { source: entry.source, file: entry.file },
  });
}

/** How much is kept, how much may be, and where. */
export async function storageReport({ name, reason }: ChosenCache): Promise<StorageReport> {
  const { storage } = navigator as { storage?: StorageManager };
  const persisted = await storage?.persisted?.().catch(() => false);
  return { ...(await estimate()), persisted: persisted ?? false, backend: name, reason };
}
