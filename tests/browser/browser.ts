import { after } from "node:test";
import type {} from "./page/inside.js";
import { startChromium } from "./drivers/chromium.js";
import type { Browser, BrowserName, Page } from "./drivers/driver.js";
import { startFirefox } from "./drivers/firefox.js";
import { startWebKit } from "./drivers/webkit.js";
import { serve, type TestServer } from "./server.js";

/** The browser that this run is about. */
export const BROWSER = (process.env.SIDESTAGE_BROWSER ?? "chromium") as BrowserName;

/** A browser and a server for tests. */
export interface Stage {
  readonly server: TestServer;
  readonly browser: Browser;
  /** A fresh page of a site, with `window.sidestage` in it. */
  open(site: string, mode?: "worker" | "page"): Promise<Page>;
  /** A fresh page of any address; `url` is given the server's. */
  openAt(url: (server: string) => string): Promise<Page>;
  /** What the pages and workers wrote to the console since the last `open`. */
  readonly console: string[];
}

let servers: Promise<TestServer> | undefined;
const browsers = new Map<string, Promise<Browser>>();
/** The last one: there is one page at a time. */
let page: Page | undefined;

async function start(flags: string[]): Promise<Browser> {
  if (BROWSER === "firefox") return startFirefox();
  if (BROWSER === "webkit") return startWebKit();
  return startChromium(flags);
}

function up(flags: string[]): Promise<[TestServer, Browser]> {
  const key = flags.join(" ");
  let browser = browsers.get(key);
  if (!browser) {
    browser = start(flags);
    browsers.set(key, browser);
  }
  servers ??= serve();
  return Promise.all([servers, browser]);
}

// One server, and one browser for each set of flags, for all tests of this process.
after(async () => {
  for (const browser of browsers.values()) await browser.then((it) => it.close());
  await servers?.then((server) => server.close());
});

/** A stage that is set when its first page is opened. `flags`: Chromium's. */
export function stage(flags: string[] = []): Stage {
  let set: [TestServer, Browser] | undefined;
  const log: string[] = [];
  const now = (): [TestServer, Browser] => {
    if (!set) throw new Error("no page was opened yet");
    return set;
  };
  const openAt: Stage["openAt"] = async (url) => {
    const [server, browser] = (set ??= await up(flags));
    await page?.close();
    log.length = 0;
    page = await browser.open((line) => log.push(line));
    await page.goto(url(server.url));
    return page;
  };
  return {
    get server() {
      return now()[0];
    },
    get browser() {
      return now()[1];
    },
    console: log,
    openAt,
    async open(site, mode = "worker") {
      const opened = await openAt((server) => `${server}/${site}/page.html`);
      await opened.evaluate(async (chosen) => {
        await window.record.loaded;
        window.help.mode = chosen;
      }, mode);
      return opened;
    },
  };
}
