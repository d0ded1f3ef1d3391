import type { CacheWriter } from "./backend.js";

/** What a reading writes to: takes bytes by their place in the file, and never fails its reading. */
export class KeptFile {
  /** Resolves when it is closed. */
  readonly done: Promise<void>;
  readonly #writer: CacheWriter;
  readonly #grew: (bytes: number) => void;
  readonly #failed: (error: unknown) => void;
  #appending: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #close: () => void = () => undefined;

  /** `grew`: told of the bytes held; `failed`: of the one failure after which nothing is put. */
  constructor(
    writer: CacheWriter,
    grew: (bytes: number) => void,
    failed: (error: unknown) => void,
  ) {
    this.#writer = writer;
    this.#grew = grew;
    this.#failed = failed;
    this.done = new Promise((resolve) => (this.#close = resolve));
  }

  /** Puts bytes that lie at `at` in the file; what is there already is left as it is. */
  put(at: number, bytes: Uint8Array): Promise<void> | undefined {
    if (this.#stopped) return undefined;
    const skip = this.#writer.bytes - at;
    if (skip >= bytes.length) return undefined;
    try {
      if (skip < 0) throw new Error(`bytes at ${at} would leave a hole of ${-skip}`);
      this.#appending = this.#writer.append(bytes.subarray(skip));
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
    if (this.#appending) return this.#appending.then(() => this.#told(), this.#fail);
    this.#told();
    return undefined;
  }

  /** Closes it; nothing more is put. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  #told(): void {
    this.#grew(this.#writer.bytes);
  }

  readonly #fail = (error: unknown): void => {
    this.#failed(error);
    void this.stop();
  };

  async #end(): Promise<void> {
    try {
      await this.#appending?.catch(() => undefined);
      await this.#writer.close();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#close();
    }
  }
}
