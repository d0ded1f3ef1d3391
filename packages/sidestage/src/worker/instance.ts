import { SidestageError } from "../errors.js";
import type {
  Capabilities,
  Completion,
  Effect,
  ErrorInfo,
  Event,
  ModelInfo,
  ModelSource,
  Request,
} from "../protocol.js";
import { buffersOf } from "../spares.js";
import type { FromWorker, HeldFiles, ToWorker, WireRun } from "../wire.js";
import { CacheAccess } from "./cache/access.js";
import type { ChosenCache } from "./cache/backend.js";
import { Figures } from "./cache/figures.js";
import { Engine } from "./engine.js";
import { infoOf } from "./errors.js";
import { threadsWanted, variantOf } from "./features.js";
import { type Fetch, type Held, Readings } from "./fetch.js";
import { filesOf } from "./folder.js";
import { isTokenizer, keyOf, type Kind, kindOf, otherKind } from "./kinds.js";
import { Pictures } from "./pictures.js";
import { TextWanted } from "./text.js";
import type { Turns } from "./turns.js";
import { intoBuffers, outOfBuffers } from "./values.js";
import type { Modules } from "./wasm.js";

/** What a model needs of its host. */
export interface InstanceHost {
  modules: Modules;
  capabilities: Capabilities;
  cache: ChosenCache;
  script: string;
  turns: Turns;
  /** Milliseconds a slice may take. */
  budget: number;
  post(event: FromWorker, transfer?: Transferable[]): void;
  /** The model is gone; its requests are settled. `crash`: nobody asked for that. */
  gone(crash: SidestageError | undefined): void;
}

type Load = Extract<ToWorker, { type: "load" }>;
/** What goes to the engine, of a run with its tensors in buffers. */
export type ModelRequest =
  Exclude<Extract<Request, { model: number }>, { type: "run" }> | WireRun;

/** Milliseconds between two questions for signs of life, while nothing else happens. */
const SIGN_MS = 300;

const LARGEST = 2 ** 32 - 65536;

/** The modules that a load needs. */
interface Needs {
  kind: Kind;
  text: boolean;
}

/**
 * One model: one wasm instance, its threads, its readings, its open requests. Settles each of them,
 * whatever happens to the engine.
 */
export class Instance {
  readonly #load: Omit<Load, "held">;
  readonly #host: InstanceHost;
  /** Requests that are not settled, with the buffers that came with them. */
  readonly #open = new Map<number, ArrayBuffer[]>();
  readonly #readings: Readings;
  readonly #cache: CacheAccess;
  readonly #pictures: Pictures;
  #engine: Engine | undefined;
  #early: ModelRequest[] = [];
  #held: Held = [];
  #source: ModelSource;
  #needs: Needs = { kind: "language", text: true };
  /** Whether the content was of another kind than the name. */
  #moved = false;
  /** Bytes that were told: when a load begins anew, progress does not go back. */
  #loaded = 0;
  #scheduled = false;
  #wake: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #capabilities: Capabilities;
  #figures: Figures | undefined;
  /** Ends when what was measured has been kept. */
  #remembered: Promise<void> | undefined;

