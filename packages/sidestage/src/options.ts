import { invalidOption } from "./errors.js";
import type { Message } from "./message.js";
import type { GenerateOptions, Prompt } from "./protocol.js";
import { plainMessages, templateOptions, tokenIds, wellFormed } from "./values.js";

/** How to generate, and what to continue: `prompt` or `messages`. */
export interface TextOptions {
  /**
   * Text or token ids. Text is one user message where the model has a chat template, unless `raw`;
   * ids are taken exactly as given.
   */
  prompt?: string | readonly number[] | Uint32Array | undefined;
  /** A conversation, rendered by the model's chat template. */
  messages?: readonly Message[] | undefined;
  /** Tools that the chat template offers to the model: descriptions as OpenAI's API has them. */
  tools?: readonly object[] | undefined;
  /**
   * More variables of the chat template, as Hugging Face's `chat_template_kwargs`: for example
   * `{ enable_thinking: false }`, or `documents`.
   */
  chatTemplateOptions?: Readonly<Record<string, unknown>> | undefined;
  /** A system message before `prompt` or `messages`. */
  system?: string | undefined;
  /** Take a text prompt as it is. */
  raw?: boolean | undefined;
  /** Most tokens to generate; default: up to the context's end. 0 evaluates the prompt only. */
  maxTokens?: number | undefined;
  /** The same as `maxTokens`. */
  maxOutputTokens?: number | undefined;
  /** Default 0.8; 0 is greedy. */
  temperature?: number | undefined;
  /** Keep the K most likely tokens; default 40, 0: all. */
  topK?: number | undefined;
  /** Keep the likeliest tokens that together reach this probability (0, 1]; default 0.95. */
  topP?: number | undefined;
  /** Drop tokens less likely than this share [0, 1] of the likeliest; default 0. */
  minP?: number | undefined;
  /** Divides (or multiplies) logits of tokens of prompt and answer; default 1 (off), > 0. */
  repetitionPenalty?: number | undefined;
  /** Subtracted per earlier use in the answer; default 0. */
  frequencyPenalty?: number | undefined;
  /** Subtracted once if used in the answer; default 0. */
  presencePenalty?: number | undefined;
  /** Added to logits, by token id. */
  logitBias?:
    | Readonly<Record<number, number>>
    | ReadonlyMap<number, number>
    | readonly (readonly [number, number])[]
    | undefined;
  /** Seed of the sampler, 0 to 2^53 - 1; default: another one each time. */
  seed?: number | undefined;
  /** Strings that end the answer; not part of it. */
  stopSequences?: string | readonly string[] | undefined;
  /** The same as `stopSequences`. */
  stop?: string | readonly string[] | undefined;
  /** Token ids that end the answer, besides the model's own. */
  stopTokens?: readonly number[] | undefined;
  /** Do not end at the model's end tokens. */
  ignoreEos?: boolean | undefined;
  /** Reuse what is evaluated of the last conversation; default true. */
  cachePrompt?: boolean | undefined;
  /** Ends the run. */
  signal?: AbortSignal | undefined;
  /** The same as `signal`. */
  abortSignal?: AbortSignal | undefined;
}

/** Checked options of one run. */
export interface CheckedRun {
  prompt: Prompt;
  options: GenerateOptions;
  signal: AbortSignal | undefined;
}

const U32 = 2 ** 32 - 1;

const KNOWN: ReadonlySet<string> = new Set<keyof TextOptions | "model">([
  "model",
  "prompt",
  "messages",
  "tools",
  "chatTemplateOptions",
  "system",
  "raw",
  "maxTokens",
  "maxOutputTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "frequencyPenalty",
  "presencePenalty",
  "logitBias",
  "seed",
  "stopSequences",
  "stop",
  "stopTokens",
  "ignoreEos",
  "cachePrompt",
  "signal",
  "abortSignal",
]);

/** Refuses names that nobody reads: a misspelt option must not silently do nothing. */
export function knownOnly(given: object, known: ReadonlySet<string>, prefix = ""): void {
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !known.has(name)) {
      throw invalidOption(prefix + name, "is not an option");
    }
  }
}

/** A number in a range, or `undefined`. */
export function numberIn(
  option: string,
  value: unknown,
  ok: (n: number) => boolean,
  range: string,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !ok(value)) {
    throw invalidOption(option, `must be ${range}, not ${shown(value)}`);
  }
  return value;
}

/** A value as a message names it. */
export function shown(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : typeof value;
}

/** A whole number in a range, or `undefined`. */
export function wholeIn(
  option: string,
  value: unknown,
  least: number,
  most: number,
): number | undefined {
  return numberIn(
    option,
    value,
    (n) => Number.isInteger(n) && n >= least && n <= most,
    `a whole number from ${least} to ${most}`,
  );
}

/** A boolean, or `undefined`. */
export function flag(option: string, value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw invalidOption(option, "must be true or false");
  return value;
}

/** An `AbortSignal`, or `undefined`. */
export function signalOf(option: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value === null) return undefined;
  if (
    typeof value !== "object" ||
    typeof (value as AbortSignal).aborted !== "boolean" ||
    typeof (value as AbortSignal).addEventListener !== "function"
  ) {
    throw invalidOption(option, "must be an AbortSignal");
  }
  return value as AbortSignal;
}

