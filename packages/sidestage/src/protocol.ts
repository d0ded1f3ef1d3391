// From crates/engine/src/protocol.rs (1c543e157f9e6622) by `cargo xtask protocol`. Do not edit.
import type { Message } from "./message.js";

/** The protocol's version; both sides must agree. */
export const PROTOCOL = 1;

/** What the cache knows of a file. */
export type CacheEntry = {
  /** What the app asked for: the files of one model have one source. */
  source: string;
  /** Where the file came from. */
  url: string;
  /** Its path or name, for people. */
  file: string;
  /**
   * In the answer to a `Effect::Lookup`: bytes that are really there, from 0 and without a
   * hole. Not looked at in `Effect::Record`.
   */
  bytes: number;
  /** The length of the whole file, where known. */
  length: number | null;
  /** The server's `ETag`, else `Last-Modified`, where it was to be seen. */
  validator: string | null;
  /** SHA-256 of the whole file in lower-case hexadecimal digits, where known. */
  sha256: string | null;
  /** URL of the page that follows, of a list that has several. */
  next: string | null;
  /** Whether the file is whole, and was found to be as it should. */
  complete: boolean;
  /** Milliseconds since 1970 when it was begun; the host sets it. */
  created: number;
  /** Milliseconds since 1970 of its last use; the host sets it. */
  used: number;
};

/** What a worker (or a page without one) can do, found by trying. */
export type Capabilities = {
  /** 128-bit SIMD. */
  simd: boolean;
  /** Relaxed SIMD. */
  relaxedSimd: boolean;
  /** Whether the engine may use several threads. */
  threads: boolean;
  /** Why not, if not. Of a model whose threads were measured, what that gave. */
  threadsReason: string | null;
  /** `crossOriginIsolated` inside the worker. */
  crossOriginIsolated: boolean;
  /** `navigator.hardwareConcurrency`. */
  cores: number;
  /** Whether a WebGPU adapter is there (not used yet). */
  webgpu: boolean;
  /** Whether pixels can be read there; if not, they are read on the page. */
  canvas: boolean;
  /** The wasm file chosen. */
  variant: string;
  /** Where files are kept: `opfs`, `cache-api` or `memory`. */
  cache: string;
  /** Why not in a better place. */
  cacheReason: string | null;
  /** Where the engine runs: `worker` or `page`. */
  place: string;
  /** Why it runs on the page, or in a copy of the worker's script, if it was not asked to. */
  fallbackReason: string | null;
};

/** What became of an effect. */
export type Completion =
  | {
      type: "found";
      /** The key. */
      key: string;
      /** What there is, if anything. */
      entry: CacheEntry | null;
      /** Somebody else holds the lock; `entry` says nothing. */
      busy: boolean;
    }
  | {
      type: "opened";
      /** The reading. */
      stream: number;
      /** HTTP status; 200 for what is not HTTP. */
      status: number;
      /** `Content-Type`, if any. */
      contentType: string | null;
      /** Length of the whole file, if known (not of a compressed transfer). */
      length: number | null;
      /** The first byte of the answer by `Content-Range`, where it is to be seen. */
      start: number | null;
      /** `ETag`, else `Last-Modified`, where it is to be seen. */
      validator: string | null;
      /** `Retry-After` in milliseconds, where it is to be seen. */
      retryAfterMs: number | null;
      /** URL of the page that follows, by `Link` (RFC 8288), where it is to be seen. */
      next: string | null;
      /** Whether the bytes are being written to the cache. */
      kept: boolean;
    }
  | {
      type: "closed";
      /** The reading. */
      stream: number;
    }
  | {
      type: "failed";
      /** The reading. */
      stream: number;
      /** What the browser said. */
      message: string;
      /**
       * Another try would fail in the same way: there is no network, or the server does not let
       * this page read its answers.
       */
      refused: boolean;
    }
  | {
      type: "notKept";
      /** The key. */
      key: string;
      /** `QUOTA_EXCEEDED` or `CACHE_FAILED`. */
      code: string;
      /** What the browser said. */
      message: string;
    };

/** A dimension of an input or output. */
export type DimInfo = number | string;

/**
 * What the engine asks of its host. Data; the host carries it out and hands a `Completion` back.
 *
 * The engine decides which files are read, from where, when again, and what the cache keeps. The
 * host decides nothing.
 */
