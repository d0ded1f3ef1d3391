import { expect, type Settled } from "./connection.js";
import { invalidOption } from "./errors.js";
import type { Message } from "./message.js";
import { runGraph, type RunOptions } from "./graph.js";
import { flag } from "./options.js";
import type { Capabilities, Explanation, Metrics, ModelInfo, PortInfo } from "./protocol.js";
import type { Live, Session } from "./session.js";
import type { RunInput, RunOutput } from "./tensor.js";
import { plainMessages, templateOptions, tokenIds, wellFormed } from "./values.js";
import type { AnyOutcome, ToWorker } from "./wire.js";

const sessions = new WeakMap<object, Session>();

/** The session of a model; anything else is refused. */
export function sessionOf(model: unknown): Session {
  const session = typeof model === "object" && model !== null ? sessions.get(model) : undefined;
  if (!session) throw invalidOption("model", "must be what `loadModel` gave");
  return session;
}

/** What a chat template is given besides the messages. */
export interface ChatTemplateOptions {
  /** End with the opening of the assistant's turn; default true. */
  addGenerationPrompt?: boolean | undefined;
  /** Tools that the template offers to the model: descriptions as OpenAI's API has them. */
  tools?: readonly object[] | undefined;
  /**
   * More variables of the template, as Hugging Face's `chat_template_kwargs`: for example
   * `{ enable_thinking: false }`, or `documents`.
   */
  chatTemplateOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** What the figures are to hold. */
export interface MetricsOptions {
  /** Take the time of each operator; default false. */
  profile?: boolean | undefined;
}

/** A loaded model. */
export class Model {
  /** What the file says of it. */
  readonly info: ModelInfo;
  /** What the browser lets it use. */
  readonly capabilities: Capabilities;

  /** For `loadModel`. */
  constructor(session: Session, live: Live) {
    this.info = live.info;
    this.capabilities = live.capabilities;
    sessions.set(this, session);
  }

  /** What `run` takes, in the model's order; of a language model nothing. */
  get inputs(): readonly PortInfo[] {
    return this.info.inputs;
  }

  /** What `run` gives, in the model's order; of a language model nothing. */
  get outputs(): readonly PortInfo[] {
    return this.info.outputs;
  }

  /**
   * Runs a graph model once, with its inputs by name: gives its outputs by name. Several runs at once
   * follow each other.
   */
  run(
    inputs: Readonly<Record<string, RunInput>>,
    options: RunOptions = {},
  ): Promise<Record<string, RunOutput>> {
    return runGraph(sessionOf(this), this.info, inputs, options);
  }

  /**
   * What a graph model does: the operators that run, with their shapes, the passes that made them, where
   * they run and what memory they take. Before the first run it is planned for the shapes that the model
   * declares; where it leaves them open there is a `reason` instead.
   */
  async explain(): Promise<Explanation> {
    return (await this.#ask("explained", (ids) => ({ type: "explain", ...ids }))).explanation;
  }

  /** Text to token ids; `special` (default true) adds the model's begin and end tokens. */
  async tokenize(text: string, options: { special?: boolean } = {}): Promise<number[]> {
    const special = flag("special", options.special) ?? true;
    return this.#tokens(textOf(text), special, special);
  }

  /** Token ids to text. */
  async detokenize(tokens: readonly number[] | Uint32Array): Promise<string> {
    const ids = tokenIds("tokens", tokens);
    return (await this.#ask("text", (head) => ({ type: "detokenize", ...head, tokens: ids })))
      .text;
  }

  /** How many tokens the text has, or the conversation as the chat template renders it. */
  async countTokens(input: string | readonly Message[]): Promise<number> {
    if (typeof input === "string") return (await this.tokenize(input)).length;
    // The template has written the begin token itself.
    const text = await this.applyChatTemplate(input);
    return (await this.#tokens(text, false, true)).length;
  }

  /** The conversation as the model sees it. */
  async applyChatTemplate(
    messages: readonly Message[],
    options: ChatTemplateOptions = {},
  ): Promise<string> {
    const request = {
      type: "applyChatTemplate",
      messages: plainMessages(messages),
      ...templateOptions(options),
      addGenerationPrompt: flag("addGenerationPrompt", options.addGenerationPrompt) ?? true,
    } as const;
    return (await this.#ask("text", (ids) => ({ ...request, ...ids }))).text;
  }

  /**
   * Figures since the model was loaded. With `profile` the time of each operator is taken from now on,
   * until this is called without it; the answer has those since the last such call.
   */
  async metrics(options: MetricsOptions = {}): Promise<Metrics> {
    const profile = flag("profile", options.profile) ?? false;
    const request = { type: "metrics", profile } as const;
    return (await this.#ask("metrics", (ids) => ({ ...request, ...ids }))).metrics;
  }

  /** Frees the model and its worker. Open requests fail with `MODEL_DISPOSED`. */
  dispose(): Promise<void> {
    sessionOf(this).dispose();
    return Promise.resolve();
  }

  async #tokens(text: string, addSpecial: boolean, parseSpecial: boolean): Promise<number[]> {
    const request = { type: "tokenize", text, addSpecial, parseSpecial } as const;
    return (await this.#ask("tokens", (ids) => ({ ...request, ...ids }))).tokens;
  }

  #ask<K extends AnyOutcome["kind"]>(
    kind: K,
    build: (ids: { id: number; model: number }) => ToWorker,
  ): Promise<Extract<AnyOutcome, { kind: K }>> {
    return sessionOf(this).use(async ({ place, handle: model }) => {
      const settled: Settled = await place.connection.request((id) => build({ id, model }))
        .done;
      return expect(settled, kind);
    });
  }
}

function textOf(text: unknown): string {
  if (typeof text !== "string") throw invalidOption("text", "must be a string");
  return wellFormed(text);
}
