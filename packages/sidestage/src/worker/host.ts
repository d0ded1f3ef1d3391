import { SidestageError } from "../errors.js";
import { type Capabilities, PROTOCOL } from "../protocol.js";
import {
  type AnyOutcome,
  BUILD_ID,
  type FromWorker,
  type NextLoad,
  type ToWorker,
} from "../wire.js";
import type { ChosenCache } from "./cache/backend.js";
import { chooseCache } from "./cache/choose.js";
import { deleteModel, listModels, storageReport } from "./cache/models.js";
import { infoOf } from "./errors.js";
import {
  findCapabilities,
  threadsRefused,
  threadsWanted,
  variantOf,
  wasmFeatures,
} from "./features.js";
import { Instance } from "./instance.js";
import { kindOf, moduleOf } from "./kinds.js";
import { Turns } from "./turns.js";
import type { Modules } from "./wasm.js";

/** How the host's surroundings differ between a worker and a page. */
export interface HostOptions {
  place: "worker" | "page";
  /** URL of a file beside the wasm files. */
  base: string;
  /** The compiled modules of a folder. */
  modules(base: string): Modules;
  /** The script that pool threads run. */
  script: string;
  /** Milliseconds a slice of work may take. */
  budget: number;
  /** The lock that tells of this worker's death, once it is held. */
  lock(): Promise<string | null>;
}

/** Answers on the port; what is transferred is the page's from then on. */
export type Post = (message: FromWorker, transfer?: Transferable[]) => void;

/** Serves one port: its models and their requests. */
export class Host {
  readonly #options: HostOptions;
  readonly #post: Post;
  readonly #turns = new Turns();
  readonly #models = new Map<number, Instance>();
  /** Why models are gone that nobody disposed of: whoever asks for one may load it again. */
  readonly #crashed = new Map<number, SidestageError>();
  #modules: Modules;
  #found: Promise<Found> | undefined;
  // Messages are taken one after the other, also while the answer to hello is found.
  #before: Promise<void> = Promise.resolve();

  constructor(options: HostOptions, post: Post) {
    this.#options = options;
    this.#post = post;
    this.#modules = options.modules(options.base);
  }

  /** Takes whatever came over the port. */
  receive(message: ToWorker): void {
    this.#before = this.#before
      .then(() => this.#handle(message))
      .catch((error: unknown) => {
        const id = (message as { id?: number }).id;
        if (id === undefined) return;
        this.#post({ type: "error", id, error: infoOf(error, "ENGINE_CRASHED") });
      });
  }

  /** Frees everything. */
  close(): void {
    const error = new SidestageError("MODEL_DISPOSED", "the model's worker was closed");
    for (const model of [...this.#models.values()]) model.close(error);
    this.#turns.close();
  }

  async #handle(message: ToWorker): Promise<void> {
    switch (message.type) {
      case "hello":
        return this.#hello(message);
      case "ping":
        this.#post({ type: "pong" });
        return;
      case "load":
        return this.#load(message);
      case "dispose":
        this.#models
          .get(message.model)
          ?.close(new SidestageError("MODEL_DISPOSED", "the model was disposed"));
        this.#crashed.delete(message.model);
        return this.#done(message.id, { kind: "disposed" });
      case "listModels":
        return this.#done(message.id, {
          kind: "models",
          models: await listModels(await this.#cache()),
        });
      case "deleteModel": {
        const bytes = await deleteModel(await this.#cache(), message.source);
        return this.#done(message.id, { kind: "deleted", bytes });
      }
      case "storageEstimate": {
        const storage = await storageReport(await this.#cache());
        return this.#done(message.id, { kind: "storage", storage });
      }
      default: {
        const model = this.#models.get(message.model);
        if (model) model.request(message);
        else if (message.type !== "credit" && message.type !== "abort") {
          throw (
            this.#crashed.get(message.model) ??
            new SidestageError("MODEL_DISPOSED", "the model is not loaded")
          );
        }
      }
    }
  }

  async #hello(message: Extract<ToWorker, { type: "hello" }>): Promise<void> {
    if (message.wasmUrl !== null)
      this.#modules = this.#options.modules(folder(message.wasmUrl));
    if (message.next) this.#prepare(message.next);
    this.#found = find(this.#options.place, message.probe ?? false);
    const [{ capabilities }, lock] = await Promise.all([this.#found, this.#options.lock()]);
    this.#post({ type: "welcome", protocol: PROTOCOL, build: BUILD_ID, capabilities, lock });
  }

  // The modules that a load will ask for are compiled beside all that comes before it. Whether one cannot be
  // had, the load says.
  #prepare({ source, threads }: NextLoad): void {
    const { simd, relaxedSimd } = wasmFeatures();
    // Of a folder no name is known yet.
    const named = source.kind === "url" || source.files.length > 0;
    if (!simd || !named) return;
    const kind = kindOf(source);
    const ask = (name: string): void => void this.#modules.get(name).catch(() => undefined);
    if (kind === "language") ask("text");
    // What was measured decides.
    if (threads === "auto") return;
    const several = threadsRefused(this.#options.place) === null;
    ask(moduleOf(kind, variantOf(relaxedSimd, several && threadsWanted(threads) > 1)));
  }

  async #load(message: Extract<ToWorker, { type: "load" }>): Promise<void> {
    this.#found ??= find(this.#options.place, false);
    const { id } = message;
    const instance = new Instance(message, {
      ...(await this.#found),
      modules: this.#modules,
      script: this.#options.script,
      turns: this.#turns,
      budget: this.#options.budget,
      post: this.#post,
      gone: (crash) => {
        if (this.#models.get(id) === instance) this.#models.delete(id);
        if (crash) this.#crashed.set(id, crash);
      },
    });
    this.#models.set(id, instance);
  }

  async #cache(): Promise<ChosenCache> {
    this.#found ??= find(this.#options.place, false);
    return (await this.#found).cache;
  }

  #done(id: number, outcome: AnyOutcome): void {
    this.#post({ type: "done", id, outcome });
  }
}

interface Found {
  capabilities: Capabilities;
  cache: ChosenCache;
}

async function find(place: "worker" | "page", probe: boolean): Promise<Found> {
  const cache = await chooseCache();
  return { capabilities: await findCapabilities(place, probe, cache), cache };
}

/** The URL of a folder, its last slash included, so that names can be put to it. */
function folder(url: string): string {
  return url.endsWith("/") || /\.(wasm|js)$/.test(url) ? url : `${url}/`;
}
