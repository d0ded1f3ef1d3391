export { capabilities, type CapabilitiesOptions } from "./capabilities.js";
export { embed, type EmbedInput, type EmbedOptions, type EmbedResult } from "./embed.js";
export {
  SidestageError,
  type ClientErrorCode,
  type ErrorCode,
  type ErrorParts,
} from "./errors.js";
export {
  generateText,
  streamText,
  type GenerateTextOptions,
  type GenerateTextResult,
  type StreamTextResult,
} from "./generate.js";
export type { RunOptions } from "./graph.js";
export { loadModel } from "./load.js";
export type { CacheMode, LoadModelOptions, ScriptUrl, WorkerOptions } from "./load-options.js";
export type { Message } from "./message.js";
export type { ChatTemplateOptions, MetricsOptions, Model } from "./model.js";
export { deleteModel, listModels, storageEstimate, type StorageOptions } from "./models.js";
export type { TextOptions } from "./options.js";
export type { PixelInput, PixelLayout, PixelOptions, PixelSource } from "./pixels.js";
export { canUseWorker } from "./place.js";
export type {
  Capabilities,
  Explanation,
  FinishReason,
  MemoryPlan,
  Metrics,
  ModelInfo,
  OperatorInfo,
  OpProfile,
  PhaseProfile,
  PortInfo,
  Quantization,
  Profile,
  Progress,
  SegmentInfo,
  Timings,
  Usage,
  ValueInfo,
} from "./protocol.js";
export type { TextStreamPart } from "./run.js";
export type { Source } from "./source.js";
export type { IterableStream } from "./stream.js";
export type {
  NestedNumbers,
  RunInput,
  RunOutput,
  Tensor,
  TensorData,
  TensorInput,
  TensorType,
} from "./tensor.js";
export type { CachedFile, CachedModel, StorageReport } from "./wire.js";
