import { LATE_MS } from "./patience.js";

/** What tells whether a worker lives. */
export interface LifeOptions {
  worker: Worker;
  /** The Web Lock that it holds, if it could. */
  lock: string | null;
  /** Whether an answer is awaited. */
  busy(): boolean;
  /** Ends the watch. */
  signal: AbortSignal;
  onDead: (why: string) => void;
}

/** Milliseconds between two questions, where no lock tells. */
const BEAT = 2_000;
/** Milliseconds of silence that mean death. */
const SILENCE = 12_000;

/**
 * Watches a worker. No event says that a worker was terminated or ran out of memory; but a lock
 * that it holds becomes free. Where locks are refused, a worker that is silent for long is dead.
 */
export function watchLife(options: LifeOptions): { heard(): void } {
  const { worker, lock, signal, onDead } = options;
  const onError = (event: Event): void => {
    event.preventDefault();
    onDead((event as ErrorEvent).message || "the worker failed");
  };
  worker.addEventListener("error", onError, { signal });
  worker.addEventListener("messageerror", onError, { signal });
  let heard = Date.now();
  const beat = (): void => {
    let due = Date.now() + BEAT;
    const timer = setInterval(() => {
      const now = Date.now();
      // After sleep what the worker said may still wait behind this beat.
      if (!options.busy() || now - due > LATE_MS) heard = now;
      due = now + BEAT;
      if (now - heard > SILENCE) onDead("the worker gives no sign of life");
      else if (options.busy()) worker.postMessage({ type: "ping" });
    }, BEAT);
    signal.addEventListener("abort", () => clearInterval(timer));
  };
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  if (lock === null || !locks) {
    beat();
  } else {
    locks
      .request(lock, { signal }, () => onDead("the worker was terminated"))
      .catch(() => {
        if (!signal.aborted) beat();
      });
  }
  return {
    heard: () => {
      heard = Date.now();
    },
  };
}
