import { useEffect, useState } from "react";
import { deleteModel, listModels, SidestageError, storageEstimate } from "sidestage";
import type { CachedModel, StorageReport } from "sidestage";
import { bytes } from "../figures.ts";

const PLACES: Record<StorageReport["backend"], string> = {
  opfs: "in the site's private files",
  "cache-api": "in the browser's cache storage",
  memory: "nowhere: each load downloads anew",
};

/** The models that the browser keeps for this page, and how much room they take. */
export function KeptModels({
  open,
  onLoad,
}: {
  open: boolean;
  onLoad: (source: string) => void;
}) {
  const [models, setModels] = useState<readonly CachedModel[]>([]);
  const [storage, setStorage] = useState<StorageReport | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    if (!open) return;
    let current = true;
    const look = async () => {
      const found = await Promise.all([listModels(), storageEstimate()]);
      if (!current) return;
      setModels(found[0]);
      setStorage(found[1]);
    };
    setProblem(null);
    look().catch((error: unknown) => current && setProblem(says(error)));
    return () => {
      current = false;
    };
  }, [open]);

  const remove = async ({ source }: CachedModel) => {
    try {
      await deleteModel(source);
      setProblem(null);
      setModels((before) => before.filter((model) => model.source !== source));
      setStorage(await storageEstimate());
    } catch (error) {
      setProblem(says(error));
    }
  };

  return (
    <section className="choice kept" aria-label="Models kept in this browser">
      <strong>Kept in this browser</strong>
      <ul data-testid="kept">
        {models.map((model) => (
          <li key={model.source} className="row">
            <button
              type="button"
              className="quiet kept-name"
              data-testid="kept-load"
              title={model.source}
              onClick={() => onLoad(model.source)}
            >
              {nameOf(model.source)}
            </button>
            <span className="numbers">{sizeOf(model)}</span>
            <button
              type="button"
              className="quiet"
              data-testid="kept-delete"
              aria-label={`Delete ${nameOf(model.source)}`}
              onClick={() => void remove(model)}
            >
              Delete
            </button>
          </li>
        ))}
      </ul>
      <span data-testid="storage">{problem ?? (storage && describe(storage))}</span>
    </section>
  );
}

function nameOf(source: string): string {
  return source.startsWith("hf:") ? source.slice(3) : (source.split("/").at(-1) ?? source);
}

function sizeOf({ bytes: held, files, complete }: CachedModel): string {
  if (complete) return bytes(held);
  const whole = files.reduce((sum, file) => sum + (file.length ?? file.bytes), 0);
  return `${bytes(held)} of ${bytes(whole)}`;
}

function describe({ usage, quota, backend, reason }: StorageReport): string {
  const parts = [`Kept ${PLACES[backend]}`];
  if (usage !== null && quota !== null) parts.push(`${bytes(usage)} of ${bytes(quota)} used`);
  if (reason !== null) parts.push(reason);
  return parts.join(" · ");
}

function says(error: unknown): string {
  if (error instanceof SidestageError)
    return [error.message, error.hint].filter(Boolean).join(". ");
  return String(error);
}
