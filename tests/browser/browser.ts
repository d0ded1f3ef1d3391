import { after, before } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type {} from "./page/inside.js";
import { serve, type TestServer } from "./server.js";

export const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser and a server for the tests of one file. */
export interface Stage {
  readonly server: TestServer;
  readonly browser: Browser;
  /** A fresh page of a site, with `window.sidestage` in it. */
  open(site: string, mode?: "worker" | "page"): Promise<Page>;
  /** What the pages and workers wrote to the console since the last `open`. */
  readonly console: string[];
}

/** Starts the stage before a file's tests and takes it down after them. */
export function stage(flags: string[] = []): Stage {
  let server: TestServer | undefined;
  let browser: Browser | undefined;
  const pages = new Set<Page>();
  const log: string[] = [];
  const take = <T>(value: T | undefined): T => {
    if (!value) throw new Error("the stage is not up");
    return value;
  };
  before(async () => {
    server = await serve();
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: [...FLAGS, ...flags],
    });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  return {
    get server() {
      return take(server);
    },
    get browser() {
      return take(browser);
    },
    console: log,
    async open(site, mode = "worker") {
      log.length = 0;
      for (const old of pages) await old.close();
      pages.clear();
      const page = await take(browser).newPage();
      pages.add(page);
      page.on("console", (message) => log.push(`${message.type()}: ${message.text()}`));
      await page.goto(`${take(server).url}/${site}/page.html`);
      await page.waitForFunction(() => window.ready === true);
      await page.evaluate((chosen) => {
        window.help.mode = chosen;
      }, mode);
      return page;
    },
  };
}

/** Waits until the page has no worker; the test's time-out tells if that never comes. */
export async function noWorkers(page: Page): Promise<void> {
  for (;;) {
    const [worker] = page.workers();
    if (!worker) return;
    await new Promise<void>((resolve) => {
      worker.once("close", () => resolve());
      if (!page.workers().includes(worker)) resolve();
    });
  }
}
