import { SidestageError } from "../errors.js";
import type { Capabilities, Event, Request } from "../protocol.js";
import type { FromWorker, ToWorker } from "../wire.js";
import { Engine } from "./engine.js";
import { infoOf } from "./errors.js";
import { variantOf } from "./features.js";
import { type Held, Readings } from "./fetch.js";
import type { Turns } from "./turns.js";
import type { Modules } from "./wasm.js";

/** What a model needs of its host. */
export interface InstanceHost {
  modules: Modules;
  capabilities: Capabilities;
  script: string;
  turns: Turns;
  /** Milliseconds a slice may take. */
  budget: number;
  post(event: FromWorker): void;
  /** The model is gone; its requests are settled. `crash`: nobody asked for that. */
  gone(crash: SidestageError | undefined): void;
}

type Load = Extract<ToWorker, { type: "load" }>;
/** What goes to the engine as it is. */
export type ModelRequest = Extract<Request, { model: number }>;

/** Milliseconds between two questions for signs of life, while nothing else happens. */
const SIGN_MS = 300;

const LARGEST = 2 ** 32 - 65536;

/**
 * One model: one wasm instance, its threads, its readings, its open requests. Settles each of them,
 * whatever happens to the engine.
 */
export class Instance {
  readonly #load: Load;
  readonly #host: InstanceHost;
  readonly #open = new Set<number>();
  readonly #readings: Readings;
  #engine: Engine | undefined;
  #early: ModelRequest[] = [];
  #held: Held;
  #scheduled = false;
  #wake: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #capabilities: Capabilities;

