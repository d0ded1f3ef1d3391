import type { ErrorInfo, LoadOptions, ModelSource, Origin } from "../protocol.js";

/** The kinds of models. Each has an engine module of its own, so that a page downloads what it runs. */
export type Kind = "language" | "graphs";

/** As `Kind::of` in `crates/store`; a revision may follow the path in a repository. */
const GRAPH = /(?:\.(?:onnx|tflite)|(?:^|\/)model\.json)$/i;

/** What a source's names suggest. Its content decides: a module that finds the other kind says so. */
export function kindOf(source: ModelSource): Kind {
  const names =
    source.kind === "held" ? source.files.map(({ name }) => name) : [pathOf(source.url)];
  return names.some((name) => GRAPH.test(name)) ? "graphs" : "language";
}

/**
 * The key of the file that the engine will look up first, as `Shelf` in `crates/store` makes it of a URL; `null`:
 * that is not known. It is a guess, for what is looked up meanwhile.
 */
export function keyOf(source: ModelSource, options: LoadOptions): string | null {
  const looked = options.cache !== "no-store" && options.cache !== "reload";
  if (source.kind !== "url" || !looked || !/^https?:/.test(source.url)) return null;
  return `url/${options.cacheKey ?? source.url.split("#")[0]}`;
}

/** Whether a file is the tokenizer that lies beside a model. */
export function isTokenizer(from: Origin, source: ModelSource): boolean {
  const name =
    from.kind === "url"
      ? pathOf(from.url)
      : from.kind === "cache"
        ? from.key
        : source.kind === "held" && source.files[from.index]?.name;
  return typeof name === "string" && /(?:^|\/)tokenizer\.json$/.test(name);
}

function pathOf(url: string): string {
  const [path = ""] = url.split(url.startsWith("hf:") ? "@" : /[?#]/);
  return path;
}

/** The kind that a load's error asks for; `null`: it is an error like others. */
export function otherKind({ code, detail }: ErrorInfo): Kind | null {
  if (code !== "OTHER_MODULE") return null;
  return detail?.module === "graphs" ? "graphs" : "language";
}

/** The name of the wasm file of a kind. */
export function moduleOf(kind: Kind, variant: string): string {
  return kind === "graphs" ? `graphs-${variant}` : variant;
}
