import type { ModelInfo } from "./protocol.js";

/** Bytes from which a model is worth a question that some browsers put to the user. */
const LARGE = 64 << 20;

let asked = false;

/**
 * Asks the browser, once, not to throw the site's data away when room is short. Only a page can; the
 * answer is not waited for, and changes nothing but that.
 */
export function askToPersist({ cache, downloadedBytes }: ModelInfo): void {
  const kept = cache === "opfs" || cache === "cache-api";
  if (asked || !kept || downloadedBytes < LARGE) return;
  asked = true;
  const { storage } = (globalThis.navigator ?? {}) as { storage?: StorageManager };
  storage?.persist?.().catch(() => undefined);
}
