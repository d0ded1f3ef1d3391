import type { Completion, Effect } from "../protocol.js";
import type { CacheAccess } from "./cache/access.js";
import type { OpenFile } from "./cache/backend.js";
import type { KeptFile } from "./cache/kept-file.js";
import { chunks, slices, Stall } from "./chunks.js";
import { type Head, headOf, localHead } from "./response.js";

/** Takes what a reading brings. */
export interface Sink {
  completion(completion: Completion): void;
  /** A file is there: its bytes are told when this is done. */
  begins?(effect: Fetch): Promise<void>;
  /** Puts a chunk where the engine wants it. */
  bytes(stream: number, chunk: Uint8Array): void;
  /** Has at most so many bytes put where the engine wants them; 0: it wants no more. */
  fill(stream: number, most: number, read: (into: Uint8Array) => number): number;
}

/** The files that the host holds under a load's id. */
export type Held = readonly (Blob | Uint8Array)[];

export type Fetch = Extract<Effect, { type: "fetch" }>;

const YIELD_MS = 12;
/** Bytes that are read at once, at most. */
const PIECE = 1 << 20;

/** The readings of one model: carries out `fetch` and `cancel`. */
export class Readings {
  readonly #sink: Sink;
  readonly #cache: CacheAccess;
  readonly #held: () => Held;
  readonly #pause: () => Promise<void>;
  readonly #open = new Map<number, AbortController>();

  constructor(sink: Sink, cache: CacheAccess, held: () => Held, pause: () => Promise<void>) {
    this.#sink = sink;
    this.#cache = cache;
    this.#held = held;
    this.#pause = pause;
  }

