import { opened, pack, wrapped } from "./data.js";
import type { Browser, Key, Page } from "./driver.js";
import { Session } from "./webdriver.js";

/** WebDriver's names of keys. A modifier holds until the end of what is typed. */
const KEYS: Record<Key, string> = {
  Enter: "\u{E007}",
  "Shift+Enter": "\u{E008}\u{E007}",
  Escape: "\u{E00C}",
};

/** Starts WebKitGTK's browser, driven over WebDriver. It has one window, so one page at a time. */
export async function startWebKit(): Promise<Browser> {
  const session = await Session.start();
  return {
    name: "webkit",
    version: session.version,
    open: (onConsole) => Promise.resolve(new WebKitPage(session, onConsole)),
    close: () => session.close(),
  };
}

class WebKitPage implements Page {
  readonly #session: Session;
  // WebDriver tells nothing of consoles; what the tests' own pages write is kept by them.
  readonly #onConsole: (line: string) => void;

  constructor(session: Session, onConsole: (line: string) => void) {
    this.#session = session;
    this.#onConsole = onConsole;
  }

  goto(url: string): Promise<void> {
    return this.#session.goto(url);
  }

  async evaluate<T, A>(body: (argument: A) => T, argument?: A): Promise<Awaited<T>> {
    return opened<Awaited<T>>(
      (await this.#session.run(wrapped(body), pack(argument))) as string,
      this.#onConsole,
    );
  }

  click(selector: string): Promise<void> {
    return this.#session.click(selector);
  }

  type(selector: string, text: string): Promise<void> {
    return this.#session.keys(selector, text);
  }

  press(selector: string, key: Key): Promise<void> {
    return this.#session.keys(selector, KEYS[key]);
  }

  upload(selector: string, file: string): Promise<void> {
    return this.#session.keys(selector, file);
  }

  // A worker of Sidestage holds a lock for life; nothing else tells of workers here.
  noWorkers(): Promise<void> {
    return this.evaluate(async () => {
      for (;;) {
        const { held = [] } = await navigator.locks.query();
        const names = held.map(({ name = "" }) => name);
        const ours = names.filter((name) => name.startsWith("sidestage-"));
        if (ours.length === 0) return;
        for (const name of ours) await navigator.locks.request(name, () => undefined);
      }
    });
  }

  async close(): Promise<void> {
    await this.#session.goto("about:blank");
  }
}
