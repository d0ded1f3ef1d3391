import type { Page as Tab, WebWorker } from "puppeteer-core";
import { opened, pack, wrapped } from "./data.js";
import type { Browser, Key, Page } from "./driver.js";

/** Where it is. */
export const FIREFOX = process.env.FIREFOX || "/usr/bin/firefox-esr";

/** Starts Firefox, driven over WebDriver BiDi. */
export async function startFirefox(): Promise<Browser> {
  const { launch } = await import("puppeteer-core");
  const browser = await launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    protocolTimeout: 300_000,
  });
  return {
    name: "firefox",
    version: (await browser.version()).replace("firefox/", ""),
    async open(onConsole) {
      const context = await browser.createBrowserContext();
      const tab = await context.newPage();
      tab.on("console", (message) => onConsole(`${message.type()}: ${message.text()}`));
      tab.on("pageerror", (error) => onConsole(`error: ${String(error)}`));
      return new FirefoxPage(tab);
    },
    close: () => browser.close(),
  };
}

class FirefoxPage implements Page {
  readonly #tab: Tab;

  constructor(tab: Tab) {
    this.#tab = tab;
  }

  async goto(url: string): Promise<void> {
    await this.#tab.goto(url);
  }

  async evaluate<T, A>(body: (argument: A) => T, argument?: A): Promise<Awaited<T>> {
    const call = `(${wrapped(body)})(${JSON.stringify(pack(argument))})`;
    return opened<Awaited<T>>((await this.#tab.evaluate(call)) as string);
  }

  async click(selector: string): Promise<void> {
    await this.#tab.click(selector);
  }

  async type(selector: string, text: string): Promise<void> {
    await this.#tab.type(selector, text);
  }

  async press(selector: string, key: Key): Promise<void> {
    await this.#tab.focus(selector);
    const { keyboard } = this.#tab;
    if (key !== "Shift+Enter") return keyboard.press(key);
    await keyboard.down("Shift");
    await keyboard.press("Enter");
    await keyboard.up("Shift");
  }

  async upload(selector: string, file: string): Promise<void> {
    const input = await this.#tab.$(selector);
    await (input as unknown as { uploadFile(file: string): Promise<void> }).uploadFile(file);
  }

  async noWorkers(): Promise<void> {
    const gone = (worker: WebWorker): Promise<void> =>
      new Promise((resolve) => {
        const done = (other: WebWorker): void => {
          if (other !== worker) return;
          this.#tab.off("workerdestroyed", done);
          resolve();
        };
        this.#tab.on("workerdestroyed", done);
        if (!this.#tab.workers().includes(worker)) done(worker);
      });
    for (;;) {
      const [worker] = this.#tab.workers();
      if (!worker) return;
      await gone(worker);
    }
  }

  async close(): Promise<void> {
    await this.#tab.browserContext().close();
  }
}
