/**
 * Chromium, as all measurements start it.
 */
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-renderer-backgrounding",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  // A sandbox needs rights that root in a container does not have.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

/** `more`: further flags. */
export function launch(more = []) {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: [...FLAGS, ...more] });
}

/** A browser with a profile on the disk; gives its only context. */
export function launchProfile(folder) {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  return chromium.launchPersistentContext(folder, { executablePath, args: FLAGS });
}