  /** Begins a reading. */
  start(effect: Fetch): void {
    const abort = new AbortController();
    this.#open.set(effect.stream, abort);
    const { stream } = effect;
    const end = (completion: Completion): void => {
      if (abort.signal.aborted) return;
      this.#open.delete(stream);
      this.#sink.completion(completion);
    };
    this.#read(effect, abort.signal).then(
      () => end({ type: "closed", stream }),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        end({ type: "failed", stream, message, refused: error instanceof Refused });
      },
    );
  }

  /** Ends a reading; nothing more of it is told. */
  cancel(stream: number): void {
    this.#open.get(stream)?.abort();
    this.#open.delete(stream);
  }

  /** Ends all. */
  close(): void {
    for (const stream of [...this.#open.keys()]) this.cancel(stream);
  }

  async #read(effect: Fetch, signal: AbortSignal): Promise<void> {
    await delay(effect.delayMs, signal);
    if (signal.aborted) return;
    switch (effect.from.kind) {
      case "url":
        return this.#network(effect, effect.from.url, signal);
      case "held":
        return this.#local(
          effect,
          heldAt(this.#held()[effect.from.index], effect.offset),
          signal,
        );
      case "cache": {
        const { key } = effect.from;
        const body = await this.#cache.read(key, effect.offset);
        const length = this.#cache.length(key);
        if (!(body instanceof ReadableStream)) return this.#file(effect, length, body, signal);
        return this.#local(effect, { length, body: chunks(body, signal) }, signal);
      }
    }
  }

  async #local(effect: Fetch, { length, body }: Local, signal: AbortSignal): Promise<void> {
    await this.#sink.begins?.(effect);
    if (signal.aborted) return;
    const { stream, offset } = effect;
    this.#opened(stream, localHead(length, offset), false);
    await this.#drain(stream, body, signal);
  }

  // No piece of it lies anywhere else on its way to the engine.
  async #file(
    effect: Fetch,
    length: number | null,
    file: OpenFile,
    signal: AbortSignal,
  ): Promise<void> {
    const { stream, offset } = effect;
    // At once: who ends it may want to write the file.
    const close = (): void => file.close();
    signal.addEventListener("abort", close);
    try {
      await this.#sink.begins?.(effect);
      if (signal.aborted) return;
      this.#opened(stream, localHead(length, offset), false);
      let at = offset;
      let since = performance.now();
      while (!signal.aborted && at < file.size) {
        const most = Math.min(PIECE, file.size - at);
        // What the engine does not want passes.
        at += this.#sink.fill(stream, most, (into) => file.read(into, at)) || most;
        if (performance.now() - since > YIELD_MS) {
          await this.#pause();
          since = performance.now();
        }
      }
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }

  async #network(effect: Fetch, url: string, signal: AbortSignal): Promise<void> {
    const { stream, offset, keep, stallMs } = effect;
    const network = new AbortController();
    const cancel = (): void => network.abort();
    signal.addEventListener("abort", cancel);
    let stalled = false;
    const stall = new Stall(stallMs, () => {
      stalled = true;
      network.abort();
    });
    let kept: KeptFile | null = null;
    try {
      stall.begin();
      const response = await request(effect, url, network.signal).catch(
        async (error: unknown) => {
          const first = effect.method === "get" && offset === 0;
          throw first && (await isRefused(url, network.signal)) ? new Refused(error) : error;
        },
      );
      stall.end();
      const head = headOf(response);
      const first = head.status === 206 ? (head.start ?? offset) : 0;
      const whole = head.status === 200 || head.status === 206;
      if (whole) await this.#sink.begins?.(effect);
      if (keep !== null && whole && !signal.aborted) {
        kept = await this.#cache.keep(keep, head.length);
      }
      if (signal.aborted) return;
      this.#opened(stream, head, kept !== null);
      // Its answer has no body; where memory is collected Chromium may not tell the end of that.
      if (effect.method === "head") return;
      // Bytes without a record would be lost with this worker.
      if (kept && keep !== null) await this.#cache.settledFor(keep);
      await this.#drain(stream, chunks(response.body, signal, stall), signal, kept, first);
    } catch (error) {
      throw stalled ? new Error(`no byte came for ${stallMs} ms`) : error;
    } finally {
      stall.close();
      signal.removeEventListener("abort", cancel);
      network.abort();
      // Before the end is told: a record that says `complete` must come after the last byte.
      if (kept && keep !== null) await this.#cache.endKeeping(keep, kept);
    }
  }

  #opened(stream: number, head: Head, kept: boolean): void {
    this.#sink.completion({ type: "opened", stream, ...head, kept });
  }

  async #drain(
    stream: number,
    body: Chunks,
    signal: AbortSignal,
    kept: KeptFile | null = null,
    first = 0,
  ): Promise<void> {
    let at = first;
    let since = performance.now();
    for await (const chunk of body) {
      if (signal.aborted) return;
      // Nothing is read ahead while storage is slower than the network.
      await kept?.put(at, chunk);
      if (signal.aborted) return;
      at += chunk.length;
      this.#sink.bytes(stream, chunk);
      // A fast source is read from microtasks only: let messages in between.
      if (performance.now() - since > YIELD_MS) {
        await this.#pause();
        since = performance.now();
      }
    }
  }
}

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

interface Local {
  length: number | null;
  body: Chunks;
}

// The only header is a range of the simplest form: with any other the browser asks first whether it
// may, and real hubs do not answer that.
function request(effect: Fetch, url: string, signal: AbortSignal): Promise<Response> {
  const { offset, keep, headers, method } = effect;
  const all = new Headers(headers);
  if (offset > 0) all.set("range", `bytes=${offset}-`);
  return fetch(url, {
    method: method === "head" ? "HEAD" : "GET",
    headers: all,
    signal,
    // What is kept here need not be kept twice; and the browser's own cache would put an `If-Range`
    // to a range.
    cache: keep !== null || offset > 0 || method === "head" ? "no-store" : "default",
  });
}

/** What no other try would change. */
class Refused extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

// A page is not told why a request failed. A server that answers one whose answer cannot be read
// does not let this page read the other either.
async function isRefused(url: string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  if (globalThis.navigator?.onLine === false) return true;
  try {
    await fetch(url, { method: "HEAD", mode: "no-cors", cache: "no-store", signal });
    return true;
  } catch {
    return false;
  }
}

function heldAt(file: Blob | Uint8Array | undefined, offset: number): Local {
  if (file === undefined) throw new Error("the bytes of the source are not held any more");
  if (file instanceof Uint8Array) {
    return { length: file.byteLength, body: slices(file.subarray(offset)) };
  }
  const body = file.slice(offset).stream();
  return { length: file.size, body: chunks(body, new AbortController().signal) };
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
