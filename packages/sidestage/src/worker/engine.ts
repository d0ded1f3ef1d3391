import { SidestageError } from "../errors.js";
import type { Completion, Effect, Request } from "../protocol.js";
import { CLOCK } from "./clock.js";
import type { EngineExports, TextExports } from "./exports.js";
import { decodeEffects, encode } from "./messages.js";
import { type Kind, moduleOf } from "./kinds.js";
import { NO_TEXT, type TextImports, TextLink } from "./text.js";
import { Pool, sharedMemory } from "./threads.js";
import { type Modules, outOfMemory, refused } from "./wasm.js";

/** How an engine is started. */
export interface EngineStart {
  modules: Modules;
  kind: Kind;
  /** Of the wasm file. */
  variant: string;
  /** Whether it may be asked for text. */
  text: boolean;
  /** Threads in all; more than one only with a threaded variant. */
  threads: number;
  /** The worker's own script, which is the pool threads' too. */
  script: string;
  /** Bytes it may take. */
  limit: number;
  onCrash(error: SidestageError): void;
  /** Told before the threads are made and afterwards. */
  making(made: boolean): void;
}

/** The text module, if it is there, and what the engine imports of it. */
interface Words {
  link: TextLink | undefined;
  imports: TextImports;
  add(module: WebAssembly.Module): Promise<void>;
}

/**
 * One wasm instance of the engine, with its text module if there is to be text: memory in, memory out,
 * nothing clever.
 */
export class Engine {
  readonly #exports: EngineExports;
  readonly #memory: WebAssembly.Memory;
  readonly #words: Words;
  readonly #panic: () => string | undefined;
  readonly #pool: Pool | undefined;

  private constructor(
    exports: EngineExports,
    memory: WebAssembly.Memory,
    words: Words,
    panic: () => string | undefined,
    pool: Pool | undefined,
  ) {
    this.#exports = exports;
    this.#memory = memory;
    this.#words = words;
    this.#panic = panic;
    this.#pool = pool;
  }

  /** Fetches, compiles and instantiates the modules and starts the threads. */
  static async start(how: EngineStart): Promise<Engine> {
    const threaded = how.threads > 1;
    const name = moduleOf(how.kind, how.variant);
    const modules = Promise.all([
      how.modules.get(name),
      how.text ? how.modules.get("text") : undefined,
    ]);
    // While making the threads fails nobody waits for them.
    modules.catch(() => undefined);
    let pool: Pool | undefined;
    let panic: string | undefined;
    try {
      if (threaded) {
        const onCrash = (message: string): void => how.onCrash(crashed(message));
        pool = new Pool(how.script, how.threads, onCrash, (made) => how.making(made));
      }
      const [module, textModule] = await modules;
      const shared = threaded ? sharedMemory(how.limit, how.threads) : undefined;
      let memory = shared as WebAssembly.Memory;
      const words: Words = {
        link: undefined,
        imports: NO_TEXT,
        async add(module) {
          const { exports } = await WebAssembly.instantiate(module, {});
          this.link = new TextLink(exports as unknown as TextExports, () => memory.buffer);
          this.imports = this.link.imports();
        },
      };
      if (textModule) await words.add(textModule);
      const instance = await WebAssembly.instantiate(module, {
        env: {
          ...(shared && { memory: shared }),
          text: (op: number, ptr: number, len: number) => words.imports.text(op, ptr, len),
          text_len: () => words.imports.text_len(),
          text_take: (ptr: number) => words.imports.text_take(ptr),
          ...CLOCK,
          log: (level: number, ptr: number, len: number) => {
            if (level === 0) panic = copyText(memory, ptr, len);
          },
        },
      });
      const exports = instance.exports as unknown as EngineExports;
      if (!shared) memory = exports.memory as WebAssembly.Memory;
      const engine = new Engine(exports, memory, words, () => panic, pool);
      engine.#guard(() => exports.start(how.threads));
      if (shared) await pool?.start(module, shared, exports);
      return engine;
    } catch (error) {
      pool?.end();
      throw error instanceof SidestageError ? error : refused(name, error);
    }
  }

