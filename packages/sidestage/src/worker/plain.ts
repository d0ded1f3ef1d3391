import { Connection, expect } from "../connection.js";
import { SidestageError } from "../errors.js";
import { checkLoad, type LoadModelOptions } from "../load-options.js";
import { checkRun, type TextOptions } from "../options.js";
import {
  isPixels,
  PIXEL_OPTIONS,
  type PixelInput,
  type PixelOptions,
  type PixelSource,
} from "../pixels.js";
import type { ModelInfo } from "../protocol.js";
import { checkSource, type Source } from "../source.js";
import {
  outputOf,
  type RunInput,
  type RunOutput,
  type Tensor,
  type TensorData,
  type TensorInput,
  wireInputs,
} from "../tensor.js";
import { infoOf } from "./errors.js";
import type { Host, Post } from "./host.js";

/** The plain messages that a page without this package sends. */
export type PlainRequest =
  /** Loads a model, in the place of the one before. */
  | { type: "INIT"; modelPath: Source; options?: LoadModelOptions }
  /** Runs it. */
  | { type: "INFER"; id?: unknown; params?: PlainParams }
  /** Ends a run. */
  | { type: "CANCEL"; id?: unknown }
  /** Frees the model. */
  | { type: "DISPOSE" };

/** What a run is given. */
export type PlainParams = TextOptions &
  PixelOptions & {
    /** The first input of a graph model, elements or pixels, or the prompt of a language model. */
    input?: TensorData | PixelSource | readonly unknown[] | number | string;
    /** Its dimensions: the result is nested arrays. */
    shape?: readonly number[];
    /** Its dimensions: the result is a flat typed array. */
    dims?: readonly number[];
    /** Inputs by name. */
    inputs?: Record<string, RunInput>;
  };

/** Parameters that only graph models have. */
const OF_GRAPHS: ReadonlySet<string> = new Set(["shape", "dims", "inputs"]);

type Loaded = { handle: number; info: ModelInfo };

/**
 * Serves the messages `INIT` → `INIT_DONE` and `INFER` → `RESULT` of a worker that is written by hand,
 * with `PROGRESS`, `ERROR`, `CANCEL` and `DISPOSE`.
 */
export class Plain {
  readonly #connection: Connection;
  readonly #post: (message: object, transfer?: Transferable[]) => void;
  readonly #base: string;
  #model: Promise<Loaded> | undefined;
  /** Runs that may be ended, by the page's ids. */
  readonly #runs = new Map<unknown, number>();

