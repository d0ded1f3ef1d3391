import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { SidestageError } from "../src/errors.js";
import { checkLoad, type LoadModelOptions } from "../src/load-options.js";
import { PROTOCOL } from "../src/protocol.js";
import { Session } from "../src/session.js";
import { checkSource } from "../src/source.js";
import { BUILD_ID, type FromWorker, type ToWorker } from "../src/wire.js";

/** A worker that answers as it is told; by default it loads and disposes whatever it is asked to. */
class Pretended extends EventTarget {
  readonly got: ToWorker["type"][] = [];
  /** The last load and the threads that it asked for. */
  load = 0;
  threads: number | "auto" | null = null;
  terminated = false;

  constructor(readonly answers = true) {
    super();
  }

  postMessage(message: ToWorker): void {
    this.got.push(message.type);
    if (message.type === "load") {
      this.load = message.id;
      this.threads = message.options.threads;
    }
    if (message.type === "hello") {
      this.say({
        type: "welcome",
        protocol: PROTOCOL,
        build: BUILD_ID,
        capabilities: {} as never,
        lock: null,
      });
    } else if (message.type === "load" && this.answers) {
      const model = { handle: message.id } as never;
      this.say({ type: "done", id: message.id, outcome: { kind: "loaded", model } });
    }
  }

  say(data: FromWorker): void {
    queueMicrotask(() => this.dispatchEvent(new MessageEvent("message", { data })));
  }

  terminate(): void {
    this.terminated = true;
  }
}

function session(options: LoadModelOptions): Session {
  return new Session(
    checkSource("http://host/m.gguf", undefined),
    checkLoad(options, undefined),
  );
}

const turn = (ms = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "fine",
    (error: SidestageError) => error.code,
  );
}

const handle = ({ handle }: { handle: number }) => Promise.resolve(handle);

test("dispose ends a load again at once, not after the download", async () => {
  const workers = [new Pretended(), new Pretended(false)];
  let made = 0;
  const model = session({ worker: () => workers[made++] as unknown as Worker });
  const live = await model.start();
  live.place.connection.fail({ code: "WORKER_TERMINATED", message: "died" } as SidestageError);
  const use = codeOf(model.use(handle));
  await turn();
  assert.deepEqual(workers[1]!.got, ["hello", "load"]);
  model.dispose();
  assert.equal(workers[1]!.terminated, true);
  assert.equal(await use, "MODEL_DISPOSED");
  assert.equal(await codeOf(model.use(handle)), "MODEL_DISPOSED");
});

test("the caller's signal still ends the first load", async () => {
  const worker = new Pretended(false);
  const ending = new AbortController();
  const model = session({ worker: () => worker as unknown as Worker, signal: ending.signal });
  const start = model.start();
  await turn();
  ending.abort("enough");
  await assert.rejects(start, { code: "ABORTED", cause: "enough" });
  assert.equal(worker.terminated, true);
});

test("an idle model leaves the worker that was given, and comes back to it", async () => {
  const worker = new Pretended();
  const model = session({
    worker: worker as unknown as Worker,
    workerOptions: { terminateOnIdle: true, idleMs: 20 },
  });
  const first = (await model.start()).handle;
  await turn(60);
  assert.deepEqual(worker.got, ["hello", "load", "dispose"]);
  const second = await model.use(handle);
  assert.notEqual(second, first);
  assert.deepEqual(worker.got.slice(3), ["hello", "load"]);
  assert.equal(worker.terminated, false);
  model.dispose();
});

/** A worker that hangs when it makes its threads, if it makes any. */
class Hanging extends Pretended {
  override postMessage(message: ToWorker): void {
    const many = message.type === "load" && message.options.threads !== 1;
    if (many) this.say({ type: "threads", id: message.id, made: false });
    else super.postMessage(message);
  }
}

const loadedBy = async (context: TestContext, start: Promise<unknown>, ms: number) => {
  let over = false;
  void start.catch(() => undefined).finally(() => (over = true));
  for (let passed = 0; !over && passed < ms; passed += 500) {
    await new Promise((resolve) => setImmediate(resolve));
    context.mock.timers.tick(500);
  }
};

test("a worker that hangs when it makes its threads is replaced, at last by one without", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  for (const hangs of [1, 2]) {
    const workers: Pretended[] = [];
    const worker = (): Worker => {
      const made = workers.length < hangs ? new Hanging() : new Pretended();
      workers.push(made);
      return made as unknown as Worker;
    };
    const model = session({ worker, threads: 2 });
    const start = model.start();
    await loadedBy(context, start, 20_000);
    const { capabilities } = await start;
    assert.deepEqual(
      workers.map(({ terminated }) => terminated),
      [...Array<boolean>(hangs).fill(true), false],
    );
    assert.equal(workers[hangs]!.threads, hangs === 1 ? 2 : 1);
    if (hangs === 1) assert.equal(capabilities.threadsReason, undefined);
    else assert.match(capabilities.threadsReason ?? "", /hung/);
    model.dispose();
  }
});

test("a worker that was given and hangs when it makes its threads is an error", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const worker = new Hanging() as unknown as Worker;
  const start = session({ worker, threads: 2 }).start();
  await loadedBy(context, start, 20_000);
  await assert.rejects(start, { code: "WORKER_START_TIMEOUT", message: /threads/ });
});

test("threads that are made in time end the watch over them", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const worker = new Pretended(false);
  const model = session({ worker: () => worker as unknown as Worker });
  const start = model.start();
  await loadedBy(context, start, 100);
  worker.say({ type: "threads", id: worker.load, made: false });
  worker.say({ type: "threads", id: worker.load, made: true });
  await loadedBy(context, start, 20_000);
  assert.equal(worker.terminated, false);
  const info = { handle: worker.load } as never;
  worker.say({ type: "done", id: worker.load, outcome: { kind: "loaded", model: info } });
  assert.equal((await start).handle, worker.load);
  model.dispose();
});
