import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserName } from "./drivers/driver.js";
import type { Outcome, ProbeOptions } from "./page/probe.js";
import { DIST } from "./server.js";

/** A kind of page that Sidestage may be on. */
export interface Kind {
  /** For people, and the key of the table of outcomes. */
  name: string;
  /** The site whose page it is. */
  site: string;
  /** The site in a frame of that page, and the frame's attributes, if the probe is made there. */
  frame?: { site: string; attributes: Record<string, string> };
  /** How the model is loaded; `elsewhere` stands for another origin of the same server. */
  options?: ProbeOptions;
}

const sandbox = (site: string, rights = "allow-scripts", more = {}): Kind["frame"] => ({
  site,
  attributes: { sandbox: rights, ...more },
});

/** Every kind of page. */
export const KINDS: Kind[] = [
  { name: "no special header but a strict policy", site: "plain" },
  { name: "isolated: COOP, COEP `require-corp`", site: "isolated" },
  { name: "COOP, COEP `credentialless`", site: "credentialless" },
  {
    name: "`Document-Isolation-Policy: isolate-and-require-corp`",
    site: "dip-require-corp",
  },
  {
    name: "`Document-Isolation-Policy: isolate-and-credentialless`",
    site: "dip-credentialless",
  },
  { name: "isolated, but no COEP on the worker's script", site: "worker-coep" },
  { name: "no `'wasm-unsafe-eval'` in the worker's own policy", site: "wasm-csp-worker" },
  { name: "no `'wasm-unsafe-eval'` in the page's policy", site: "wasm-csp-page" },
  { name: "no `'wasm-unsafe-eval'` in either policy", site: "wasm-csp" },
  { name: "`worker-src 'none'`", site: "worker-csp" },
  { name: "the worker's script is not there (404)", site: "worker-404" },
  { name: "the worker's script is `text/plain`", site: "worker-mime" },
  {
    name: "the worker's script is of another origin",
    site: "worker-elsewhere",
    options: { workerUrl: "elsewhere" },
  },
  { name: "Trusted Types, policy `sidestage` allowed", site: "trusted" },
  { name: "Trusted Types, isolated", site: "trusted-isolated" },
  { name: "Trusted Types, policy `sidestage` not allowed", site: "trusted-other" },
  {
    name: "sandboxed frame, `allow-scripts`",
    site: "plain",
    frame: sandbox("sandboxed"),
  },
  {
    name: "sandboxed frame, `allow-scripts allow-same-origin`",
    site: "plain",
    frame: sandbox("sandboxed", "allow-scripts allow-same-origin"),
  },
  {
    name: "sandboxed frame, `allow-scripts`, no `blob:` in its policy",
    site: "plain",
    frame: sandbox("sandboxed-strict"),
  },
  {
    name: "sandboxed frame, `allow-scripts`, in an isolated page that allows it",
    site: "isolated",
    frame: sandbox("sandboxed-isolated", "allow-scripts", { allow: "cross-origin-isolated" }),
  },
  {
    name: "sandboxed frame, `allow-scripts`, `Document-Isolation-Policy`",
    site: "plain",
    frame: sandbox("sandboxed-dip"),
  },
  { name: "`useWorker: false`", site: "plain", options: { useWorker: false } },
  {
    name: "`useWorker: false` on an isolated page",
    site: "isolated",
    options: { useWorker: false },
  },
  {
    name: "`useWorker: false`, no `'wasm-unsafe-eval'` in the page's policy",
    site: "wasm-csp-page",
    options: { useWorker: false },
  },
];

/** What is expected of each kind of page, and what the browsers have. */
export interface Table {
  versions: Partial<Record<BrowserName, string>>;
  features: Record<string, Partial<Record<BrowserName, boolean>>>;
  pages: Record<string, Partial<Record<BrowserName, string>>>;
}

// Bundled to tests/browser/dist.
const repository = join(DIST, "../../..");
export const TABLE = join(repository, "tests/browser/matrix.json");
export const DOCUMENT = join(repository, "docs/browsers.md");

/** The table as it is checked in. */
export function readTable(): Table {
  return JSON.parse(readFileSync(TABLE, "utf8")) as Table;
}

/** An outcome in one line. */
export function told(outcome: Outcome): string {
  if ("code" in outcome) return `error ${outcome.code}`;
  const { capabilities, threads, text } = outcome;
  const { place, fallbackReason, threadsReason, variant, cache } = capabilities;
  if (text !== ", there was a") return `wrong answer: ${text}`;
  const where =
    fallbackReason === null
      ? place
      : `${place === "page" ? "page" : "copy of the worker"} [${fallbackReason}]`;
  const many = threads === 1 ? `1 thread [${threadsReason}]` : `${threads} threads`;
  return [where, variant, many, cache].join(", ");
}
