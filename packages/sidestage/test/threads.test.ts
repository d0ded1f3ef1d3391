import assert from "node:assert/strict";
import { test } from "node:test";
import { enterPool, Pool, type PoolAnswer, sharedMemory } from "../src/worker/threads.js";

/** Imports `env.memory`; `pool_enter` traps, `pool_broken` writes 7 to address 0. */
// prettier-ignore
const TRAPS = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  // Types: (i32) -> (), () -> ().
  1, 8, 2, 0x60, 1, 0x7f, 0, 0x60, 0, 0,
  // Import: a memory of at least one page.
  2, 15, 1, 3, ...Buffer.from("env"), 6, ...Buffer.from("memory"), 2, 0, 1,
  // Functions of type 0 and 1.
  3, 3, 2, 0, 1,
  7, 28, 2, 10, ...Buffer.from("pool_enter"), 0, 0, 11, ...Buffer.from("pool_broken"), 0, 1,
  // unreachable; i32.store(0, 7).
  10, 15, 2, 3, 0, 0x00, 0x0b, 9, 0, 0x41, 0, 0x41, 7, 0x36, 2, 0, 0x0b,
]);

test("a thread that traps says so and lets its caller go", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const module = new WebAssembly.Module(TRAPS);
  const answers: PoolAnswer[] = [];
  enterPool({ type: "pool", module, memory, index: 1, stack: 1024 }, (answer) =>
    answers.push(answer),
  );
  assert.deepEqual(
    answers.map(({ type }) => type),
    ["ready", "crashed"],
  );
  assert.equal(new Uint8Array(memory.buffer)[0], 7);
});

/** A thread's worker that says one thing after the other. */
class Pretended {
  static says: (PoolAnswer | Error)[] = [];
  onmessage: ((event: { data: PoolAnswer }) => void) | undefined;
  onerror: ((event: object) => void) | undefined;

  postMessage(): void {
    Pretended.says.forEach((said, at) =>
      setTimeout(() => {
        if (said instanceof Error) {
          this.onerror?.({ message: said.message, preventDefault: () => undefined });
        } else this.onmessage?.({ data: said });
      }, 5 * at),
    );
  }

  terminate(): void {}
}

async function start(...says: (PoolAnswer | Error)[]) {
  Pretended.says = says;
  const real = globalThis.Worker as unknown;
  Object.assign(globalThis, { Worker: Pretended });
  const crashes: string[] = [];
  const engine = { thread_block: () => 64 } as never;
  const making: boolean[] = [];
  const pool = new Pool(
    "",
    2,
    (message) => crashes.push(message),
    (made) => making.push(made),
  );
  const started = await pool.start({} as never, {} as never, engine).then(
    () => "started",
    (error: { code: string }) => error.code,
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  Object.assign(globalThis, { Worker: real });
  assert.deepEqual(making, [false, true]);
  return { started, crashes };
}

test("a thread that fails before it is ready only fails the start", async () => {
  const blocked = await start(new Error("blocked"));
  assert.deepEqual(blocked, { started: "WORKER_BLOCKED", crashes: [] });
  const crashed = await start({ type: "crashed", message: "no wasm" });
  assert.deepEqual(crashed, { started: "ENGINE_CRASHED", crashes: [] });
});

test("a thread that fails later is a crash", async () => {
  const crashed = { type: "crashed", message: "trap" } as const;
  const after = await start({ type: "ready" }, crashed, new Error("died"));
  assert.deepEqual(after, { started: "started", crashes: ["trap", "died"] });
});

test("shared memory has room beside the model's own limit", () => {
  const MB = 2 ** 20;
  const room = (limit: number, threads: number): number => {
    const memory = sharedMemory(limit, threads);
    for (let step = 1 << 16; step >= 1; step >>= 1) {
      try {
        memory.grow(step);
      } catch {
        // Over the maximum: try a smaller step.
      }
    }
    return memory.buffer.byteLength;
  };
  assert.equal(room(32 * MB, 4), (32 + 64 + 4 + 0.25) * MB);
  assert.equal(sharedMemory(2 ** 32 - 65536, 4).buffer.byteLength, 32 * MB);
});
