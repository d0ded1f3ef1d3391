import { existsSync } from "node:fs";
import { CHROMIUM } from "./chromium.js";
import type { BrowserName } from "./driver.js";
import { FIREFOX } from "./firefox.js";
import { MINIBROWSER, WEBKIT_DRIVER, XVFB } from "./webdriver.js";

/** The programs that a browser's tests start, by the variable that names another. */
const NEEDED: Record<BrowserName, Record<string, string>> = {
  chromium: { CHROMIUM },
  firefox: { FIREFOX },
  webkit: { WEBKIT_DRIVER, MINIBROWSER, XVFB },
};

/** What a browser's tests need and is not on this machine; `undefined`: nothing. */
export function missing(browser: BrowserName): string | undefined {
  const needed = NEEDED[browser];
  if (!needed) return `there is no browser of this name: ${browser}`;
  for (const [variable, file] of Object.entries(needed)) {
    if (!existsSync(file)) return `${file} is not there (${variable} names another)`;
  }
  return undefined;
}