  constructor(load: Load, host: InstanceHost) {
    this.#load = load;
    this.#host = host;
    this.#held = load.held;
    this.#capabilities = host.capabilities;
    this.#open.add(load.id);
    this.#readings = new Readings(
      {
        completion: (completion) => this.#enter((engine) => engine.completion(completion)),
        bytes: (stream, chunk) => this.#bytes(stream, chunk),
      },
      () => this.#held,
      () => host.turns.pause(),
    );
    this.#start().catch((error: unknown) => this.#crash(error));
  }

  /** A request for this model. */
  request(request: ModelRequest): void {
    if (this.#closed) return;
    if (request.type !== "credit" && request.type !== "abort") this.#open.add(request.id);
    if (!this.#engine) {
      this.#early.push(request);
      if (request.type === "abort" && request.id === this.#load.id) {
        this.close(new SidestageError("ABORTED", "the load was aborted"));
      }
      return;
    }
    this.#enter((engine) => this.#handOver(engine, request));
  }

  /** Frees the model; its open requests fail with `error`. */
  close(error: SidestageError): void {
    this.#end(error);
  }

  #end(error: SidestageError, crash?: SidestageError): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#wake);
    this.#readings.close();
    this.#engine?.close();
    this.#engine = undefined;
    this.#held = undefined;
    const info = infoOf(error, error.code);
    for (const id of this.#open) this.#host.post({ type: "error", id, error: info });
    this.#open.clear();
    this.#host.gone(crash);
  }

  async #start(): Promise<void> {
    const { id, source, options } = this.#load;
    const { capabilities, modules, script } = this.#host;
    if (!capabilities.simd) {
      throw new SidestageError("WASM_UNSUPPORTED", "the browser's WebAssembly has no SIMD", {
        hint: "Use Chrome 91, Firefox 89 or Safari 16.4, or newer.",
      });
    }
    const wanted = options.threads ?? Math.max(1, capabilities.cores - 1);
    const limit = Math.min(options.memoryLimit ?? LARGEST, LARGEST);
    const begin = (threads: number): Promise<Engine> =>
      Engine.start({
        modules,
        variant: variantOf(capabilities.relaxedSimd, threads > 1),
        threads,
        script,
        limit,
        onCrash: (error) => this.#crash(error),
      });
    let threads = capabilities.threads ? wanted : 1;
    let { threadsReason } = capabilities;
    let engine: Engine;
    try {
      engine = await begin(threads);
    } catch (error) {
      if (threads === 1 || this.#closed) throw error;
      threadsReason = `the threads did not start: ${infoOf(error, "WORKER_BLOCKED").message}`;
      threads = 1;
      engine = await begin(threads);
    }
    if (this.#closed) {
      engine.close();
      return;
    }
    this.#engine = engine;
    const alone =
      options.threads === null
        ? `of ${capabilities.cores} cores one is left to the page`
        : "one thread was asked for";
    this.#capabilities = {
      ...capabilities,
      threads: threads > 1,
      threadsReason: threads > 1 ? null : (threadsReason ?? alone),
      variant: variantOf(capabilities.relaxedSimd, threads > 1),
    };
    this.#enter((running) =>
      running.request({
        type: "load",
        id,
        source,
        options: { ...options, threads, memoryLimit: limit },
      }),
    );
    const early = this.#early;
    this.#early = [];
    for (const request of early) this.request(request);
  }

  // A message that finds no memory fails alone; what belongs to another request must not be lost.
  #handOver(engine: Engine, request: ModelRequest): void {
    try {
      engine.request(request);
    } catch (error) {
      const alone =
        error instanceof SidestageError &&
        error.detail?.crashed !== true &&
        request.type !== "credit" &&
        request.type !== "abort";
      if (!alone) throw error;
      this.#open.delete(request.id);
      this.#host.post({ type: "error", id: request.id, error: infoOf(error, error.code) });
    }
  }

  #bytes(stream: number, chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && this.#engine) {
      let took = 0;
      this.#enter((engine) => {
        took = engine.write(stream, chunk.subarray(at));
      });
      // The engine wants no more of this reading.
      if (took === 0) return;
      at += took;
    }
  }

  // Every way into the engine: afterwards its effects are carried out and it is given time.
  #enter(call: (engine: Engine) => void): void {
    const engine = this.#engine;
    if (!engine) return;
    try {
      call(engine);
      this.#carryOut(engine);
      this.#schedule();
    } catch (error) {
      this.#crash(error);
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#host.turns.later(() => {
      this.#scheduled = false;
      const engine = this.#engine;
      if (!engine) return;
      try {
        const more = engine.run(this.#host.budget);
        this.#carryOut(engine);
        if (more) this.#schedule();
        else this.#wakeLater();
      } catch (error) {
        this.#crash(error);
      }
    });
  }

  // A request that waits for credits still gives signs of life, if the engine is asked for them.
  #wakeLater(): void {
    clearTimeout(this.#wake);
    if (this.#open.size === 0 || this.#closed) return;
    this.#wake = setTimeout(() => this.#schedule(), SIGN_MS);
  }

  #carryOut(engine: Engine): void {
    for (const effect of engine.effects()) {
      if (this.#closed) return;
      if (effect.type === "post") this.#post(effect.event, engine);
      else if (effect.type === "fetch") this.#readings.start(effect);
      else if (effect.type === "cancel") this.#readings.cancel(effect.stream);
    }
  }

  #post(event: Event, engine: Engine): void {
    if (event.type === "error") {
      if (event.id !== null) this.#open.delete(event.id);
      this.#host.post(event);
      // A load that failed leaves nothing to be used.
      if (event.id === this.#load.id) {
        this.close(new SidestageError("MODEL_DISPOSED", "the model was not loaded"));
      }
      return;
    }
    if (event.type !== "done") {
      this.#host.post(event);
      return;
    }
    this.#open.delete(event.id);
    const { outcome } = event;
    if (outcome.kind === "loaded") {
      outcome.model.handle = this.#load.id;
      // The weights are in place; what they came from need not stay.
      this.#held = undefined;
      this.#host.post({ ...event, capabilities: this.#capabilities });
      return;
    }
    if (outcome.kind === "metrics") outcome.metrics.wasmBytes = engine.bytes;
    this.#host.post(event);
  }

  #crash(error: unknown): void {
    const info = infoOf(error, "ENGINE_CRASHED");
    // An engine that never ran is no crash: loading again would fail in the same way.
    const detail = this.#engine ? { ...info.detail, crashed: true } : info.detail;
    const told = new SidestageError(info.code, info.message, { ...info, detail, cause: error });
    this.#end(told, this.#engine && told);
  }
}
