// Runs in the page, beside the package. Bundled to dist/page.js; `./dist/index.js` stays an import.
import { features, probe, probeForParent, probeInFrame, type ProbeOptions } from "./probe.js";
import type {} from "./record.js";
import type * as Package from "../../../packages/sidestage/src/index.js";

const index = "./dist/index.js";
const sidestage = (await import(index)) as typeof Package;

/** What a thrown error looks like from outside the page. */
export interface Thrown {
  name: string;
  code: string;
  message: string;
  hint: string | null;
  detail: Record<string, unknown> | null;
}

const inside = {
  /** Where the engine of this page's tests runs. */
  mode: "worker" as "worker" | "page",

  /** Loads the story model, or another source, where this page's tests want it. */
  load(
    options: Package.LoadModelOptions = {},
    source: Package.Source = "models/stories260K-F32.gguf",
  ): Promise<Package.Model> {
    const useWorker = inside.mode === "worker";
    return sidestage.loadModel(source, { useWorker, threads: 1, ...options });
  },

  /** The error that a promise ends with, in a form that leaves the page; `null` if it ends well. */
  async caught(work: PromiseLike<unknown> | (() => unknown)): Promise<Thrown | null> {
    try {
      await (typeof work === "function" ? work() : work);
      return null;
    } catch (error) {
      const { name, code, message, hint, detail } = error as Thrown;
      return { name, code, message, hint, detail };
    }
  },

  /** Resolves when nothing waits in the event loop. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
  },

  /** Lets something happen to the worker of a site whose workers listen for it. */
  hook(name: "trap" | "close" | "hang"): Promise<void> {
    return new Promise((resolve) => {
      const channel = new BroadcastChannel("hooks");
      channel.onmessage = () => {
        channel.close();
        resolve();
      };
      channel.postMessage(name);
    });
  },

  probe: (options: ProbeOptions) => probe(sidestage, options),
  probeInFrame,
  features,

  /** Token ids without meaning, for long prompts. */
  ids(count: number, first = 3): number[] {
    return Array.from({ length: count }, (_, at) => first + ((at * 7) % 500));
  },

  /** The whole text of a stream. */
  async text(stream: AsyncIterable<string>): Promise<string> {
    let out = "";
    for await (const piece of stream) out += piece;
    return out;
  },
};

declare global {
  interface Window {
    sidestage: typeof Package;
    help: typeof inside;
  }
}

window.sidestage = sidestage;
window.help = inside;
window.record.ready();
if (parent !== window) probeForParent(sidestage);