export type Effect =
  | {
      type: "post";
      /** The event. */
      event: Event;
    }
  | {
      type: "lookup";
      /** The key. */
      key: string;
      /**
       * Where somebody else holds the lock: answer when it is free, instead of at once with
       * `busy`.
       */
      wait: boolean;
    }
  | {
      type: "fetch";
      /** Id of this reading, never used again. */
      stream: number;
      /** Where the file is. */
      from: Origin;
      /** First byte. Of a URL, an offset above 0 is asked for with `Range: bytes=N-`. */
      offset: number;
      /**
       * Key under which the bytes are written to the cache too, each at its place in the file.
       * Bytes that are there already, from 0, stay.
       */
      keep: string | null;
      /** How a URL is asked. */
      method: Method;
      /** Headers besides the range, as name and value. */
      headers: Array<[string, string]>;
      /** Milliseconds to wait before asking. */
      delayMs: number;
      /** Milliseconds without a byte after which the reading has failed; 0: never. */
      stallMs: number;
    }
  | {
      type: "cancel";
      /** The reading. */
      stream: number;
    }
  | {
      type: "record";
      /** The key. */
      key: string;
      /** What is known. */
      entry: CacheEntry;
    }
  | {
      type: "drop";
      /** The key. */
      key: string;
    }
  | {
      type: "remember";
      /** What was measured. */
      figure: ThreadsFigure;
    }
  | {
      type: "release";
      /** The key. */
      key: string;
    };

/** How texts become vectors. */
export type EmbedOptions = {
  /**
   * How the vectors of a text's tokens become one: `mean`, `cls` or `last`; default: as the model's
   * files say, else `mean`.
   */
  pooling: string | null;
  /** Give vectors the length 1; default: yes. */
  normalize: boolean | null;
  /** Keep this many of the first values, for models that are trained for it; default: all. */
  dimensions: number | null;
  /** Cut a text that is too long, but for its last token; default: it is refused. */
  truncate: boolean;
};

/** An error as it crosses the port. `code` is stable; see the table in the documentation. */
export type ErrorInfo = {
  /** Stable, UPPER_SNAKE. */
  code: string;
  /** What happened, in a sentence. */
  message: string;
  /** What to do about it. */
  hint: string | null;
  /** Figures and names that belong to it. */
  detail: Record<string, unknown> | null;
};

/** What a worker tells its page. */
export type Event =
  | {
      type: "welcome";
      /** `PROTOCOL` of the worker. */
      protocol: number;
      /** Build id of the worker. */
      build: string;
      /** What the worker found it can do. */
      capabilities: Capabilities;
      /** Name of the Web Lock that the worker holds as long as it lives, if it could. */
      lock: string | null;
    }
  | {
      type: "progress";
      /** The load. */
      id: number;
      /** What is going on. */
      progress: Progress;
    }
  | {
      type: "working";
      /** The request. */
      id: number;
      /** Where it is. */
      stage: Stage;
      /** Tokens done in this stage. */
      done: number;
      /** Tokens in this stage, where known. */
      total: number | null;
    }
  | {
      type: "delta";
      /** The request. */
      id: number;
      /** Text of the answer. */
      text: string;
      /** Text of the model's reasoning. */
      reasoning: string;
      /** Tokens that this event accounts for (against the credits). */
      tokens: number;
    }
  | {
      type: "done";
      /** The request. */
      id: number;
      /** What came of it. */
      outcome: Outcome;
    }
  | {
      type: "error";
      /** The request; `null`: the worker as a whole. */
      id: number | null;
      /** Why. */
      error: ErrorInfo;
    };

/**
 * What a graph model does, as far as it is planned: for the shapes that its runs had, or, before the
 * first run, for those that the model declares.
 */
export type Explanation = {
  /**
   * Parts that run in one go, in the order in which they were planned. A model has several where it
   * goes on as values say, or where its runs had different shapes.
   */
  segments: Array<SegmentInfo>;
  /** Why there are none. */
  reason: string | null;
};

/** Why an answer ended. */
export type FinishReason = "stop" | "length" | "abort";

