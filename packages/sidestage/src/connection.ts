import { SidestageError } from "./errors.js";
import { LATE_MS } from "./patience.js";
import type { AnyOutcome, FromWorker, ToWorker } from "./wire.js";

/** Events of one request before its last. */
export type RequestEvent = Extract<
  FromWorker,
  { type: "progress" | "working" | "delta" | "threads" }
>;

/** The last event of a request that succeeded. */
export type Settled = Extract<FromWorker, { type: "done" }>;

interface Pending {
  resolve(done: Settled): void;
  reject(error: SidestageError): void;
  onEvent: ((event: RequestEvent) => void) | undefined;
  heard: number;
  /** Whether a time-out that came late has been let pass since then. */
  excused: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A request that was sent. */
export interface OpenRequest {
  id: number;
  done: Promise<Settled>;
}

/** How a connection reaches the other side and what it tells its owner. */
export interface ConnectionOptions {
  /** Sends a message; throws if it cannot be cloned. */
  post(message: ToWorker, transfer?: Transferable[]): void;
  /** Milliseconds a request may stay without an event; none: for ever. */
  timeout?: number | undefined;
  /** Called once, when everything has been settled with `error`. */
  onFailed?: (error: SidestageError) => void;
}

// Ids are unique over all connections of the page, because several may share one port.
let lastId = 0;

/**
 * Requests and events over one port. Each request is settled exactly once: by its `done` or
 * `error`, by its time-out, or by the end of the connection. Events of unknown, settled or foreign
 * requests are dropped, so nothing late or doubled can reach another request.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #open = new Map<number, Pending>();
  #failure: SidestageError | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Why the connection ended, if it did. */
  get failure(): SidestageError | undefined {
    return this.#failure;
  }

  /** Requests that are not settled. */
  get size(): number {
    return this.#open.size;
  }

  /** Sends a request; `build` gets its id, and what is in `transfer` is handed over. */
  request(
    build: (id: number) => ToWorker,
    onEvent?: (event: RequestEvent) => void,
    transfer?: Transferable[],
  ): OpenRequest {
    const id = ++lastId;
    const done = new Promise<Settled>((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      const pending: Pending = {
        resolve,
        reject,
        onEvent,
        heard: Date.now(),
        excused: false,
        timer: undefined,
      };
      this.#open.set(id, pending);
      try {
        this.#options.post(build(id), transfer);
      } catch (cause) {
        this.#settle(id)?.reject(
          new SidestageError("INVALID_OPTION", "the request cannot be sent to the worker", {
            cause,
          }),
        );
        return;
      }
      this.#watch(id, pending);
    });
    return { id, done };
  }

  /** Sends what expects no answer. */
  send(message: ToWorker): void {
    if (!this.#failure) this.#options.post(message);
  }

  /** Takes whatever came over the port. */
  receive(message: unknown): void {
    if (this.#failure || typeof message !== "object" || message === null) return;
    const event = message as FromWorker;
    switch (event.type) {
      case "progress":
      case "working":
      case "delta":
      case "threads": {
        const pending = this.#open.get(event.id);
        if (!pending) return;
        pending.heard = Date.now();
        pending.excused = false;
        pending.onEvent?.(event);
        return;
      }
      case "done":
        this.#settle(event.id)?.resolve(event);
        return;
      case "error":
        if (event.id === null) this.fail(SidestageError.from(event.error));
        else this.#settle(event.id)?.reject(SidestageError.from(event.error));
        return;
      default:
        return;
    }
  }

  /** Ends the connection: every open and every later request fails with `error`. */
  fail(error: SidestageError): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const id of [...this.#open.keys()]) this.#settle(id)?.reject(error);
    this.#options.onFailed?.(error);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#open.get(id);
    if (!pending) return undefined;
    this.#open.delete(id);
    clearTimeout(pending.timer);
    return pending;
  }

  // One timer a request, armed again only when it fires: events are far more frequent than that.
  #watch(id: number, pending: Pending): void {
    const { timeout } = this.#options;
    if (timeout === undefined) return;
    const now = Date.now();
    // What the worker said in the meantime may still wait behind a timer that comes late.
    if (now - pending.heard - timeout > LATE_MS && !pending.excused) {
      pending.heard = now;
      pending.excused = true;
    }
    const left = pending.heard + timeout - now;
    if (left > 0) {
      pending.timer = setTimeout(() => this.#watch(id, pending), left);
      return;
    }
    this.#settle(id)?.reject(
      new SidestageError("WORKER_TIMEOUT", `the worker said nothing for ${timeout} ms`, {
        hint: "Raise `workerOptions.timeout`; the worker is started again on next use.",
        detail: { timeout },
      }),
    );
    // A worker that is stuck in one request answers none of the others either.
    this.fail(
      new SidestageError("WORKER_TERMINATED", "the worker was ended because it hung", {
        detail: { timeout },
      }),
    );
  }
}

/** The outcome of a request, of the kind that it must have. */
export function expect<K extends AnyOutcome["kind"]>(
  done: Settled,
  kind: K,
): Extract<AnyOutcome, { kind: K }> {
  if (done.outcome.kind !== kind) {
    throw new SidestageError(
      "VERSION_MISMATCH",
      `the worker answered ${done.outcome.kind}, not ${kind}`,
    );
  }
  return done.outcome as Extract<AnyOutcome, { kind: K }>;
}
