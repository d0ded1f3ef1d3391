import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MODELS } from "./server.js";

/** One run of the reference. */
export interface Golden {
  prompt: string;
  prompt_ids: number[];
  generated_ids: number[];
  generated_text: string;
}

/** The reference's greedy answers of a model file. */
export function goldens(file: string): Golden[] {
  const path = join(MODELS ?? "", "stories260K-goldens.json");
  const all = JSON.parse(readFileSync(path, "utf8")) as {
    files: Record<string, { runs: Golden[] }>;
  };
  return all.files[file]?.runs ?? [];
}

/** What `mnist-12.onnx` says that it takes and gives. */
export const MNIST_PORTS = {
  inputs: [
    {
      name: "Input3",
      kind: "tensor",
      dtype: "float32",
      shape: [1, 1, 28, 28],
      quantization: null,
    },
  ],
  outputs: [
    {
      name: "Plus214_Output_0",
      kind: "tensor",
      dtype: "float32",
      shape: [1, 10],
      quantization: null,
    },
  ],
};
