import { expect } from "./connection.js";
import { SidestageError } from "./errors.js";
import { loadAborted } from "./handshake.js";
import type { CheckedLoad } from "./load-options.js";
import { patiently } from "./patience.js";
import { isWorkerFailure, openPlace, type Place } from "./place.js";
import type { Capabilities, ModelInfo, Progress } from "./protocol.js";
import type { CheckedSource } from "./source.js";
import { Spares } from "./spares.js";

/**
 * Milliseconds a worker may take to make its threads. In Firefox 2,500 took at most 9 each, 500 of them
 * beside four busy processes on two cores.
 *
 * With developer tools or WebDriver BiDi on, Firefox (153) holds a worker in `new Worker` until they have
 * been told of the new one, and then wakes one thread that waits there. That may be the new worker's own,
 * and the old one sleeps for ever: one load in some two hundred.
 */
const MAKING_MS = 5_000;
/** Workers that may hang so before one is made without threads. */
const HANGS = 2;

/** A model that is loaded now. */
export interface Live {
  place: Place;
  handle: number;
  info: ModelInfo;
  capabilities: Capabilities;
}

/**
 * A model through the lives of its workers: loads it, ends an idle worker, loads it again after an
 * end that nobody asked for, and frees it.
 */
export class Session {
  readonly #source: CheckedSource;
  readonly #options: CheckedLoad;
  /** For the inputs of runs. */
  readonly spares = new Spares();
  #live: Promise<Live> | undefined;
  #current: Live | undefined;
  #users = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  /** Ends the load going on. */
  #loading: AbortController | undefined;
  #over: SidestageError | undefined;
  #fallback: SidestageError | undefined;
  /** Workers that hung when they made their threads. */
  #hung = 0;

  constructor(source: CheckedSource, options: CheckedLoad) {
    this.#source = source;
    this.#options = options;
  }

  /** Loads the model for the first time. */
  async start(): Promise<Live> {
    const { signal, onProgress } = this.#options;
    this.#live = this.#open(onProgress, signal);
    const live = await this.#live;
    this.#rest();
    return live;
  }

