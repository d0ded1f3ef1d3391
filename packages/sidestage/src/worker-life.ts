import { Connection } from "./connection.js";
import { explain, watchPolicy, type PolicyWatch } from "./diagnose.js";
import { asSidestageError, SidestageError } from "./errors.js";
import { greet, type Welcome } from "./handshake.js";
import type { ScriptUrl } from "./load-options.js";
import type { Opening, Place, PlaceOptions } from "./place.js";
import { trusted } from "./trusted-types.js";
import { watchLife } from "./watch.js";

interface Started {
  worker: Worker;
  welcome: Welcome;
  /** Why it is a copy of the script that runs, if it is. */
  fallbackReason: string | null;
  /** Frees what the start took. */
  release(): void;
}

/** Starts a worker, or takes the given one, and connects to it. */
export async function openWorker(options: PlaceOptions, opening: Opening): Promise<Place> {
  const owned = typeof options.worker !== "object";
  const started = await start(options, opening);
  const { worker, welcome } = started;
  const endings = new AbortController();
  const end = (): void => {
    endings.abort();
    worker.removeEventListener("message", onMessage);
    if (owned) worker.terminate();
    started.release();
  };
  const connection = new Connection({
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    timeout: options.timeout,
    onFailed: (error) => {
      end();
      opening.onClosed?.(error);
    },
  });
  const onMessage = (event: MessageEvent): void => {
    life.heard();
    connection.receive(event.data);
  };
  const life = watchLife({
    worker,
    lock: welcome.lock,
    busy: () => connection.size > 0,
    signal: endings.signal,
    onDead: (why) =>
      connection.fail(
        new SidestageError("WORKER_TERMINATED", why, {
          hint: "The browser may have run out of memory. A model from a URL is loaded again on next use.",
        }),
      ),
  });
  worker.addEventListener("message", onMessage);
  return {
    connection,
    capabilities: { ...welcome.capabilities, fallbackReason: started.fallbackReason },
    close(error, handle) {
      if (!owned && handle !== undefined) {
        connection
          .request((id) => ({ type: "dispose", id, model: handle }))
          .done.catch(() => undefined);
      }
      connection.fail(error);
    },
  };
}

async function start(options: PlaceOptions, opening: Opening): Promise<Started> {
  if (options.worker !== undefined) {
    const { worker: given } = options;
    return attempt(() => (typeof given === "function" ? given() : given), options, opening, {
      owned: typeof given === "function",
    });
  }
  const url: ScriptUrl = options.workerUrl ?? new URL("./sidestage-worker.js", import.meta.url);
  const make = (): Worker =>
    new Worker(trusted(url) as string, { type: "module", name: "sidestage" });
  try {
    return await attempt(make, options, opening, { owned: true, url: String(url) });
  } catch (error) {
    if (!(error instanceof SidestageError) || error.code !== "WORKER_BLOCKED") throw error;
    // Only a page without an origin may not start its own server's script; a copy may run there.
    if (globalThis.origin !== "null") throw error;
    return startCopy(String(url), options, opening, error);
  }
}

async function startCopy(
  url: string,
  options: PlaceOptions,
  opening: Opening,
  refused: SidestageError,
): Promise<Started> {
  let script: Blob;
  try {
    const response = await fetch(url);
    if (!response.ok) throw refused;
    script = new Blob([await response.text()], { type: "text/javascript" });
  } catch {
    throw refused;
  }
  const copy = URL.createObjectURL(script);
  const wasmUrl = options.wasmUrl ?? new URL(".", url).href;
  // Not a module: Chromium starts no module worker from a blob in a page without an origin.
  const make = (): Worker => new Worker(trusted(copy) as string, { name: "sidestage" });
  try {
    const started = await attempt(make, { ...options, wasmUrl }, opening, { owned: true });
    return {
      ...started,
      fallbackReason: `${refused.code}: ${refused.message}`,
      release: () => URL.revokeObjectURL(copy),
    };
  } catch (error) {
    URL.revokeObjectURL(copy);
    if (!(error instanceof SidestageError) || error.code !== "WORKER_BLOCKED") throw error;
    const { code, message, hint, detail } = refused;
    throw new SidestageError(code, `${message}, and not a copy of it either`, {
      hint,
      detail,
      cause: error,
    });
  }
}

async function attempt(
  make: () => Worker,
  options: PlaceOptions,
  opening: Opening,
  how: { owned: boolean; url?: string },
): Promise<Started> {
  const policy = watchPolicy();
  let worker: Worker | undefined;
  try {
    worker = make();
    const failed = failure(worker, how.url, policy);
    failed.promise.catch(() => undefined);
    try {
      const welcome = await greet(worker, {
        wasmUrl: options.wasmUrl,
        timeout: options.startTimeout,
        signal: opening.signal,
        probe: opening.probe,
        next: opening.next,
        failed: failed.promise,
      });
      return { worker, welcome, fallbackReason: null, release: () => undefined };
    } finally {
      failed.stop();
    }
  } catch (thrown) {
    if (how.owned) worker?.terminate();
    if (thrown instanceof SidestageError) throw thrown;
    if (how.url === undefined) throw asSidestageError(thrown, "WORKER_BLOCKED");
    throw await explain(how.url, policy, thrown);
  } finally {
    policy.stop();
  }
}

function failure(
  worker: Worker,
  url: string | undefined,
  policy: PolicyWatch,
): { promise: Promise<never>; stop(): void } {
  const heard = new AbortController();
  const promise = new Promise<never>((_, reject) => {
    const onError = (event: Event): void => {
      event.preventDefault();
      const message = (event as ErrorEvent).message || undefined;
      const cause = message === undefined ? undefined : new Error(message);
      if (url === undefined) {
        reject(asSidestageError(cause ?? "the worker failed", "WORKER_BLOCKED"));
      } else {
        explain(url, policy, cause).then(reject, reject);
      }
    };
    worker.addEventListener("error", onError, { signal: heard.signal });
    worker.addEventListener("messageerror", onError, { signal: heard.signal });
  });
  return { promise, stop: () => heard.abort() };
}
