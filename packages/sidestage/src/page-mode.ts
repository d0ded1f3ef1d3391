import { Connection } from "./connection.js";
import { SidestageError } from "./errors.js";
import { greet } from "./handshake.js";
import type { Opening, Place, PlaceOptions } from "./place.js";

/** Runs the worker's host on this page, behind a port like a worker's. */
export async function openPage(
  options: PlaceOptions,
  opening: Opening,
  fallbackReason: string | null,
): Promise<Place> {
  let hosts: typeof import("./sidestage-host.js");
  try {
    hosts = await import("./sidestage-host.js");
  } catch (cause) {
    throw new SidestageError("WASM_NOT_FOUND", "sidestage-host.js could not be loaded", {
      hint: "Serve it beside index.js.",
      cause,
    });
  }
  const { port1: port, port2 } = new MessageChannel();
  const host = hosts.openHost(port2);
  const connection = new Connection({
    post: (message, transfer = []) => port.postMessage(message, transfer),
    timeout: options.timeout,
    onFailed: (error) => {
      host.close();
      port.close();
      opening.onClosed?.(error);
    },
  });
  try {
    const welcome = await greet(port, {
      wasmUrl: options.wasmUrl,
      timeout: options.startTimeout,
      signal: opening.signal,
      probe: opening.probe,
      next: opening.next,
    });
    port.addEventListener("message", (event) => connection.receive(event.data));
    return {
      connection,
      capabilities: { ...welcome.capabilities, fallbackReason },
      close: (error) => connection.fail(error),
    };
  } catch (error) {
    host.close();
    port.close();
    throw error;
  }
}