/** How to generate. `null` is the default named with each field. */
export type GenerateOptions = {
  /** Most tokens to generate; default: up to the context's end. 0 evaluates the prompt only. */
  maxTokens: number | null;
  /** Default 0.8 (as in llama.cpp); 0 is greedy. */
  temperature: number | null;
  /** Keep the K most likely tokens; 0 (default 40): all. */
  topK: number | null;
  /** Keep the likeliest tokens that together reach this probability (0, 1]; default 0.95. */
  topP: number | null;
  /** Drop tokens less likely than this share [0, 1] of the likeliest; default 0. */
  minP: number | null;
  /** Divides (or multiplies) logits of tokens of prompt and answer; default 1 (off), > 0. */
  repetitionPenalty: number | null;
  /** Subtracted per earlier use in the answer; default 0. */
  frequencyPenalty: number | null;
  /** Subtracted once if used in the answer; default 0. */
  presencePenalty: number | null;
  /** Added to logits, by token id. */
  logitBias: Array<[number, number]>;
  /** Seed of the sampler; default: from the clock. Up to 2^53 - 1. */
  seed: number | null;
  /** Strings that end the answer; not part of it. */
  stopSequences: Array<string>;
  /** Token ids that end the answer, besides the model's own. */
  stopTokens: Array<number>;
  /** Do not end at the model's end tokens. */
  ignoreEos: boolean;
  /** Reuse the evaluated prefix of the last conversation; default true. */
  cachePrompt: boolean | null;
  /** Send `Event::Delta`; without it only the result is sent. */
  stream: boolean;
  /** Tools that the chat template offers to the model; default: none. */
  tools: unknown[] | null;
  /** More variables of the chat template (Hugging Face's `chat_template_kwargs`), by name. */
  chatTemplateOptions: Record<string, unknown> | null;
};

/** A whole answer. */
export type Generated = {
  /** The answer. */
  text: string;
  /** The model's reasoning, if it wrote any. */
  reasoning: string | null;
  /** The answer's token ids, the end token left out. */
  tokens: Array<number>;
  /** Why it ended. */
  finishReason: FinishReason;
  /** Tokens counted. */
  usage: Usage;
  /** Times taken. */
  timings: Timings;
};

/** A file that the host holds. */
export type HeldFile = {
  /** Its name; of a folder's files, which the engine looks for by name, without the folder. */
  name: string;
  /** Its size in bytes. */
  size: number;
};

/** How to load a model. */
export type LoadOptions = {
  /** Positions a conversation may have; default: the model's own, at most 4096. */
  contextLength: number | null;
  /**
   * Threads; default `max(1, cores - 1)`. The worker gives the number it really started, or `auto`
   * if the engine is to find out how many of those are the fastest.
   */
  threads: number | "auto" | null;
  /** What an earlier load with `auto` measured; the worker fills it in. */
  measured: ThreadsFigure | null;
  /** `auto` or `cpu`; `webgpu` is refused with `DEVICE_UNAVAILABLE`. */
  device: string | null;
  /** Base URL of `hf:` sources. */
  hubUrl: string | null;
  /** Access token for the hub; sent to it and to nobody else. */
  hubToken: string | null;
  /**
   * `default`, `no-store`, `reload`, `force-cache` or `only-if-cached`, with the meanings of
   * `Request.cache` of the Fetch standard.
   */
  cache: string | null;
  /**
   * Name under which the file of a URL is kept, for URLs that change (signatures); default: the
   * URL.
   */
  cacheKey: string | null;
  /**
   * Type that the weights of a safetensors file are kept as, for example `q8_0`; default: their
   * own.
   */
  dtype: string | null;
  /** Type of the KV cache's elements: `f32`, `f16` (the default) or `q8_0`. */
  kvType: string | null;
  /**
   * What it is for: `auto` (default), or `run` for a decoder of a graph format whose past the page
   * keeps itself: it is run as the graph that its file has.
   */
  task: string | null;
  /** Bytes the model may take in all; the worker fills in what its memory allows. */
  memoryLimit: number | null;
};

/** The memory a model takes, in bytes. */
export type MemoryPlan = {
  /** Weights, as they lie in memory. */
  weights: number;
  /** The KV cache when the context is full. */
  kvCache: number;
  /** Intermediate values and logits. */
  scratch: number;
  /** All of it. */
  total: number;
};

/** How a URL is asked. */
export type Method = "get" | "head";