function oneOf<T>(
  names: [string, string],
  given: [T | null | undefined, T | null | undefined],
): [string, T | undefined] {
  if (given[0] != null && given[1] != null) {
    throw invalidOption(names[1], `is the same as \`${names[0]}\`: give one of them`);
  }
  return given[1] != null ? [names[1], given[1]] : [names[0], given[0] ?? undefined];
}

/** Checks the options of `generateText` and `streamText`. */
export function checkRun(given: TextOptions, stream: boolean): CheckedRun {
  knownOnly(given, KNOWN);
  const [maxName, max] = oneOf(
    ["maxTokens", "maxOutputTokens"],
    [given.maxTokens, given.maxOutputTokens],
  );
  const [stopName, stop] = oneOf(["stopSequences", "stop"], [given.stopSequences, given.stop]);
  const [signalName, signal] = oneOf(
    ["signal", "abortSignal"],
    [given.signal, given.abortSignal],
  );
  const finite = (option: string, value: unknown): number | null =>
    numberIn(option, value, Number.isFinite, "a finite number") ?? null;
  const options: GenerateOptions = {
    maxTokens: wholeIn(maxName, max, 0, U32) ?? null,
    temperature:
      numberIn(
        "temperature",
        given.temperature,
        (n) => Number.isFinite(n) && n >= 0,
        "0 or more",
      ) ?? null,
    topK: wholeIn("topK", given.topK, 0, U32) ?? null,
    topP: numberIn("topP", given.topP, (n) => n > 0 && n <= 1, "above 0 and at most 1") ?? null,
    minP: numberIn("minP", given.minP, (n) => n >= 0 && n <= 1, "from 0 to 1") ?? null,
    repetitionPenalty:
      numberIn(
        "repetitionPenalty",
        given.repetitionPenalty,
        (n) => Number.isFinite(n) && n > 0,
        "above 0",
      ) ?? null,
    frequencyPenalty: finite("frequencyPenalty", given.frequencyPenalty),
    presencePenalty: finite("presencePenalty", given.presencePenalty),
    logitBias: biases(given.logitBias),
    seed: wholeIn("seed", given.seed, 0, Number.MAX_SAFE_INTEGER) ?? null,
    stopSequences: stops(stopName, stop),
    stopTokens: given.stopTokens == null ? [] : tokenIds("stopTokens", given.stopTokens),
    ignoreEos: flag("ignoreEos", given.ignoreEos) ?? false,
    cachePrompt: flag("cachePrompt", given.cachePrompt) ?? null,
    stream,
    ...templateOptions(given),
  };
  return { prompt: promptOf(given), options, signal: signalOf(signalName, signal) };
}

function biases(given: TextOptions["logitBias"]): [number, number][] {
  if (given == null) return [];
  if (typeof given !== "object") {
    throw invalidOption("logitBias", "must map token ids to numbers");
  }
  const pairs: Iterable<readonly [unknown, unknown]> = isIterable(given)
    ? (given as Iterable<readonly [number, number]>)
    : Object.entries(given).map(([id, bias]) => [id === "" ? NaN : Number(id), bias]);
  const out: [number, number][] = [];
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw invalidOption("logitBias", "must be pairs of a token id and a number");
    }
    const [id, bias] = pair as [unknown, unknown];
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > U32) {
      throw invalidOption("logitBias", `has ${String(id)} where a token id must be`);
    }
    // Minus infinity bans a token.
    if (typeof bias !== "number" || Number.isNaN(bias) || bias === Infinity) {
      throw invalidOption("logitBias", `of token ${id} must be a number, not ${String(bias)}`);
    }
    out.push([id, bias]);
  }
  return out;
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

function stops(option: string, given: string | readonly string[] | undefined): string[] {
  if (given === undefined) return [];
  const list: unknown[] = typeof given === "string" ? [given] : Array.from(given);
  return list.map((text) => {
    if (typeof text !== "string" || text === "") {
      throw invalidOption(option, "must be strings that are not empty");
    }
    return wellFormed(text);
  });
}

function promptOf(given: TextOptions): Prompt {
  const { prompt } = given;
  const raw = flag("raw", given.raw) ?? false;
  if (given.system != null && typeof given.system !== "string") {
    throw invalidOption("system", "must be a string");
  }
  const system: Message[] =
    given.system == null ? [] : [{ role: "system", content: wellFormed(given.system) }];
  if (given.messages != null) {
    if (prompt != null) throw invalidOption("prompt", "cannot be given with `messages`");
    if (raw) throw invalidOption("raw", "needs `prompt`; `messages` are always rendered");
    return { kind: "messages", messages: [...system, ...plainMessages(given.messages)] };
  }
  if (prompt == null) throw invalidOption("prompt", "is missing: give `prompt` or `messages`");
  if (system.length > 0 && (raw || typeof prompt !== "string")) {
    throw invalidOption("system", "cannot be given with a raw prompt");
  }
  if (typeof prompt !== "string") {
    const ids = tokenIds("prompt", prompt);
    return { kind: "segments", segments: [{ kind: "ids", ids }], raw: true };
  }
  const text = wellFormed(prompt);
  if (system.length > 0) {
    return { kind: "messages", messages: [...system, { role: "user", content: text }] };
  }
  return { kind: "segments", segments: [{ kind: "text", text }], raw };
}
