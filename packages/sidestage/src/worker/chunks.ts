/** Bytes of the buffer that goes back and forth, and of a slice of what lies in memory. */
const SLICE = 1 << 20;

/** Bytes in memory, in pieces. */
export function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += SLICE) yield bytes.subarray(at, at + SLICE);
}

// What waits for a file's bytes and the stream that has them hold each other, and nothing else holds
// them: without this Chromium's collector takes both, and the load waits for ever.
const open = new Set<Reading>();

/** A stream's chunks; each is valid until the next is asked for. */
export async function* chunks(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal,
  stall?: Stall,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const stream = reading(body);
  open.add(stream);
  try {
    for (;;) {
      stall?.begin();
      const { done, value } = await stream.read();
      stall?.end();
      if (done || value === undefined || signal.aborted) return;
      yield value;
    }
  } finally {
    open.delete(stream);
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

/** Calls back when a source was waited for too long at one time. */
export class Stall {
  readonly #ms: number;
  readonly #onStall: () => void;
  #since: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `ms`: the longest wait; 0: for ever. */
  constructor(ms: number, onStall: () => void) {
    this.#ms = ms;
    this.#onStall = onStall;
  }

  /** Waiting begins. */
  begin(): void {
    if (this.#ms <= 0) return;
    this.#since = performance.now();
    // Chunks are far more frequent than time-outs: one timer, set again only when it fires.
    this.#timer ??= setTimeout(() => this.#check(), this.#ms);
  }

  /** Something came. */
  end(): void {
    this.#since = undefined;
  }

  /** No more is waited for. */
  close(): void {
    this.end();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    this.#timer = undefined;
    if (this.#since === undefined) return;
    const left = this.#since + this.#ms - performance.now();
    if (left > 0) this.#timer = setTimeout(() => this.#check(), left);
    else this.#onStall();
  }
}