  /** `make` gives a host that answers with what it is given. */
  constructor(
    make: (post: Post) => Host,
    post: (message: object, transfer?: Transferable[]) => void,
    base: string,
  ) {
    const host = make((answer) => this.#connection.receive(answer));
    this.#connection = new Connection({ post: (message) => host.receive(message) });
    this.#post = post;
    this.#base = base;
  }

  /** Takes a message. */
  receive(message: PlainRequest): void {
    switch (message.type) {
      case "INIT":
        void this.#init(message);
        return;
      case "INFER":
        void this.#infer(message);
        return;
      case "CANCEL": {
        const id = this.#runs.get(message.id);
        if (id !== undefined) void this.#cancel(id);
        return;
      }
      case "DISPOSE":
        void this.#dispose();
    }
  }

  async #init({ modelPath, options }: Extract<PlainRequest, { type: "INIT" }>): Promise<void> {
    const before = this.#model;
    const started = performance.now();
    this.#model = this.#load(modelPath, options ?? {}, before);
    try {
      const { info } = await this.#model;
      this.#post({
        type: "INIT_DONE",
        inputs: info.inputs,
        outputs: info.outputs,
        backend: info.device,
        timings: { loadMs: performance.now() - started },
      });
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #load(
    path: Source,
    options: LoadModelOptions,
    before: Promise<Loaded> | undefined,
  ): Promise<Loaded> {
    await this.#free(before);
    const { engine } = checkLoad(options, this.#base);
    const { source, held } = checkSource(path, this.#base);
    const { id, done } = this.#connection.request(
      (request) => ({
        type: "load",
        id: request,
        source,
        options: engine,
        ...(held && { held }),
      }),
      (event) => {
        if (event.type === "progress") this.#post({ ...event.progress, type: "PROGRESS" });
      },
    );
    return { handle: id, info: expect(await done, "loaded").model };
  }

  async #infer({ id, params }: Extract<PlainRequest, { type: "INFER" }>): Promise<void> {
    try {
      if (!this.#model) {
        throw new SidestageError("MODEL_NOT_LOADED", "no model is loaded", {
          hint: "Send INIT first.",
        });
      }
      const model = await this.#model;
      const given = params ?? {};
      await (model.info.inputs.length > 0
        ? this.#run(id, model, given)
        : this.#generate(id, model, given));
    } catch (error) {
      this.#refuse(error, id);
    } finally {
      this.#runs.delete(id);
    }
  }

  async #run(id: unknown, { handle: model, info }: Loaded, params: PlainParams): Promise<void> {
    const inputs = wireInputs(info, inputsOf(info, params));
    const request = this.#connection.request((request) => ({
      type: "run",
      id: request,
      model,
      inputs,
      outputs: null,
      reset: false,
    }));
    this.#runs.set(id, request.id);
    const ran = expect(await request.done, "ran");
    const outputs = Object.fromEntries(
      ran.outputs.map(({ name, value }) => [name, outputOf(value)]),
    );
    const first = Object.values(outputs)[0] ?? null;
    const result = params.dims || !isTensor(first) ? plain(first) : nested(first);
    const transfer = Object.values(outputs).flatMap(buffersOf);
    const timings = ran.timings;
    this.#post(
      { type: "RESULT", ...(id !== undefined && { id }), result, outputs, timings },
      transfer,
    );
  }

  async #generate(id: unknown, { handle: model }: Loaded, params: PlainParams): Promise<void> {
    const { input, ...all } = params;
    const known = Object.entries(all).filter(([name]) => !OF_GRAPHS.has(name));
    const options = Object.fromEntries(known) as TextOptions;
    if (typeof input === "string") options.prompt ??= input;
    const checked = checkRun(options, false);
    const request = this.#connection.request((request) => ({
      type: "generate",
      id: request,
      model,
      prompt: checked.prompt,
      options: checked.options,
      credits: null,
    }));
    this.#runs.set(id, request.id);
    const { result } = expect(await request.done, "generated");
    const { text, timings } = result;
    this.#post({
      type: "RESULT",
      ...(id !== undefined && { id }),
      result: text,
      outputs: result,
      timings,
    });
  }

  async #cancel(id: number): Promise<void> {
    const model = await this.#model;
    if (model) this.#connection.send({ type: "abort", id, model: model.handle });
  }

  async #dispose(): Promise<void> {
    const before = this.#model;
    this.#model = undefined;
    await this.#free(before);
    this.#post({ type: "DISPOSED" });
  }

  async #free(model: Promise<Loaded> | undefined): Promise<void> {
    const loaded = await model?.catch(() => undefined);
    if (!loaded) return;
    await this.#connection.request((id) => ({ type: "dispose", id, model: loaded.handle }))
      .done;
  }

  #refuse(error: unknown, id?: unknown): void {
    const { code, message, hint, detail } = infoOf(error, "ENGINE_CRASHED");
    this.#post({ type: "ERROR", ...(id !== undefined && { id }), code, message, hint, detail });
  }
}

/** The inputs by name. */
function inputsOf(info: ModelInfo, params: PlainParams): Record<string, RunInput> {
  if (params.inputs) return params.inputs;
  const { input } = params;
  const name = info.inputs[0]?.name ?? "";
  if (input === undefined) {
    throw new SidestageError("INPUT_INVALID", "`params` has neither `input` nor `inputs`");
  }
  if (isPixels(input)) {
    const options = PIXEL_OPTIONS.map((key) => [key, params[key]]);
    return { [name]: { ...Object.fromEntries(options), source: input } as PixelInput };
  }
  const shape = params.shape ?? params.dims;
  if (!shape) return { [name]: input as RunInput };
  const data = Array.isArray(input) ? input.flat(Infinity) : input;
  return { [name]: { data, shape } as TensorInput };
}

function isTensor(value: RunOutput): value is Tensor {
  return value !== null && !Array.isArray(value);
}

/** The elements of a tensor; of a sequence, of each. */
function plain(value: RunOutput): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return value && value.data;
}

/** A tensor as arrays in arrays. */
function nested({ data, shape }: Tensor): unknown {
  const all = Array.from(data as ArrayLike<unknown>);
  if (shape.length === 0) return all[0];
  let level: unknown[] = all;
  for (const dim of shape.slice(1).reverse()) {
    const count = dim === 0 ? 0 : level.length / dim;
    level = Array.from({ length: count }, (_, at) => level.slice(at * dim, (at + 1) * dim));
  }
  return level;
}

function buffersOf(value: RunOutput): Transferable[] {
  if (Array.isArray(value)) return value.flatMap(buffersOf);
  return value ? [value.data.buffer as ArrayBuffer] : [];
}
