import type { LoadOptions, ModelSource, ThreadsFigure } from "../../protocol.js";
import { BUILD_ID } from "../../wire.js";
import type { CacheBackend } from "./backend.js";

/** Where and of what something was measured. */
export interface Machine {
  /** The wasm file that runs with several threads. */
  variant: string;
  cores: number;
}

interface StoredFigure extends Machine {
  version: typeof VERSION;
  build: string;
  figure: ThreadsFigure;
}

const VERSION = 1;

/** The key of what was measured of a source that the app asked for. */
export function figureKey(source: string): string {
  return `threads/${source}`;
}

/**
 * What loads with `threads: "auto"` keep: a note beside the model's files, which goes with them.
 * Where nothing is kept, or it cannot be read, it is measured again.
 */
export class Figures {
  readonly #backend: CacheBackend | null;
  readonly #machine: Machine;
  readonly #key: string;
  readonly #mode: string | null;

  constructor(
    backend: CacheBackend | null,
    machine: Machine,
    source: ModelSource,
    options: LoadOptions,
  ) {
    this.#backend = backend;
    this.#machine = machine;
    this.#mode = options.cache;
    const name =
      source.kind === "url"
        ? (options.cacheKey ?? source.url)
        : source.files.map((file) => `${file.name} ${file.size}`).join("\n");
    this.#key = figureKey(name);
  }

  /** What an earlier load of this build measured on this machine. */
  async recall(): Promise<ThreadsFigure | null> {
    if (this.#mode === "no-store" || this.#mode === "reload") return null;
    try {
      const text = await this.#backend?.noted(this.#key);
      return text == null ? null : readFigure(text, this.#machine);
    } catch {
      return null;
    }
  }

  /** Keeps it, if that can be. */
  async remember(figure: ThreadsFigure): Promise<void> {
    if (this.#mode === "no-store") return;
    const stored: StoredFigure = {
      version: VERSION,
      build: BUILD_ID,
      ...this.#machine,
      figure,
    };
    await this.#backend?.note(this.#key, JSON.stringify(stored)).catch(() => undefined);
  }
}

/** A figure from text; `null`: it is not about this machine and build, or was cut off. */
export function readFigure(text: string, machine: Machine): ThreadsFigure | null {
  let stored: Partial<StoredFigure> | null;
  try {
    stored = JSON.parse(text) as Partial<StoredFigure> | null;
  } catch {
    return null;
  }
  const { cores, variant } = machine;
  const same =
    stored?.version === VERSION &&
    stored.build === BUILD_ID &&
    stored.variant === variant &&
    stored.cores === cores;
  const { model, threads, of, sure } = (same && stored?.figure) || {};
  if (typeof model !== "string" || typeof sure !== "boolean" || of !== cores) return null;
  if (!Number.isInteger(threads) || threads === undefined) return null;
  return threads >= 1 && threads <= of ? { model, threads, of, sure } : null;
}
