// Written by `cargo xtask build` from crates/engine/src/protocol.rs. Do not edit.
import type { Message } from "./message.js";

/** The protocol's version; both sides must agree. */
export const PROTOCOL = 1;

/** What a page asks of its worker. */
export type Request =
  | { type: "hello"; protocol: number; build: string; wasmUrl: string | null }
  | { type: "load"; id: number; source: ModelSource; options: LoadOptions }
  | {
      type: "generate";
      id: number;
      model: number;
      prompt: Prompt;
      options: GenerateOptions;
      credits: number | null;
    }
  | { type: "credit"; id: number; model: number; count: number }
  | { type: "abort"; id: number; model: number }
  | { type: "tokenize"; id: number; model: number; text: string; special: boolean }
  | { type: "detokenize"; id: number; model: number; tokens: Array<number> }
  | {
      type: "applyChatTemplate";
      id: number;
      model: number;
      messages: Message[];
      addGenerationPrompt: boolean;
    }
  | { type: "metrics"; id: number; model: number }
  | { type: "dispose"; id: number; model: number };

/** What a worker tells its page. */
export type Event =
  | {
      type: "welcome";
      protocol: number;
      build: string;
      capabilities: Capabilities;
      lock: string | null;
    }
  | { type: "progress"; id: number; progress: Progress }
  | { type: "working"; id: number; stage: Stage; done: number; total: number | null }
  | { type: "delta"; id: number; text: string; reasoning: string; tokens: number }
  | { type: "done"; id: number; outcome: Outcome }
  | { type: "error"; id: number | null; error: ErrorInfo };

/** What came of a request. */
export type Outcome =
  | { kind: "loaded"; model: ModelInfo }
  | { kind: "generated"; result: Generated }
  | { kind: "tokens"; tokens: Array<number> }
  | { kind: "text"; text: string }
  | { kind: "metrics"; metrics: Metrics }
  | { kind: "disposed" };

/** Where a model's bytes come from. */
export type ModelSource =
  { kind: "url"; url: string } | { kind: "held"; name: string; size: number };

/** How to load a model. */
export type LoadOptions = {
  contextLength: number | null;
  threads: number | null;
  device: string | null;
  hubUrl: string | null;
  memoryLimit: number | null;
};

/** What to continue. */
export type Prompt =
  | { kind: "messages"; messages: Message[] }
  | { kind: "segments"; segments: Array<Segment>; raw: boolean };

/** A part of a prompt. */
export type Segment = { kind: "text"; text: string } | { kind: "ids"; ids: Array<number> };

/** How to generate. */
export type GenerateOptions = {
  maxTokens: number | null;
  temperature: number | null;
  topK: number | null;
  topP: number | null;
  minP: number | null;
  repetitionPenalty: number | null;
  frequencyPenalty: number | null;
  presencePenalty: number | null;
  logitBias: Array<[number, number]>;
  seed: number | null;
  stopSequences: Array<string>;
  stopTokens: Array<number>;
  ignoreEos: boolean;
  cachePrompt: boolean | null;
  stream: boolean;
};

/** A whole answer. */
export type Generated = {
  text: string;
  reasoning: string | null;
  tokens: Array<number>;
  finishReason: FinishReason;
  usage: Usage;
  timings: Timings;
};

/** Why an answer ended. */
export type FinishReason = "stop" | "length" | "abort";

/** Tokens counted. */
export type Usage = {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  cachedTokens: number;
};

/** Times taken, in milliseconds and tokens a second. */
export type Timings = {
  loadMs: number;
  queueMs: number;
  timeToFirstTokenMs: number;
  prefillTokensPerSecond: number | null;
  decodeTokensPerSecond: number | null;
};

/** A loaded model. */
export type ModelInfo = {
  handle: number;
  name: string;
  architecture: string;
  parameters: number;
  weightType: string;
  contextLength: number;
  trainedContextLength: number;
  vocabSize: number;
  hasTokenizer: boolean;
  hasChatTemplate: boolean;
  device: string;
  threads: number;
  memory: MemoryPlan;
  loadMs: number;
};

/** The memory a model takes, in bytes. */
export type MemoryPlan = { weights: number; kvCache: number; scratch: number; total: number };

/** How far a load is. Never goes back. */
export type Progress = {
  phase: string;
  file: string;
  loadedBytes: number;
  totalBytes: number | null;
  bytesPerSecond: number;
  etaSeconds: number | null;
};

/** Where an open request is. */
export type Stage = "queued" | "prompt" | "decode" | "paused";

/** Figures of a model since it was loaded. */
export type Metrics = {
  loadMs: number;
  bytesRead: number;
  memory: MemoryPlan;
  wasmBytes: number;
  requests: number;
  openRequests: number;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  prefillMs: number;
  decodeMs: number;
};

/** What a worker (or a page without one) can do, found by trying. */
export type Capabilities = {
  simd: boolean;
  relaxedSimd: boolean;
  threads: boolean;
  threadsReason: string | null;
  crossOriginIsolated: boolean;
  cores: number;
  webgpu: boolean;
  variant: string;
  place: string;
  fallbackReason: string | null;
};

/** An error as it crosses the port. */
export type ErrorInfo = {
  code: string;
  message: string;
  hint: string | null;
  detail: Record<string, unknown> | null;
};

/** What the engine asks of its host. */
export type Effect =
  | { type: "post"; event: Event }
  | { type: "fetch"; stream: number; url: string | null; offset: number }
  | { type: "cancel"; stream: number };

/** What became of an effect. */
export type Completion =
  | {
      type: "opened";
      stream: number;
      status: number;
      contentType: string | null;
      length: number | null;
    }
  | { type: "closed"; stream: number }
  | { type: "failed"; stream: number; message: string };
