// Runs in the page: what Sidestage does here, and what the browser has.
import type {} from "./record.js";
import type { Capabilities, LoadModelOptions } from "../../../packages/sidestage/src/index.js";

type Package = typeof import("../../../packages/sidestage/src/index.js");

/** How the model is loaded in a cell of the matrix. */
export type ProbeOptions = Pick<LoadModelOptions, "useWorker" | "workerUrl">;

/** What became of loading and asking a model. */
export type Outcome =
  | { text: string; threads: number; capabilities: Capabilities; violations: string[] }
  | { code: string; message: string };

/** Loads a model with everything that may be tried, and asks it. */
export async function probe(sidestage: Package, options: ProbeOptions): Promise<Outcome> {
  try {
    const model = await sidestage.loadModel("models/stories260K-F32.gguf", {
      fallback: true,
      threads: 2,
      ...options,
    });
    const { text } = await sidestage.generateText({
      model,
      prompt: "Once upon a time",
      temperature: 0,
      maxTokens: 4,
    });
    const { info, capabilities } = model;
    await model.dispose();
    const { violations } = window.record;
    return { text, threads: info.threads, capabilities, violations };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { code: code ?? "NO_CODE", message };
  }
}

/** Answers a page around this one that wants a probe made here. */
export function probeForParent(sidestage: Package): void {
  addEventListener("message", ({ data, source }: MessageEvent<{ probe?: ProbeOptions }>) => {
    if (!data.probe) return;
    void probe(sidestage, data.probe).then((outcome) =>
      source?.postMessage({ outcome }, { targetOrigin: "*" }),
    );
  });
  parent.postMessage({ outcome: null }, "*");
}

/** Makes a probe in a frame of another site of this server. */
export function probeInFrame(
  site: string,
  attributes: Record<string, string>,
  options: ProbeOptions,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    for (const [name, value] of Object.entries(attributes)) frame.setAttribute(name, value);
    const listener = ({ data, source }: MessageEvent<{ outcome?: Outcome | null }>): void => {
      if (source !== frame.contentWindow || data.outcome === undefined) return;
      if (data.outcome === null) {
        frame.contentWindow?.postMessage({ probe: options }, "*");
        return;
      }
      removeEventListener("message", listener);
      frame.remove();
      resolve(data.outcome);
    };
    addEventListener("message", listener);
    frame.src = `../${site}/page.html`;
    document.body.append(frame);
  });
}

/** Whether a module of these bytes is WebAssembly here. */
const valid = (...body: number[]): boolean =>
  WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...body]));

/** What the browser has of that which Sidestage uses, may use, or does without. */
export async function features(): Promise<Record<string, boolean>> {
  const channel = new MessageChannel();
  const transfers = (): boolean => {
    const stream = new ReadableStream();
    try {
      channel.port1.postMessage(null, [stream as unknown as Transferable]);
      return true;
    } catch {
      return false;
    }
  };
  return {
    // i8x16.popcnt
    "WebAssembly SIMD": valid(
      ...[1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
    ),
    // i16x8.relaxed_dot_i8x16_i7x16_s
    "WebAssembly relaxed SIMD": valid(
      ...[1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13],
      ...[0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 146, 2, 11],
    ),
    "SharedArrayBuffer on an isolated page":
      crossOriginIsolated && typeof SharedArrayBuffer === "function",
    "64-bit WebAssembly memory": valid(5, 3, 1, 4, 1),
    "Web Locks": "locks" in navigator,
    "private file system (OPFS)": await new Promise((resolve) => {
      // Its synchronous handles are for workers.
      const worker = new Worker("opfs.js", { type: "module" });
      worker.onmessage = ({ data }) => resolve(data as boolean);
    }),
    "Cache API": "caches" in window,
    "Trusted Types": "trustedTypes" in window,
    "streams that can be posted": transfers(),
    "streams that can be iterated": Symbol.asyncIterator in ReadableStream.prototype,
  };
}