  constructor(load: Load, host: InstanceHost) {
    const { held, ...rest } = load;
    this.#load = rest;
    this.#source = load.source;
    this.#host = host;
    this.#capabilities = host.capabilities;
    this.#open.set(load.id, []);
    const tell = (completion: Completion): void =>
      this.#enter((engine) => engine.completion(completion));
    this.#cache = new CacheAccess(host.cache.backend, tell);
    this.#readings = new Readings(
      {
        completion: tell,
        begins: (effect) => this.#begins(effect),
        bytes: (stream, chunk) => this.#bytes(stream, chunk),
        fill: (stream, most, read) => this.#fill(stream, most, read),
      },
      this.#cache,
      () => this.#held,
      () => host.turns.pause(),
    );
    this.#pictures = new Pictures({
      budget: host.budget,
      pause: () => host.turns.pause(),
      ready: (run) => this.#give(run),
      failed: (id, error) => this.#refuse(id, infoOf(error, "INPUT_INVALID")),
    });
    this.#start(held).catch((error: unknown) => this.#crash(error));
  }

  /** A request for this model. */
  request(request: ModelRequest): void {
    if (this.#closed) return;
    if (request.type !== "credit" && request.type !== "abort") {
      this.#open.set(request.id, request.type === "run" ? buffersOf(request.inputs) : []);
    }
    if (request.type === "run" && this.#pictures.take(request)) return;
    if (request.type === "abort" && this.#pictures.abort(request.id)) {
      const aborted = new SidestageError("ABORTED", "the run was aborted");
      this.#refuse(request.id, infoOf(aborted, aborted.code));
      return;
    }
    this.#give(request);
  }

  #give(request: ModelRequest): void {
    if (this.#closed) return;
    if (!this.#engine) {
      this.#early.push(request);
      if (request.type === "abort" && request.id === this.#load.id) {
        this.close(new SidestageError("ABORTED", "the load was aborted"));
      }
      return;
    }
    // A run begins at once: a turn of the event loop takes as long as the run of a tiny model.
    this.#enter((engine) => this.#handOver(engine, request), request.type === "run");
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
    this.#cache.close();
    this.#engine?.close();
    this.#engine = undefined;
    this.#held = [];
    const info = infoOf(error, error.code);
    for (const id of this.#open.keys()) this.#host.post({ type: "error", id, error: info });
    this.#open.clear();
    this.#host.gone(crash);
  }

  async #start(held: HeldFiles | undefined): Promise<void> {
    await this.#take(held);
    const kind = kindOf(this.#source);
    const key = keyOf(this.#source, this.#load.options);
    if (key !== null) this.#cache.expect(key);
    await this.#begin({ kind, text: kind === "language" });
  }

  async #begin(needs: Needs): Promise<void> {
    this.#needs = needs;
    const { id, options } = this.#load;
    const source = this.#source;
    const { capabilities, modules, script } = this.#host;
    if (!capabilities.simd) {
      throw new SidestageError("WASM_UNSUPPORTED", "the browser's WebAssembly has no SIMD", {
        hint: "Use Chrome 91, Firefox 89 or Safari 16.4, or newer.",
      });
    }
    const { cores } = capabilities;
    const several = variantOf(capabilities.relaxedSimd, true);
    const auto = options.threads === "auto" && capabilities.threads && cores > 1;
    if (auto) {
      const machine = { variant: several, cores };
      this.#figures = new Figures(this.#host.cache.backend, machine, source, options);
    }
    const measured = (await this.#figures?.recall()) ?? null;
    const sure = measured?.sure ? measured.threads : null;
    const wanted = sure ?? threadsWanted(options.threads);
    const limit = Math.min(options.memoryLimit ?? LARGEST, LARGEST);
    const begin = (threads: number): Promise<Engine> =>
      Engine.start({
        modules,
        ...needs,
        variant: threads > 1 ? several : variantOf(capabilities.relaxedSimd, false),
        threads,
        script,
        limit,
        onCrash: (error) => this.#crash(error),
        making: (made) => this.#host.post({ type: "threads", id, made }),
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
    const left =
      cores > 1 ? `of ${cores} cores one is left to the page` : "the machine has one core";
    const alone = typeof options.threads === "number" ? "one thread was asked for" : left;
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
        options: {
          ...options,
          threads: auto && threads === wanted ? "auto" : threads,
          measured,
          memoryLimit: limit,
        },
      }),
    );
    const early = this.#early;
    this.#early = [];
    for (const request of early) this.request(request);
  }

  // The load needs other modules than its source's name said, and begins anew with them. What was read
  // is in the cache, or is asked for again.
  #again(needs: Needs): void {
    this.#engine?.close();
    this.#engine = undefined;
    this.#readings.close();
    this.#cache.releaseAll();
    this.#begin(needs).catch((error: unknown) => this.#crash(error));
  }

  // Beside a graph there is a tokenizer: before the engine can ask for text, the module is there. If it
  // cannot be got, the load begins anew with it, and fails.
  async #begins({ from }: Fetch): Promise<void> {
    const engine = this.#engine;
    if (this.#needs.text || !engine || !isTokenizer(from, this.#source)) return;
    await engine.addText(this.#host.modules).then(
      () => {
        if (this.#engine === engine) this.#needs.text = true;
      },
      () => undefined,
    );
  }

  async #take(held: HeldFiles = []): Promise<void> {
    if (Array.isArray(held)) {
      this.#held = held;
      return;
    }
    const files = await filesOf(held);
    this.#held = files;
    this.#source = { kind: "held", files: files.map(({ name, size }) => ({ name, size })) };
  }

  // A message that finds no memory fails alone; what belongs to another request must not be lost.
  #handOver(engine: Engine, request: ModelRequest): void {
    try {
      engine.request(
        request.type === "run"
          ? { ...request, inputs: intoBuffers(engine, request.inputs) }
          : request,
      );
    } catch (error) {
      const alone =
        error instanceof SidestageError &&
        error.detail?.crashed !== true &&
        request.type !== "credit" &&
        request.type !== "abort";
      if (!alone) throw error;
      this.#refuse(request.id, infoOf(error, error.code));
    }
  }

  #refuse(id: number, error: ErrorInfo): void {
    if (this.#open.delete(id)) this.#host.post({ type: "error", id, error });
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

  #fill(stream: number, most: number, read: (into: Uint8Array) => number): number {
    let took = 0;
    let failure: unknown;
    this.#enter((engine) => {
      took = engine.fill(stream, most, (into) => {
        try {
          return read(into);
        } catch (error) {
          failure = error ?? new Error("the file cannot be read");
          return 0;
        }
      });
    });
    if (failure !== undefined) throw failure as Error;
    return took;
  }

  // Every way into the engine: afterwards its effects are carried out and it is given time, `now` or in
  // the next turn.
  #enter(call: (engine: Engine) => void, now = false): void {
    const engine = this.#engine;
    if (!engine) return;
    try {
      call(engine);
      this.#carryOut(engine);
      if (now && !this.#scheduled) this.#slice();
      else this.#schedule();
    } catch (error) {
      if (error instanceof TextWanted) this.#again({ ...this.#needs, text: true });
      else this.#crash(error);
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#host.turns.later(() => {
      this.#scheduled = false;
      this.#slice();
    });
  }

  #slice(): void {
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
  }

  // A request that waits for credits still gives signs of life, if the engine is asked for them.
  #wakeLater(): void {
    clearTimeout(this.#wake);
    if (this.#open.size === 0 || this.#closed) return;
    this.#wake = setTimeout(() => this.#schedule(), SIGN_MS);
  }

  #carryOut(engine: Engine): void {
    for (const effect of engine.effects()) {
      if (this.#engine !== engine) return;
      this.#carryOutOne(effect, engine);
    }
  }

  #carryOutOne(effect: Effect, engine: Engine): void {
    switch (effect.type) {
      case "post":
        return this.#post(effect.event, engine);
      case "fetch":
        return this.#readings.start(effect);
      case "cancel":
        return this.#readings.cancel(effect.stream);
      case "lookup":
        return this.#cache.lookup(effect.key, effect.wait);
      case "record":
        return this.#cache.record(effect.key, effect.entry);
      case "drop":
        return this.#cache.drop(effect.key);
      case "release":
        return this.#cache.release(effect.key);
      case "remember":
        this.#remembered = this.#figures?.remember(effect.figure);
        return;
    }
  }

  #post(event: Event, engine: Engine): void {
    if (event.type === "error" && event.id === this.#load.id) {
      const kind = otherKind(event.error);
      if (kind && !this.#moved) {
        this.#moved = true;
        return this.#again({ kind, text: kind === "language" });
      }
      this.#whenKept(() => {
        this.#host.post(event);
        // A load that failed leaves nothing to be used.
        this.close(new SidestageError("MODEL_DISPOSED", "the model was not loaded"));
      });
      return;
    }
    if (event.type === "error" && event.id !== null) this.#open.delete(event.id);
    if (event.type === "progress") {
      if (event.progress.loadedBytes < this.#loaded) return;
      this.#loaded = event.progress.loadedBytes;
    }
    if (event.type !== "done") {
      this.#host.post(event);
      return;
    }
    const { id, outcome } = event;
    if (outcome.kind === "loaded") {
      outcome.model.handle = this.#load.id;
      this.#tellCache(outcome.model);
      this.#tellThreads(outcome.model);
      // The weights are in place; what they came from need not stay.
      this.#held = [];
      this.#whenKept(() => {
        this.#host.post({ type: "done", id, outcome, capabilities: this.#capabilities });
      });
      return;
    }
    const spent = this.#open.get(id) ?? [];
    this.#open.delete(id);
    if (outcome.kind === "ran") {
      const { outputs, transfer } = outOfBuffers(engine, outcome.outputs);
      const ran = { ...outcome, outputs, spent };
      this.#host.post({ type: "done", id, outcome: ran }, [...transfer, ...spent]);
      return;
    }
    if (outcome.kind === "metrics") outcome.metrics.wasmBytes = engine.bytes;
    this.#host.post({ type: "done", id, outcome });
  }

  // The page may end this worker as soon as it hears of the load's end: what is to be kept, or thrown
  // away, is so before.
  #whenKept(tell: () => void): void {
    void Promise.resolve()
      .then(() => Promise.all([this.#cache.settled(), this.#remembered]))
      .then(() => {
        if (this.#closed) return;
        this.#open.delete(this.#load.id);
        tell();
      });
  }

  #tellThreads({ threads, threadsReason }: ModelInfo): void {
    if (threadsReason === null) return;
    this.#capabilities = { ...this.#capabilities, threads: threads > 1, threadsReason };
  }

  #tellCache(model: ModelInfo): void {
    const { source, options } = this.#load;
    const { name, reason } = this.#host.cache;
    const asked = source.kind === "url" && options.cache !== "no-store";
    model.cache = asked ? name : "none";
    if (asked) model.cacheReason ??= reason;
  }

  #crash(error: unknown): void {
    const info = infoOf(error, "ENGINE_CRASHED");
    // An engine that never ran is no crash: loading again would fail in the same way.
    const detail = this.#engine ? { ...info.detail, crashed: true } : info.detail;
    const told = new SidestageError(info.code, info.message, { ...info, detail, cause: error });
    this.#end(told, this.#engine && told);
  }
}
