import type { FromWorker, ToWorker } from "../wire.js";
import { Host } from "./host.js";

/** Serves a port on the page itself. */
export function openHost(port: MessagePort): { close(): void } {
  const host = new Host(
    {
      place: "page",
      base: import.meta.url,
      script: "",
      budget: 4,
      lock: () => Promise.resolve(null),
    },
    (answer: FromWorker) => port.postMessage(answer),
  );
  port.onmessage = (event: MessageEvent<ToWorker>) => host.receive(event.data);
  return {
    close() {
      host.close();
      port.close();
    },
  };
}
