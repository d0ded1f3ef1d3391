import type { SidestageError } from "./errors.js";
import type { FinishReason, Generated, Timings, Usage } from "./protocol.js";

/** One part of `fullStream`. */
export type TextStreamPart =
  | {
      type: "text-delta" | "reasoning";
      /** The piece. */
      textDelta: string;
      /** The same piece, under the newer name. */
      text: string;
    }
  | { type: "finish"; finishReason: FinishReason; usage: Usage; timings: Timings }
  | { type: "error"; error: SidestageError };

/** What a run needs of the connection. */
export interface RunPort {
  /** Lets the worker send so many more tokens. */
  credit(count: number): void;
  /** Asks the worker to end the run. */
  abort(): void;
}

/** Tokens that may be under way; half of it unread stops granting. */
export const WINDOW = 64;

interface Entry {
  part: Extract<TextStreamPart, { textDelta: string }>;
  /** Tokens received up to and including this part. */
  tokens: number;
}

/** A reader's place in a run. */
export interface Cursor<T> {
  /** The next piece; `undefined` at the end. Rejects if the run failed. */
  read(): Promise<T | undefined>;
  /** Stops reading. The last reader to stop ends the run. */
  cancel(): void;
}

interface Settle {
  resolve(result: Generated): void;
  reject(error: SidestageError): void;
}

interface Reader {
  /** Tokens that this reader has taken. */
  taken(): number;
}

/**
 * One streamed answer: the pieces so far, those who read them, and how much more the worker may
 * send. Knows no port and no browser.
 */
export class Run {
  readonly #entries: Entry[] = [];
  readonly #readers = new Set<Reader>();
  #waiting: (() => void)[] = [];
  #port: RunPort | undefined;
  #received = 0;
  #granted = WINDOW;
  #unlimited = false;
  #aborted = false;
  #result: Generated | undefined;
  #error: SidestageError | undefined;
  readonly #settle: Settle;
  /** The whole answer. Rejections count as seen: a caller need not look at it. */
  readonly result: Promise<Generated>;

  constructor() {
    let settle!: Settle;
    this.result = new WatchedPromise<Generated>(
      (resolve, reject) => {
        settle = { resolve, reject };
      },
      () => this.#wantAll(),
    );
    this.#settle = settle;
    void Promise.prototype.then.call(this.result, undefined, () => undefined);
  }

  /** Whether `abort` was called. */
  get aborted(): boolean {
    return this.#aborted;
  }

  /** Whether the run has ended. */
  get ended(): boolean {
    return this.#result !== undefined || this.#error !== undefined;
  }

  /** The request is on its way, with [`WINDOW`] credits. */
  sent(port: RunPort): void {
    this.#port = port;
    this.#grant();
  }

  /** A piece came. */
  delta(text: string, reasoning: string, tokens: number): void {
    if (this.ended) return;
    this.#received += tokens;
    if (!this.#aborted) {
      if (reasoning !== "") this.#push("reasoning", reasoning);
      if (text !== "") this.#push("text-delta", text);
      this.#wake();
    }
    this.#grant();
  }

  /** The run ended well. */
  finish(result: Generated): void {
    if (this.ended) return;
    this.#result = result;
    this.#wake();
    this.#settle.resolve(result);
  }

  /** The run failed. */
  fail(error: SidestageError): void {
    if (this.ended) return;
    this.#error = error;
    this.#wake();
    this.#settle.reject(error);
  }

  /** Ends the run: text streams end at once, the result comes from the worker. */
  abort(): void {
    if (this.ended || this.#aborted) return;
    this.#aborted = true;
    if (this.#port) this.#port.abort();
    else this.finish(NOTHING);
    this.#wake();
  }

  /** Reads the answer's text. */
  text(): Cursor<string> {
    return this.#cursor((entry) =>
      entry.part.type === "text-delta" ? entry.part.textDelta : undefined,
    );
  }

  /** Reads every part; failure and end are parts too. */
  parts(): Cursor<TextStreamPart> {
    let last = false;
    const deltas = this.#cursor((entry) => entry.part, true);
    return {
      cancel: () => deltas.cancel(),
      read: async () => {
        if (last) return undefined;
        const part = await deltas.read();
        if (part) return part;
        if (deltas.cancelled()) return undefined;
        last = true;
        if (this.#error) return { type: "error", error: this.#error };
        if (!this.#result) return undefined;
        const { finishReason, usage, timings } = this.#result;
        return { type: "finish", finishReason, usage, timings };
      },
    };
  }

  #cursor<T>(
    pick: (entry: Entry) => T | undefined,
    full = false,
  ): Cursor<T> & { cancelled(): boolean } {
    let next = 0;
    let state: "new" | "reading" | "ended" | "cancelled" = "new";
    const reader: Reader = {
      // A reader that has seen everything must not hold up tokens that show no text.
      taken: () =>
        next >= this.#entries.length ? this.#received : (this.#entries[next - 1]?.tokens ?? 0),
    };
    const leave = (to: "ended" | "cancelled"): void => {
      state = to;
      this.#readers.delete(reader);
    };
    return {
      cancelled: () => state === "cancelled",
      cancel: () => {
        if (state === "ended" || state === "cancelled") return;
        leave("cancelled");
        if (this.#readers.size === 0) this.abort();
        else this.#grant();
        this.#wake();
      },
      read: async () => {
        if (state === "new") {
          state = "reading";
          this.#readers.add(reader);
        }
        for (;;) {
          if (state !== "reading") return undefined;
          const entry = this.#entries[next];
          if (entry) {
            next += 1;
            this.#grant();
            const value = pick(entry);
            if (value !== undefined) return value;
          } else if (this.#error && !full && !this.#aborted) {
            leave("ended");
            throw this.#error;
          } else if (this.ended || (this.#aborted && !full)) {
            leave("ended");
            return undefined;
          } else {
            await new Promise<void>((resolve) => this.#waiting.push(resolve));
          }
        }
      },
    };
  }

  #push(type: "text-delta" | "reasoning", text: string): void {
    this.#entries.push({
      part: { type, textDelta: text, text },
      tokens: this.#received,
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #wantAll(): void {
    this.#unlimited = true;
    this.#grant();
  }

  // The fastest reader counts: one that was left lying must not stop the others.
  #grant(): void {
    if (!this.#port || this.ended || this.#aborted) return;
    let taken = this.#received;
    if (!this.#unlimited && this.#readers.size > 0) {
      taken = Math.max(...[...this.#readers].map((reader) => reader.taken()));
    }
    const more = taken + WINDOW - this.#granted;
    if (more < WINDOW / 2) return;
    this.#granted += more;
    this.#port.credit(more);
  }
}

/** The result of a run that was aborted before it began. */
const NOTHING: Generated = {
  text: "",
  reasoning: null,
  tokens: [],
  finishReason: "abort",
  usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0, cachedTokens: 0 },
  timings: {
    loadMs: 0,
    queueMs: 0,
    timeToFirstTokenMs: 0,
    prefillTokensPerSecond: null,
    decodeTokensPerSecond: null,
  },
};

/**
 * A promise that tells when somebody waits for it. Who waits for the whole answer must get it, even
 * if a reader of the stream stands still.
 */
class WatchedPromise<T> extends Promise<T> {
  readonly #watched: () => void;

  constructor(
    executor: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
    watched: () => void,
  ) {
    super(executor);
    this.#watched = watched;
  }

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    done?: ((value: T) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#watched();
    return super.then(done, failed);
  }
}
