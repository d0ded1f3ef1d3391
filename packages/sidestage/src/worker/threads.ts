import { SidestageError } from "../errors.js";
import { patiently } from "../patience.js";
import { trusted } from "../trusted-types.js";
import { CLOCK } from "./clock.js";
import type { EngineExports } from "./exports.js";
import { outOfMemory } from "./wasm.js";

/** The first message to a pool thread. */
export interface PoolStart {
  type: "pool";
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  index: number;
  stack: number;
}

/** A pool thread's answers. */
export type PoolAnswer = { type: "ready" } | { type: "crashed"; message: string };

const PAGE = 65536;
/** Pages of the module's own data and stack; a larger start than it declares is allowed. */
const INITIAL_PAGES = 512;
/** Milliseconds a thread may take to start. */
const START_MS = 15_000;
/** Bytes beside the model's: the module's data, messages, parts of files on their way. */
const BESIDE = 64 << 20;
/** Bytes of a thread's stack and its thread-local values. */
const THREAD = (1 << 20) + (64 << 10);
/** Pages that 32-bit addresses reach. */
const MOST_PAGES = 65536;

/**
 * A shared memory for a model of `limit` bytes: some browsers reserve the maximum and fail, so ask
 * for less until one agrees.
 */
export function sharedMemory(limit: number, threads: number): WebAssembly.Memory {
  let maximum = Math.min(MOST_PAGES, Math.ceil((limit + BESIDE + threads * THREAD) / PAGE));
  for (;;) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch (cause) {
      if (maximum <= 2 * INITIAL_PAGES) throw outOfMemory("no shared memory", cause);
      maximum = Math.max(2 * INITIAL_PAGES, maximum >> 1);
    }
  }
}

/** A worker that becomes a pool thread. */
interface Thread {
  worker: Worker;
  ready: Promise<void>;
  /** It has been told what to run: from now on it is late some time. */
  told(): void;
}

/** The workers of threads 1 … `threads - 1`. */
export class Pool {
  readonly #threads: Thread[] = [];

  /**
   * Makes them: their script comes while the module is still compiled. `making` is told before and
   * afterwards: `new Worker` in a worker may wait for the page's thread, in Firefox for ever.
   */
  constructor(
    script: string,
    threads: number,
    onCrash: (message: string) => void,
    making: (made: boolean) => void,
  ) {
    making(false);
    try {
      for (let index = 1; index < threads; index += 1) {
        const worker = new Worker(trusted(script) as string, { name: `sidestage-${index}` });
        const thread = made(worker, onCrash);
        // It may fail before anybody waits for it.
        thread.ready.catch(() => undefined);
        this.#threads.push(thread);
      }
    } catch (error) {
      this.end();
      throw error;
    } finally {
      making(true);
    }
  }

  /** Makes threads of them and waits until all are ready. */
  async start(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    engine: EngineExports,
  ): Promise<void> {
    const needed = Number(engine.__tls_size?.value ?? 0);
    if (needed > (engine.thread_tls_len?.() ?? 0)) {
      throw new SidestageError("ENGINE_CRASHED", `a thread's values take ${needed} bytes`);
    }
    for (const [at, thread] of this.#threads.entries()) {
      const index = at + 1;
      const stack = (engine.thread_block?.() ?? 0) >>> 0;
      if (stack === 0) throw outOfMemory(`no stack for thread ${index}`);
      const start: PoolStart = { type: "pool", module, memory, index, stack };
      thread.worker.postMessage(start);
      thread.told();
    }
    await Promise.all(this.#threads.map(({ ready }) => ready));
  }

  /** Ends them. */
  end(): void {
    for (const { worker } of this.#threads) worker.terminate();
  }
}

// Until the thread is ready its failure is only that of the start: one thread may do instead.
function made(worker: Worker, onCrash: (message: string) => void): Thread {
  let told = (): void => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    let stop = (): void => undefined;
    let fail = (code: string, message: string): void => {
      stop();
      reject(new SidestageError(code, message));
    };
    told = () => {
      stop = patiently(START_MS, () =>
        fail("WORKER_START_TIMEOUT", "a thread did not start in time"),
      );
    };
    worker.onmessage = (event: MessageEvent<PoolAnswer>) => {
      if (event.data.type === "crashed") return fail("ENGINE_CRASHED", event.data.message);
      stop();
      fail = (_, message) => onCrash(message);
      resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail("WORKER_BLOCKED", event.message || "a thread's script was blocked");
    };
  });
  return { worker, ready, told };
}

/** A pool thread's whole life, in its own worker. */
export function enterPool(start: PoolStart, post: (answer: PoolAnswer) => void): void {
  let broken = (): void => undefined;
  try {
    const { memory } = start;
    const silent = (): number => 0;
    const instance = new WebAssembly.Instance(start.module, {
      env: {
        memory,
        ...CLOCK,
        text: () => 2,
        text_len: silent,
        text_take: silent,
        log: (level: number, ptr: number, len: number) => {
          // Shared bytes are copied: TextDecoder refuses them.
          const bytes = new Uint8Array(memory.buffer, ptr >>> 0, len >>> 0).slice();
          if (level === 0) post({ type: "crashed", message: new TextDecoder().decode(bytes) });
        },
      },
    });
    const engine = instance.exports as unknown as EngineExports;
    if (engine.__stack_pointer) engine.__stack_pointer.value = start.stack | 0;
    // Its thread-local values lie above its stack, which grows down.
    engine.__wasm_init_tls?.(start.stack | 0);
    broken = () => {
      // What lies on the stack is lost; it may be used again from its top.
      if (engine.__stack_pointer) engine.__stack_pointer.value = start.stack | 0;
      engine.pool_broken?.();
    };
    post({ type: "ready" });
    engine.pool_enter?.(start.index);
  } catch (error) {
    post({ type: "crashed", message: error instanceof Error ? error.message : String(error) });
    // The engine's worker sleeps until this thread's part is done: it hears no message.
    broken();
  }
}