/** Figures of a model since it was loaded. */
export type Metrics = {
  /** Milliseconds the load took. */
  loadMs: number;
  /** Threads used. */
  threads: number;
  /**
   * Milliseconds of the load in which was measured how many threads are the fastest; 0: that was
   * known, or not asked for.
   */
  measureMs: number;
  /** Bytes read from the source. */
  bytesRead: number;
  /** Memory the model takes now. */
  memory: MemoryPlan;
  /** Bytes of the wasm memory; filled in by the worker. */
  wasmBytes: number;
  /** Requests to generate or run that ended. */
  requests: number;
  /** Requests open, queued ones included. */
  openRequests: number;
  /** Prompt tokens evaluated. */
  promptTokens: number;
  /** Prompt tokens reused. */
  cachedTokens: number;
  /** Tokens generated. */
  completionTokens: number;
  /** Milliseconds spent on prompts. */
  prefillMs: number;
  /** Milliseconds spent on generating. */
  decodeMs: number;
  /** Milliseconds spent on runs of a graph model. */
  runMs: number;
  /** What was recorded since it was last asked for with `profile`; `null`: nothing is recorded. */
  profile: Profile | null;
};

/** A loaded model. */
export type ModelInfo = {
  /** Its handle. */
  handle: number;
  /** `general.name`, or the file's name. */
  name: string;
  /** `gguf`, `safetensors`, `onnx`, `tflite` or `tfjs`. */
  format: string;
  /** Of a graph model: what `super::Request::Run` takes, in the model's order. */
  inputs: Array<PortInfo>;
  /** Of a graph model: what it gives. */
  outputs: Array<PortInfo>;
  /**
   * `general.architecture`; of a decoder in a graph format the `model_type` of the `config.json`
   * beside it, else `decoder`; of other graph models nothing, as all that is said of tokens and text.
   */
  architecture: string;
  /** Number of weights. */
  parameters: number;
  /** The type that holds most of the weights, for example `Q4_0`. */
  weightType: string;
  /** Positions a conversation may have. */
  contextLength: number;
  /** Positions the model was trained for. */
  trainedContextLength: number;
  /** Tokens in the vocabulary. */
  vocabSize: number;
  /** Whether text can be tokenized (the file has a vocabulary). */
  hasTokenizer: boolean;
  /** Whether it has a chat template. */
  hasChatTemplate: boolean;
  /** `cpu`. */
  device: string;
  /** Threads used. */
  threads: number;
  /** Why so many, where that was measured. */
  threadsReason: string | null;
  /** Memory it takes. */
  memory: MemoryPlan;
  /** Milliseconds from the request to here. */
  loadMs: number;
  /** The files it was read from, as paths in the repository or folder. */
  files: Array<string>;
  /** Why these, where there was a choice. */
  choice: string | null;
  /** Bytes that came over the network. */
  downloadedBytes: number;
  /** Bytes that came from the cache. */
  cachedBytes: number;
  /** Where its files are kept: `opfs`, `cache-api`, `memory` or `none`. The host fills it in. */
  cache: string;
  /** Why not in a better place, or why not all of it was kept. */
  cacheReason: string | null;
  /** What the app should know though the model was loaded. */
  warnings: Array<ErrorInfo>;
};

/** Where a model's bytes come from. */
export type ModelSource =
  | {
      kind: "url";
      /** The URL. */
      url: string;
    }
  | {
      kind: "held";
      /** The files. */
      files: Array<HeldFile>;
    };

/** A value and its name. */
export type NamedValue = {
  /** The input's or output's name. */
  name: string;
  /** The value. */
  value: RunValue;
};

/** The time of one operator, over all layers. */
export type OpProfile = {
  /** Its name, and what it makes. */
  name: string;
  /** How often it ran. */
  calls: number;
  /** Milliseconds. */
  ms: number;
  /** Of all operators of these steps, 0 to 1. */
  share: number;
};

/** An operator that runs. */
export type OperatorInfo = {
  /** Its name. */
  op: string;
  /** What the file calls the node that it does, or the last of several; may be empty. */
  call: string;
  /** Its operands, weights included. */
  inputs: Array<ValueInfo>;
  /** Its results. */
  outputs: Array<ValueInfo>;
  /** The passes that made it of several operators, in order. */
  passes: Array<string>;
  /** Where it runs: `cpu`. */
  device: string;
  /** Why there. */
  reason: string;
};

