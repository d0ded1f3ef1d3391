import { SidestageError } from "./errors.js";
import { patiently } from "./patience.js";
import { PROTOCOL } from "./protocol.js";
import { BUILD_ID, type FromWorker, type NextLoad, type ToWorker } from "./wire.js";

/** A `Worker` or a `MessagePort`. */
export interface Port {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  start?(): void;
}

export type Welcome = Extract<FromWorker, { type: "welcome" }>;

/** What a greeting needs to know. */
export interface Greeting {
  wasmUrl: string | undefined;
  timeout: number;
  signal?: AbortSignal | undefined;
  probe?: boolean | undefined;
  next?: NextLoad | undefined;
  /** Rejects when the other side fails in another way than silence. */
  failed?: Promise<never> | undefined;
}

/** Says hello and waits for a welcome of the same build. */
export async function greet(port: Port, greeting: Greeting): Promise<Welcome> {
  const { signal, timeout } = greeting;
  let stop = (): void => undefined;
  const answer = new Promise<Welcome>((resolve, reject) => {
    const onMessage = (event: MessageEvent): void => {
      const message = event.data as FromWorker | null;
      if (message?.type === "welcome") resolve(message);
    };
    const onAbort = (): void => reject(loadAborted(signal));
    const endTimer = patiently(timeout, () => {
      reject(
        new SidestageError(
          "WORKER_START_TIMEOUT",
          `the worker did not answer in ${timeout} ms`,
          {
            hint: "Is the script really sidestage-worker.js? `workerOptions.startTimeout` sets the time.",
            detail: { timeout },
          },
        ),
      );
    });
    stop = () => {
      endTimer();
      port.removeEventListener("message", onMessage);
      signal?.removeEventListener("abort", onAbort);
    };
    port.addEventListener("message", onMessage);
    port.start?.();
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort);
  });
  try {
    const hello: ToWorker = {
      type: "hello",
      protocol: PROTOCOL,
      build: BUILD_ID,
      wasmUrl: greeting.wasmUrl ?? null,
      probe: greeting.probe ?? false,
      ...(greeting.next && { next: greeting.next }),
    };
    port.postMessage(hello);
    const welcome = await (greeting.failed ? Promise.race([answer, greeting.failed]) : answer);
    if (welcome.protocol !== PROTOCOL || welcome.build !== BUILD_ID) {
      throw new SidestageError(
        "VERSION_MISMATCH",
        `the page is build ${BUILD_ID}, the worker is build ${welcome.build}`,
        {
          hint: "Deploy index.js and sidestage-worker.js together; an old one may be cached.",
          detail: {
            page: { protocol: PROTOCOL, build: BUILD_ID },
            worker: { protocol: welcome.protocol, build: welcome.build },
          },
        },
      );
    }
    return welcome;
  } finally {
    stop();
  }
}

/** The error of an aborted load. */
export function loadAborted(signal: AbortSignal | undefined): SidestageError {
  return new SidestageError("ABORTED", "the load was aborted", {
    cause: signal?.reason as unknown,
  });
}
