import type { Completion, Effect } from "../protocol.js";

/** Takes what a reading brings. */
export interface Sink {
  completion(completion: Completion): void;
  /** Puts a chunk where the engine wants it. */
  bytes(stream: number, chunk: Uint8Array): void;
}

/** What the host holds under a load's id. */
export type Held = Blob | Uint8Array | undefined;

const YIELD_MS = 12;

/** The readings of one model: carries out `fetch` and `cancel`. */
export class Readings {
  readonly #sink: Sink;
  readonly #held: () => Held;
  readonly #pause: () => Promise<void>;
  readonly #open = new Map<number, AbortController>();

  constructor(sink: Sink, held: () => Held, pause: () => Promise<void>) {
    this.#sink = sink;
    this.#held = held;
    this.#pause = pause;
  }

  /** Begins a reading. */
  start(effect: Extract<Effect, { type: "fetch" }>): void {
    const abort = new AbortController();
    this.#open.set(effect.stream, abort);
    this.#read(effect, abort.signal).catch((error: unknown) => {
      if (abort.signal.aborted) return;
      this.#open.delete(effect.stream);
      const message = error instanceof Error ? error.message : String(error);
      this.#sink.completion({ type: "failed", stream: effect.stream, message });
    });
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

  async #read(effect: Extract<Effect, { type: "fetch" }>, signal: AbortSignal): Promise<void> {
    const { stream, from, offset } = effect;
    const { head, body } =
      from.kind === "url"
        ? await request(from.url, offset, signal)
        : heldAt(this.#held(), offset);
    if (signal.aborted) return;
    this.#sink.completion({ type: "opened", stream, ...head });
    await this.#drain(stream, body, signal);
    if (signal.aborted) return;
    this.#open.delete(stream);
    this.#sink.completion({ type: "closed", stream });
  }

  async #drain(stream: number, body: Source["body"], signal: AbortSignal): Promise<void> {
    let since = performance.now();
    for await (const chunk of body) {
      if (signal.aborted) return;
      this.#sink.bytes(stream, chunk);
      // A fast source is read from microtasks only: let messages in between.
      if (performance.now() - since > YIELD_MS) {
        await this.#pause();
        since = performance.now();
      }
    }
  }
}

interface Source {
  head: Omit<Extract<Completion, { type: "opened" }>, "type" | "stream">;
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

const LOCAL = {
  status: 200,
  contentType: null,
  start: null,
  validator: null,
  retryAfterMs: null,
  kept: false,
};

async function request(url: string, offset: number, signal: AbortSignal): Promise<Source> {
  const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
  const response = await fetch(url, { signal, headers });
  return {
    head: {
      ...LOCAL,
      status: response.status,
      contentType: response.headers.get("content-type"),
      length: wholeLength(response),
    },
    body: chunks(response.body, signal),
  };
}

function wholeLength(response: Response): number | null {
  // The length of a compressed transfer is not the file's. Another origin's response hides its
  // encoding but not its length: without one, the model's header tells it, which is soon enough.
  if (response.type === "cors" || response.headers.get("content-encoding")) return null;
  const text =
    response.status === 206
      ? /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1]
      : response.headers.get("content-length");
  return text != null && /^\d+$/.test(text) ? Number(text) : null;
}

function heldAt(held: Held, offset: number): Source {
  if (held === undefined) throw new Error("the bytes of the source are not held any more");
  if (held instanceof Uint8Array) {
    return { head: { ...LOCAL, length: held.byteLength }, body: slices(held.subarray(offset)) };
  }
  return {
    head: { ...LOCAL, length: held.size },
    body: chunks(held.slice(offset).stream(), undefined),
  };
}

const SLICE = 1 << 20;

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += SLICE) yield bytes.subarray(at, at + SLICE);
}

async function* chunks(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const stream = reading(body);
  try {
    for (;;) {
      const { done, value } = await stream.read();
      if (done || value === undefined || signal?.aborted) return;
      yield value;
    }
  } finally {
    // Leaving early must stop the source too; after the end this does nothing.
    stream.cancel().catch(() => undefined);
  }
}

interface Reading {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

// One buffer goes back and forth where the browser can: a new one for each chunk is garbage that
// piles up to tens of megabytes before it is collected.
function reading(body: ReadableStream<Uint8Array>): Reading {
  let bytes: ReadableStreamBYOBReader;
  try {
    bytes = body.getReader({ mode: "byob" });
  } catch {
    const reader = body.getReader();
    return { read: () => reader.read(), cancel: () => reader.cancel() };
  }
  let buffer = new ArrayBuffer(SLICE);
  return {
    read: async () => {
      const result = await bytes.read(new Uint8Array(buffer));
      if (result.value) buffer = result.value.buffer;
      return result;
    },
    cancel: () => bytes.cancel(),
  };
}
