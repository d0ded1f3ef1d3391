import type { FromWorker, ToWorker } from "../wire.js";
import { Host } from "./host.js";
import { Modules } from "./wasm.js";
import { enterPool, type PoolAnswer, type PoolStart } from "./threads.js";

// This file becomes a script without imports or exports: a module worker, a classic worker, a copy
// in a blob and a pool thread all run the same one. The first message says which.

declare const self: DedicatedWorkerGlobalScope;

let host: Host | undefined;

self.onmessage = (event: MessageEvent<ToWorker | PoolStart>) => {
  const message = event.data;
  if (message.type === "pool") {
    enterPool(message, (answer: PoolAnswer) => self.postMessage(answer));
    return;
  }
  host ??= new Host(
    {
      place: "worker",
      base: self.location.href,
      modules: (base) => new Modules(base),
      script: self.location.href,
      budget: 16,
      lock: holdLock,
    },
    (answer: FromWorker) => self.postMessage(answer),
  );
  host.receive(message);
};

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
