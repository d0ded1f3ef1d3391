import type { FromWorker, ToWorker } from "../wire.js";
import { Host } from "./host.js";
import { Modules } from "./wasm.js";

// A page compiles once for all its models, as a worker does.
const compiled = new Map<string, Modules>();

function modulesOf(base: string): Modules {
  let modules = compiled.get(base);
  if (!modules) {
    modules = new Modules(base);
    compiled.set(base, modules);
  }
  return modules;
}

/** Serves a port on the page itself. */
export function openHost(port: MessagePort): { close(): void } {
  const host = new Host(
    {
      place: "page",
      base: import.meta.url,
      modules: modulesOf,
      script: "",
      budget: 4,
      lock: () => Promise.resolve(null),
    },
    (answer: FromWorker, transfer: Transferable[] = []) => port.postMessage(answer, transfer),
  );
  port.onmessage = (event: MessageEvent<ToWorker>) => host.receive(event.data);
  return {
    close() {
      host.close();
      port.close();
    },
  };
}
