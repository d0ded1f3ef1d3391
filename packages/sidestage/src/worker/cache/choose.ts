import type { CacheBackend, ChosenCache } from "./backend.js";
import { OpfsCache } from "./opfs.js";
import { PartsCache } from "./parts.js";

const WAYS: [string, () => Promise<CacheBackend>][] = [
  ["the origin private file system", () => OpfsCache.open()],
  ["the Cache API", () => PartsCache.open()],
];

/**
 * Takes the first that works. What a browser has says little: pages without an origin and private
 * windows have the interfaces, and refuse.
 */
export async function chooseCache(): Promise<ChosenCache> {
  const reasons: string[] = [];
  if (!globalThis.isSecureContext) {
    const reason = "the page is no secure context (HTTPS), so the browser keeps nothing";
    return { backend: null, name: "memory", reason };
  }
  for (const [what, open] of WAYS) {
    try {
      const backend = await open();
      return { backend, name: backend.name, reason: reasons.join("; ") || null };
    } catch (error) {
      const why = error instanceof DOMException ? `${error.name}: ` : "";
      const says = error instanceof Error ? error.message : String(error);
      reasons.push(`${what} cannot be used (${why}${says})`);
    }
  }
  return { backend: null, name: "memory", reason: reasons.join("; ") };
}