  /** Adds the text module to an engine that was started without. */
  async addText(modules: Modules): Promise<void> {
    const module = await modules.get("text");
    if (!this.#words.link) await this.#words.add(module);
  }

  /** Bytes of its memory and of its text module's. */
  get bytes(): number {
    return this.#memory.buffer.byteLength + (this.#words.link?.bytes ?? 0);
  }

  /**
   * Hands over a request. Errors without `detail.crashed`: it is too large or no JSON and was not
   * taken; the engine is as it was.
   */
  request(request: Request): void {
    let bytes: Uint8Array;
    try {
      bytes = encode(request);
    } catch (cause) {
      if (cause instanceof RangeError) throw outOfMemory("the message is too large", cause);
      throw new SidestageError(
        "MESSAGE_INVALID",
        `the message is not valid: ${String(cause)}`,
        {
          cause,
        },
      );
    }
    this.#send(bytes, (ptr, len) => this.#exports.request(ptr, len));
  }

  /** Hands over what became of an effect. */
  completion(completion: Completion): void {
    this.#send(encode(completion), (ptr, len) => this.#exports.completion(ptr, len));
  }

  /** Puts the next bytes of a reading where the engine wants them; returns how many it took. */
  write(stream: number, bytes: Uint8Array): number {
    return this.#guard(() => {
      const ptr = this.#exports.window(stream, bytes.length) >>> 0;
      if (ptr === 0) return 0;
      const n = Math.min(this.#exports.window_len() >>> 0, bytes.length);
      new Uint8Array(this.#memory.buffer, ptr, n).set(bytes.subarray(0, n));
      this.#exports.wrote(stream, n);
      return n;
    });
  }

  /** Lets `read` put at most so many bytes of a reading where the engine wants them; returns how many it did. */
  fill(stream: number, most: number, read: (into: Uint8Array) => number): number {
    const into = this.#guard(() => {
      const ptr = this.#exports.window(stream, most) >>> 0;
      const length = ptr === 0 ? 0 : Math.min(this.#exports.window_len() >>> 0, most);
      return new Uint8Array(this.#memory.buffer, ptr, length);
    });
    if (into.length === 0) return 0;
    const n = read(into);
    if (n > 0) this.#guard(() => this.#exports.wrote(stream, n));
    return n;
  }

  /** A buffer of these bytes, for an input of a run: its number. */
  buffer(bytes: Uint8Array): number {
    return this.#guard(() => {
      const id = this.#exports.buffer(bytes.length) >>> 0;
      if (id === 0) throw outOfMemory(`${bytes.length} bytes for an input`);
      const ptr = this.#exports.buffer_ptr(id) >>> 0;
      new Uint8Array(this.#memory.buffer, ptr, bytes.length).set(bytes);
      return id;
    });
  }

  /** The bytes of a buffer, as a copy outside the engine's memory. The buffer is freed. */
  take(id: number): Uint8Array<ArrayBuffer> {
    return this.#guard(() => {
      const [ptr, len] = [
        this.#exports.buffer_ptr(id) >>> 0,
        this.#exports.buffer_len(id) >>> 0,
      ];
      const bytes = new Uint8Array(len);
      bytes.set(new Uint8Array(this.#memory.buffer, ptr, len));
      this.#exports.buffer_free(id);
      return bytes;
    });
  }

  /** Frees buffers. */
  free(ids: readonly number[]): void {
    this.#guard(() => {
      for (const id of ids) this.#exports.buffer_free(id);
    });
  }

  /** Works for about that long; whether there is more to do at once. */
  run(budgetMs: number): boolean {
    return this.#guard(() => this.#exports.run(budgetMs) !== 0);
  }

  /** Takes what the engine wants done. */
  effects(): Effect[] {
    return this.#guard(() => {
      const len = this.#exports.effects() >>> 0;
      if (len === 0) return [];
      const ptr = this.#exports.effects_ptr() >>> 0;
      return decodeEffects(new Uint8Array(this.#memory.buffer, ptr, len).slice());
    });
  }

  /** Ends the threads. The memory goes when nobody holds this any more. */
  close(): void {
    this.#pool?.end();
  }

  #send(bytes: Uint8Array, call: (ptr: number, len: number) => void): void {
    this.#guard(() => {
      const ptr = this.#exports.alloc(bytes.length) >>> 0;
      if (ptr === 0) throw outOfMemory(`${bytes.length} bytes for a message`);
      new Uint8Array(this.#memory.buffer, ptr, bytes.length).set(bytes);
      call(ptr, bytes.length);
      this.#exports.free(ptr, bytes.length);
    });
  }

  // A trap leaves the instance in an unknown state: whoever gets this error drops it.
  #guard<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      if (cause instanceof SidestageError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw crashed(this.#panic() ?? message, cause);
    }
  }
}

function copyText(memory: WebAssembly.Memory, ptr: number, len: number): string {
  // A copy, because TextDecoder refuses shared memory.
  const bytes = new Uint8Array(memory.buffer, ptr >>> 0, len >>> 0).slice();
  return new TextDecoder().decode(bytes);
}

function crashed(message: string, cause?: unknown): SidestageError {
  if (/memory allocation of|out of memory/i.test(message)) {
    return outOfMemory(message, cause, { crashed: true });
  }
  return new SidestageError("ENGINE_CRASHED", `the engine crashed: ${message}`, {
    hint: "This is a fault of Sidestage. The model is loaded again on next use.",
    // The module's panics tell no place, to be small: the stack's addresses do.
    detail: {
      panic: message,
      stack: cause instanceof Error ? cause.stack : null,
      crashed: true,
    },
    cause,
  });
}