/** Where a file is. */
export type Origin =
  | {
      kind: "url";
      /** The URL, absolute or relative to the page. */
      url: string;
    }
  | {
      kind: "held";
      /** Its position in the load's list. */
      index: number;
    }
  | {
      kind: "cache";
      /** Its key. */
      key: string;
    };

/** What came of a request. */
export type Outcome =
  | {
      kind: "loaded";
      /** The model. */
      model: ModelInfo;
    }
  | {
      kind: "generated";
      /** The whole answer. */
      result: Generated;
    }
  | {
      kind: "ran";
      /** The outputs, in the model's order or that of the request. */
      outputs: Array<NamedValue>;
      /** Times taken. */
      timings: RunTimings;
    }
  | {
      kind: "tokens";
      /** Token ids. */
      tokens: Array<number>;
    }
  | {
      kind: "text";
      /** The text. */
      text: string;
    }
  | {
      kind: "metrics";
      /** The figures. */
      metrics: Metrics;
    }
  | {
      kind: "explained";
      /** What it does. */
      explanation: Explanation;
    }
  | { kind: "disposed" };

/** Where the time of some steps goes. */
export type PhaseProfile = {
  /** Steps or runs that ended. */
  steps: number;
  /** Milliseconds of all operators. */
  ms: number;
  /** The operators, the longest first. */
  ops: Array<OpProfile>;
};

/** An input or output of a graph model. */
export type PortInfo = {
  /** Its name. */
  name: string;
  /** `tensor`, `sequence` or `optional`. */
  kind: string;
  /** Element type, as NumPy names it; `null`: any. */
  dtype: string | null;
  /** Dimensions, outermost first; `null`: any. */
  shape: Array<DimInfo> | null;
  /** What its integers stand for, where the file says it with one scale. */
  quantization: Quantization | null;
};

/** Where the time goes. */
export type Profile = {
  /** Steps that evaluate prompts. */
  prompt: PhaseProfile;
  /** Steps that make one token each. */
  decode: PhaseProfile;
  /** Runs of a graph model. */
  run: PhaseProfile;
};

/** How far a load is. Never goes back. */
export type Progress = {
  /** `waiting` (another tab is reading the same file), `download`, `prepare`, then `ready`. */
  phase: string;
  /** The file that is being read. */
  file: string;
  /** Bytes of all files so far, those from the cache included. */
  loadedBytes: number;
  /** Bytes in all, where known. */
  totalBytes: number | null;
  /** Bytes of them that came from the cache. */
  cachedBytes: number;
  /** Recent speed. */
  bytesPerSecond: number;
  /** Seconds left at that speed, where known. */
  etaSeconds: number | null;
};

/** What to continue. */
export type Prompt =
  | {
      kind: "messages";
      /** The messages, as the template sees them. */
      messages: Message[];
    }
  | {
      kind: "segments";
      /** The segments. */
      segments: Array<Segment>;
      /** Take text as it is. */
      raw: boolean;
    };

/** How integers stand for numbers: `(integer - zeroPoint) * scale`. */
export type Quantization = {
  /** The number that 1 stands for: above 0. */
  scale: number;
  /** The integer that stands for 0. */
  zeroPoint: number;
};