  /** Works with the model, loading it first if it must be. */
  async use<T>(work: (live: Live) => Promise<T>): Promise<T> {
    this.#check();
    clearTimeout(this.#idle);
    this.#users += 1;
    try {
      const live = await (this.#live ??= this.#again());
      this.#check();
      try {
        return await work(live);
      } catch (error) {
        if (isCrash(error)) {
          live.place.close(error, live.handle);
        }
        throw error;
      }
    } finally {
      this.#users -= 1;
      this.#rest();
    }
  }

  /** Frees the model; open requests fail with `MODEL_DISPOSED`. */
  dispose(): void {
    this.#over ??= new SidestageError("MODEL_DISPOSED", "the model was disposed");
    clearTimeout(this.#idle);
    this.#loading?.abort();
    this.#current?.place.close(this.#over, this.#current.handle);
    this.#live = undefined;
  }

  #check(): void {
    if (this.#over) throw this.#over;
  }

  #again(): Promise<Live> {
    const live = this.#open(undefined, undefined);
    live.catch(() => {
      if (this.#live === live) this.#live = undefined;
    });
    return live;
  }

  async #open(
    onProgress: ((progress: Progress) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Live> {
    for (;;) {
      try {
        return await this.#load(onProgress, signal);
      } catch (error) {
        if (isHang(error) && typeof this.#options.worker !== "object") {
          this.#hung += 1;
          continue;
        }
        if (!this.#options.fallback || this.#fallback || !isWorkerFailure(error)) throw error;
        this.#fallback = error;
      }
    }
  }

  async #load(
    onProgress: ((progress: Progress) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Live> {
    if (signal?.aborted) throw loadAborted(signal);
    const loading = new AbortController();
    const onAbort = (): void => loading.abort();
    signal?.addEventListener("abort", onAbort);
    this.#loading = loading;
    try {
      return await this.#loadUntil(loading.signal, onProgress);
    } catch (error) {
      // Whoever ended it, the model or the caller's signal, says why.
      this.#check();
      throw signal?.aborted && loading.signal.aborted ? loadAborted(signal) : error;
    } finally {
      this.#loading = undefined;
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #loadUntil(
    ended: AbortSignal,
    onProgress: ((progress: Progress) => void) | undefined,
  ): Promise<Live> {
    const { source, held, reloadable } = this.#source;
    const alone = this.#hung >= HANGS;
    const options = { ...this.#options.engine, ...(alone && { threads: 1 }) };
    const place = await openPlace(
      this.#options,
      {
        signal: ended,
        next: { source, threads: options.threads },
        onClosed: (error) => this.#lost(place, error),
      },
      this.#fallback,
    );
    let made = (): void => undefined;
    const load = place.connection.request(
      (id) => ({
        type: "load",
        id,
        source,
        options,
        ...(held && { held }),
      }),
      (event) => {
        if (event.type === "progress") onProgress?.(event.progress);
        if (event.type !== "threads") return;
        made();
        if (!event.made) made = patiently(MAKING_MS, () => place.connection.fail(hang()));
      },
    );
    const onEnded = (): void => place.close(loadAborted(ended), load.id);
    ended.addEventListener("abort", onEnded);
    try {
      if (ended.aborted) onEnded();
      const done = await load.done;
      this.#check();
      const { model: info } = expect(done, "loaded");
      const { fallbackReason } = place.capabilities;
      const capabilities = {
        ...(done.capabilities ?? place.capabilities),
        fallbackReason,
        ...(alone && { threadsReason: hang().message }),
      };
      const live: Live = { place, handle: load.id, info, capabilities };
      this.#current = live;
      if (!reloadable) this.#source.held = undefined;
      // Asked for once: when the worker comes back, what it has just kept is new enough.
      if (this.#options.engine.cache === "reload") this.#options.engine.cache = null;
      return live;
    } catch (error) {
      place.close(error as SidestageError, load.id);
      throw error;
    } finally {
      made();
      ended.removeEventListener("abort", onEnded);
    }
  }

  #lost(place: Place, error: SidestageError): void {
    if (this.#current?.place !== place) return;
    this.#current = undefined;
    this.#live = undefined;
    if (!this.#source.reloadable) {
      this.#over ??= new SidestageError("WORKER_TERMINATED", error.message, {
        hint: "A model from bytes cannot be loaded again: call loadModel with the bytes.",
        cause: error,
      });
    } else if (typeof this.#options.worker === "object" && error.code === "WORKER_TERMINATED") {
      this.#over ??= new SidestageError("WORKER_TERMINATED", error.message, {
        hint: "Give `worker` as a function, so that another one can be made.",
        cause: error,
      });
    }
  }

  #rest(): void {
    const { idleMs } = this.#options;
    if (idleMs === undefined || this.#users > 0 || this.#over) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      const live = this.#current;
      // Forgotten first: this end is no loss, and a given worker lives on for the next use.
      this.#current = undefined;
      this.#live = undefined;
      live?.place.close(
        new SidestageError("WORKER_TERMINATED", "the worker was idle"),
        live.handle,
      );
    }, idleMs);
  }
}

function hang(): SidestageError {
  return new SidestageError(
    "WORKER_START_TIMEOUT",
    "the worker hung when it started its threads",
    {
      hint: "Give `worker` as a function, so that another one can be made, or use `threads: 1`.",
      detail: { timeout: MAKING_MS, threads: true },
    },
  );
}

function isHang(error: unknown): boolean {
  return (
    error instanceof SidestageError &&
    error.code === "WORKER_START_TIMEOUT" &&
    error.detail?.threads === true
  );
}

/** Whether the model's instance is gone with this error. */
function isCrash(error: unknown): error is SidestageError {
  return (
    error instanceof SidestageError &&
    (error.code === "ENGINE_CRASHED" || error.detail?.crashed === true)
  );
}
