import type { Cursor, Run, TextStreamPart } from "./run.js";

/** A `ReadableStream` that `for await` reads in every browser. */
export type IterableStream<T> = ReadableStream<T> & AsyncIterable<T>;

/** A stream of a run; nothing is taken before somebody reads. */
function view<T>(cursor: Cursor<T>): IterableStream<T> {
  const stream = new ReadableStream<T>(
    {
      async pull(controller) {
        const value = await cursor.read();
        if (value === undefined) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        cursor.cancel();
      },
    },
    { highWaterMark: 0 },
  );
  // Safari's streams have no iterator of their own, and all behave the same with ours.
  const values = (): AsyncIterableIterator<T> => iterate(stream);
  return Object.defineProperties(stream, {
    values: { value: values, configurable: true, writable: true },
    [Symbol.asyncIterator]: { value: values, configurable: true, writable: true },
  }) as IterableStream<T>;
}

/** Iterates over a stream; leaving early cancels it. */
export function iterate<T>(stream: ReadableStream<T>): AsyncIterableIterator<T> {
  const reader = stream.getReader();
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    reader.releaseLock();
  };
  return {
    async next() {
      if (over) return { done: true, value: undefined };
      try {
        const step = await reader.read();
        if (!step.done) return step;
      } catch (error) {
        end();
        throw error;
      }
      end();
      return { done: true, value: undefined };
    },
    async return() {
      if (!over) {
        const cancelled = reader.cancel();
        end();
        await cancelled;
      }
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** A run's streams, made when first asked for. */
export class Views {
  readonly #run: Run;
  #text: IterableStream<string> | undefined;
  #full: IterableStream<TextStreamPart> | undefined;

  constructor(run: Run) {
    this.#run = run;
  }

  get text(): IterableStream<string> {
    return (this.#text ??= view(this.#run.text()));
  }

  get full(): IterableStream<TextStreamPart> {
    return (this.#full ??= view(this.#run.parts()));
  }
}
