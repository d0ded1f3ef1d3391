import type { FromWorker, ToWorker } from "../wire.js";
import { Host, type Post } from "./host.js";
import { Plain, type PlainRequest } from "./plain.js";
import { enterPool, type PoolAnswer, type PoolStart } from "./threads.js";
import { Modules } from "./wasm.js";

// This file becomes a script without imports or exports: a module worker, a classic worker, a copy
// in a blob and a pool thread all run the same one. The first message says which, and whether the page
// speaks by this package or in plain messages.

declare const self: DedicatedWorkerGlobalScope;

let host: Host | undefined;
let plain: Plain | undefined;

self.onmessage = (event: MessageEvent<ToWorker | PoolStart | PlainRequest>) => {
  const message = event.data;
  switch (message.type) {
    case "pool":
      enterPool(message, (answer: PoolAnswer) => self.postMessage(answer));
      return;
    case "INIT":
    case "INFER":
    case "CANCEL":
    case "DISPOSE":
      plain ??= new Plain(
        makeHost,
        (answer, transfer = []) => self.postMessage(answer, transfer),
        self.location.href,
      );
      plain.receive(message);
      return;
    default:
      host ??= makeHost((answer: FromWorker, transfer = []) =>
        self.postMessage(answer, transfer),
      );
      host.receive(message);
  }
};

function makeHost(post: Post): Host {
  return new Host(
    {
      place: "worker",
      base: self.location.href,
      modules: (base) => new Modules(base),
      script: self.location.href,
      budget: 16,
      lock: holdLock,
    },
    post,
  );
}

let lock: Promise<string | null> | undefined;

/** Takes a lock of a new name and holds it for life: it becomes free when the worker dies. */
function holdLock(): Promise<string | null> {
  lock ??= new Promise((resolve) => {
    const locks = (self.navigator as { locks?: LockManager }).locks;
    if (!locks) {
      resolve(null);
      return;
    }
    const name = `sidestage-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    const forLife = new Promise(() => undefined);
    locks
      .request(name, () => {
        resolve(name);
        return forLife;
      })
      .catch(() => resolve(null));
  });
  return lock;
}
