import type { ScriptUrl } from "./load-options.js";

interface Policy {
  createScriptURL(url: string): unknown;
}

let policy: Policy | null | undefined;

/**
 * The URL in the form that the page's Trusted Types want: a `TrustedScriptURL` that was given stays
 * as it is, a string goes through the policy `sidestage`, if the page has such policies.
 */
export function trusted(url: ScriptUrl): unknown {
  if (typeof url !== "string" && !(url instanceof URL)) return url;
  if (policy === undefined) {
    const types = (
      globalThis as {
        trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
      }
    ).trustedTypes;
    try {
      policy = types?.createPolicy("sidestage", { createScriptURL: (text) => text }) ?? null;
    } catch {
      // The page's policy list lacks ours. If it enforces the list, `new Worker` says so.
      policy = null;
    }
  }
  return policy ? policy.createScriptURL(String(url)) : String(url);
}
