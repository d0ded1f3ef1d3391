import { test, type TestOptions } from "node:test";
import type { Page } from "./drivers/driver.js";
import { stage, type Stage } from "./browser.js";
import { MODELS } from "./server.js";

export type Mode = "worker" | "page";
type Body = (page: Page, up: Stage) => Promise<void>;

/**
 * The tests of one concern, run the same in a worker and on the page. Each gets a fresh page; real
 * models are needed for all of them.
 */
export function bothModes(
  concern: string,
  cases: (define: (name: string, body: Body) => void, mode: Mode) => void,
): void {
  const up = stage();
  for (const mode of ["worker", "page"] as const) {
    cases(
      (name, body) => withPage(up, `${concern} (${mode}): ${name}`, "plain", mode, body),
      mode,
    );
  }
}

/** One test on a fresh page of a site. */
export function withPage(
  up: Stage,
  name: string,
  site: string,
  mode: Mode,
  body: Body,
  options: TestOptions = {},
): void {
  const skip = MODELS ? undefined : "SIDESTAGE_TESTDATA is not set";
  test(name, { timeout: 60_000, ...(skip && { skip }), ...options }, async () => {
    await body(await up.open(site, mode), up);
  });
}
