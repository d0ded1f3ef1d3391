import { expect } from "./connection.js";
import { invalidOption } from "./errors.js";
import { type Model, sessionOf } from "./model.js";
import { flag, knownOnly, signalOf, wholeIn } from "./options.js";
import type { RunTimings, Segment } from "./protocol.js";
import { outputOf, type Tensor } from "./tensor.js";
import { until } from "./until.js";
import { tokenIds, wellFormed } from "./values.js";

/** A text: a string, or its token ids, taken exactly as given. */
export type EmbedInput = string | readonly number[] | Uint32Array;

/** What to make vectors of, by which model. */
export interface EmbedOptions {
  /** An encoder. */
  model: Model;
  /** A text, or several. */
  input: string | readonly EmbedInput[];
  /**
   * How the vectors of a text's tokens become one; default: as the model's files say, else `mean`.
   */
  pooling?: "mean" | "cls" | "last" | undefined;
  /** Give vectors the length 1, so that their products are cosines; default true. */
  normalize?: boolean | undefined;
  /** Keep this many of the first values, for models that are trained for it; default: all. */
  dimensions?: number | undefined;
  /** Cut texts that are too long; default: they are refused with `CONTEXT_LENGTH_EXCEEDED`. */
  truncate?: boolean | undefined;
  /** Ends the request; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What came of it. */
export interface EmbedResult {
  /** A vector for each text, in order. */
  embeddings: Float32Array[];
  /** How many values a vector has. */
  dimensions: number;
  /** How many tokens each text has. */
  tokens: number[];
  /** Milliseconds of waiting and of work. */
  timings: RunTimings;
}

const KNOWN: ReadonlySet<string> = new Set<keyof EmbedOptions>([
  "model",
  "input",
  "pooling",
  "normalize",
  "dimensions",
  "truncate",
  "signal",
]);

const POOLINGS: readonly unknown[] = ["mean", "cls", "last"];

/** Makes a vector of a text, or of each of several. */
export async function embed(options: EmbedOptions): Promise<EmbedResult> {
  const session = sessionOf(options?.model);
  knownOnly(options, KNOWN);
  const signal = signalOf("signal", options.signal);
  const input = segments(options.input);
  const pooling = options.pooling ?? null;
  if (pooling !== null && !POOLINGS.includes(pooling)) {
    throw invalidOption("pooling", `must be one of ${POOLINGS.join(", ")}`);
  }
  const how = {
    pooling,
    normalize: flag("normalize", options.normalize) ?? null,
    dimensions: wholeIn("dimensions", options.dimensions, 1, 2 ** 32 - 1) ?? null,
    truncate: flag("truncate", options.truncate) ?? false,
  };
  signal?.throwIfAborted();
  let stop = (): void => undefined;
  const work = session.use(async ({ place, handle: model }) => {
    signal?.throwIfAborted();
    const { id, done } = place.connection.request((request) => ({
      type: "embed",
      id: request,
      model,
      input,
      options: how,
    }));
    stop = () => place.connection.send({ type: "abort", id, model });
    return expect(await done, "ran");
  });
  const { outputs, timings } = await until(signal, work, () => stop());
  const [all, tokens] = outputs.map(({ value }) => outputOf(value)) as [Tensor, Tensor];
  const dimensions = all.shape[1] ?? 0;
  // Views of one buffer: a vector that is kept keeps all of them.
  const embeddings = Array.from(input, (_, at) =>
    (all.data as Float32Array).subarray(at * dimensions, (at + 1) * dimensions),
  );
  return { embeddings, dimensions, tokens: Array.from(tokens.data as Int32Array), timings };
}

function segments(input: unknown): Segment[] {
  const texts: unknown = typeof input === "string" ? [input] : input;
  if (!Array.isArray(texts)) throw invalidOption("input", "must be a string or an array");
  return texts.map((text: unknown): Segment => {
    if (typeof text === "string") return { kind: "text", text: wellFormed(text) };
    return { kind: "ids", ids: tokenIds("input", text) };
  });
}
