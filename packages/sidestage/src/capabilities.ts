import type { Capabilities } from "./protocol.js";
import { visit, type VisitOptions } from "./visit.js";

/** Where to look. */
export type CapabilitiesOptions = VisitOptions;

/**
 * What an engine can do here, asked inside a worker, where it would run; on the page if no worker
 * can be started (`fallbackReason` says why). Only this call looks for a WebGPU adapter.
 */
export function capabilities(options: CapabilitiesOptions = {}): Promise<Capabilities> {
  return visit(options, true, (place) => place.capabilities);
}
