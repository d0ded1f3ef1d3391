import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Site } from "./sites.js";

const { SIDESTAGE_SUITES } = process.env;

/** The test programs of `crates/suite`, built for WASI, by their names; none where they are not built. */
export const SUITES: string[] = SIDESTAGE_SUITES
  ? readdirSync(SIDESTAGE_SUITES)
      .filter((name) => name.endsWith(".wasm"))
      .map((name) => basename(name, ".wasm"))
  : [];

/** Where the programs find the models that are not the repository's. */
export const DATA_THERE = "/data";

/** The programs, and what they read in one archive: the repository's cases under its own path. */
export function suiteFiles(
  repository: string,
  data: string | undefined,
): NonNullable<Site["files"]> {
  const files: NonNullable<Site["files"]> = {
    "suites/files": (response) => {
      const folders = ["examples", "microsoft", "tfjs", "tflite"];
      const crate = join(repository, "crates/suite");
      const ours = folders.flatMap((folder) => all(join(crate, folder)));
      const theirs = data
        ? ["lm", "onnx", "tfjs", "tflite"].flatMap((f) => all(join(data, f)))
        : [];
      const named = [
        ...ours.map((path) => [path, path] as const),
        ...theirs.map((path) => [path.replace(data!, DATA_THERE), path] as const),
      ].map(([name, path]) => [name, readFileSync(path)] as const);
      const list = Buffer.from(
        JSON.stringify(named.map(([name, bytes]) => [name, bytes.length])),
      );
      const head = Buffer.alloc(4);
      head.writeUInt32LE(list.length);
      response.end(Buffer.concat([head, list, ...named.map(([, bytes]) => bytes)]));
    },
  };
  for (const name of SUITES) {
    files[`suites/${name}.wasm`] = (response) => {
      response.setHeader("content-type", "application/wasm");
      response.end(readFileSync(join(SIDESTAGE_SUITES!, `${name}.wasm`)));
    };
  }
  return files;
}

/** All files in a folder and below it. */
function all(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
