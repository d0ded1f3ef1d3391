import { chromium, type Browser as Inner, type Page as Tab } from "playwright-core";
import type { Browser, Key, Page } from "./driver.js";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Chromium, for tests that look deeper than other browsers allow. */
export interface Chromium extends Browser {
  readonly inner: Inner;
}

/** Where it is. */
export const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";

/** Starts Chromium, driven over its own protocol. */
export async function startChromium(flags: string[]): Promise<Chromium> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, ...flags],
  });
  return {
    name: "chromium",
    version: browser.version(),
    inner: browser,
    async open(onConsole) {
      const context = await browser.newContext();
      const tab = await context.newPage();
      tab.on("console", (message) => onConsole(`${message.type()}: ${message.text()}`));
      tab.on("pageerror", (error) => onConsole(`error: ${error}`));
      return new ChromiumPage(tab);
    },
    close: () => browser.close(),
  };
}

/** A page of Chromium. */
export class ChromiumPage implements Page {
  readonly tab: Tab;

  constructor(tab: Tab) {
    this.tab = tab;
  }

  async goto(url: string): Promise<void> {
    await this.tab.goto(url);
  }

  async evaluate<T, A>(body: (argument: A) => T, argument?: A): Promise<Awaited<T>> {
    return (await this.tab.evaluate(body as never, argument)) as Awaited<T>;
  }

  async click(selector: string): Promise<void> {
    await this.tab.click(selector);
  }

  async type(selector: string, text: string): Promise<void> {
    await this.tab.locator(selector).pressSequentially(text);
  }

  async press(selector: string, key: Key): Promise<void> {
    await this.tab.press(selector, key);
  }

  async upload(selector: string, file: string): Promise<void> {
    await this.tab.setInputFiles(selector, file);
  }

  async noWorkers(): Promise<void> {
    for (;;) {
      const [worker] = this.tab.workers();
      if (!worker) return;
      await new Promise<void>((resolve) => {
        worker.once("close", () => resolve());
        if (!this.tab.workers().includes(worker)) resolve();
      });
    }
  }

  async close(): Promise<void> {
    await this.tab.context().close();
  }
}
