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