/** What a page asks of its worker. */
export type Request =
  | {
      type: "hello";
      /** `PROTOCOL` of the page's client. */
      protocol: number;
      /** Build id of the page's client. */
      build: string;
      /** Folder of the wasm files, if not beside the worker. */
      wasmUrl: string | null;
    }
  | {
      type: "load";
      /** Request id. */
      id: number;
      /** Where the bytes come from. */
      source: ModelSource;
      /** How to load it. */
      options: LoadOptions;
    }
  | {
      type: "generate";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** What to continue. */
      prompt: Prompt;
      /** How. */
      options: GenerateOptions;
      /** Tokens that may be sent before the page grants more; `null`: no limit. */
      credits: number | null;
    }
  | {
      type: "run";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** Its inputs, in any order. */
      inputs: Array<NamedValue>;
      /** The names of the outputs that are wanted; `null`: all. */
      outputs: Array<string> | null;
      /**
       * Whether what runs before have left for this one is forgotten: a model's variables and the
       * states of its layers begin anew.
       */
      reset: boolean;
    }
  | {
      type: "embed";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** The texts, each text or token ids. */
      input: Array<Segment>;
      /** How. */
      options: EmbedOptions;
    }
  | {
      type: "credit";
      /** The request. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** Tokens granted. */
      count: number;
    }
  | {
      type: "abort";
      /** The request. */
      id: number;
      /** Handle of the model. */
      model: number;
    }
  | {
      type: "tokenize";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** The text. */
      text: string;
      /** Add the model's begin and end tokens. */
      addSpecial: boolean;
      /** Read special tokens in the text. */
      parseSpecial: boolean;
    }
  | {
      type: "detokenize";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** The ids. */
      tokens: Array<number>;
    }
  | {
      type: "applyChatTemplate";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** The messages, as the template sees them. */
      messages: Message[];
      /** Tools that the template offers to the model; default: none. */
      tools: unknown[] | null;
      /** More variables of the template (Hugging Face's `chat_template_kwargs`), by name. */
      chatTemplateOptions: Record<string, unknown> | null;
      /** End with the opening of the assistant's turn. */
      addGenerationPrompt: boolean;
    }
  | {
      type: "metrics";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
      /** Take the time of each operator from now on, until this is asked without it. */
      profile: boolean;
    }
  | {
      type: "explain";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
    }
  | {
      type: "dispose";
      /** Request id. */
      id: number;
      /** Handle of the model. */
      model: number;
    };

/** Times of a run, in milliseconds. */
export type RunTimings = {
  /** Waiting for other runs. */
  queueMs: number;
  /** Planning, the first time with inputs of these shapes, and running. */
  runMs: number;
};

/** An input or output of a run. Bytes lie in buffers that the host makes and takes beside the messages. */
export type RunValue =
  | {
      kind: "tensor";
      /** Element type, as NumPy names it. */
      dtype: string;
      /** Dimensions, outermost first. */
      shape: number[];
      /** The buffer of its elements: little-endian, row-major, nothing else. */
      buffer: number;
    }
  | {
      kind: "sequence";
      /** The values. */
      values: Array<RunValue>;
    }
  | { kind: "nothing" };

/** A part of a prompt. */
export type Segment =
  | {
      kind: "text";
      /** The text. */
      text: string;
    }
  | {
      kind: "ids";
      /** The ids. */
      ids: Array<number>;
    };

/** A part of a model that runs in one go. */
export type SegmentInfo = {
  /** Bytes of the values between its operators, which share their places. */
  scratchBytes: number;
  /** Bytes of the constants that it reads: weights, and what was computed of them. */
  constantBytes: number;
  /** What runs, in order. */
  operators: Array<OperatorInfo>;
  /** Values that it ends with because the model goes on as they say; 0: it ends with the outputs. */
  needs: number;
};

/** Where an open request is. */
export type Stage = "queued" | "prompt" | "decode" | "run" | "paused";

/** What was measured of a model's threads: the next load of it on the same machine need not measure. */
export type ThreadsFigure = {
  /**
   * Shapes and types of the model's weights, as a hash that this build makes: its speed hangs on
   * nothing else.
   */
  model: string;
  /** The threads that were the fastest. */
  threads: number;
  /** Of so many that there were. */
  of: number;
  /**
   * Whether that is settled. What else the machine does hides what more threads would bring, so
   * fewer than there were are measured once more, by the next load.
   */
  sure: boolean;
};

/** Times taken, in milliseconds and tokens a second. */
export type Timings = {
  /** Loading the model. */
  loadMs: number;
  /** Waiting for other requests. */
  queueMs: number;
  /** From the request to its first token. */
  timeToFirstTokenMs: number;
  /** Prompt tokens evaluated a second; `null` if none were. */
  prefillTokensPerSecond: number | null;
  /** Tokens generated a second after the first; `null` if there were none. */
  decodeTokensPerSecond: number | null;
};

/** Tokens counted. */
export type Usage = {
  /** Tokens of the prompt. */
  promptTokens: number;
  /** Tokens generated, an end token included. */
  completionTokens: number;
  /** Their sum. */
  totalTokens: number;
  /** Tokens of the prompt that were evaluated before and reused. */
  cachedTokens: number;
};

/** Type and shape of a value. */
export type ValueInfo = {
  /** Element type, as NumPy names it. */
  dtype: string;
  /** Dimensions, outermost first. */
  shape: number[];
};
