import type { BrowserName } from "./drivers/driver.js";
import { KINDS, type Table } from "./matrix.js";

const BROWSERS: Record<BrowserName, string> = {
  chromium: "Chromium",
  firefox: "Firefox",
  webkit: "WebKitGTK",
};
const names = Object.keys(BROWSERS) as BrowserName[];

const INTRODUCTION = `# Browsers

Measured by \`tests/browser/matrix.test.ts\` in each browser; a test fails when this page says anything else. Sidestage needs a browser with WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4, or newer. The rest is found by trying, and what is not there has its reason in \`capabilities()\`: \`fallbackReason\`, \`threadsReason\`, \`cacheReason\`.

WebKitGTK stands for the worst case: Safari has the same engine, and besides SharedArrayBuffer on isolated pages and OPFS. The tests drive it in a private session, as WebDriver starts it: that keeps what is in the Cache API only as long as a page or a worker has the cache open. In an ordinary profile a model stays: WebKitGTK 2.50.6, started by hand, loaded it without a byte of its file from the network in the next page, and again after the browser had been closed and started anew.

`;

const PAGES = `
## Pages

What \`loadModel(url, { fallback: true, threads: 2 })\` comes to: where the engine runs, which wasm file, how many threads, where files are kept. Without \`fallback\`, whatever says "page" with a reason is that error instead. [headers.md](headers.md) says how to send the headers.

`;

const LADDER = `
The order is always the same: the worker's own file; only on a page without an origin, which browsers do not let start it, a copy of it as a \`blob:\` (its policy must have \`worker-src blob:\`); then, if \`fallback\` allows it, the page's own thread.
`;

/** The page for people: browsers by features, browsers by kinds of pages. */
export function describe(table: Table): string {
  const reasons: string[] = [];
  const note = (reason: string): string => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return `[${reasons.indexOf(reason) + 1}]`;
  };
  const short = (outcome: string | undefined): string =>
    (outcome ?? "not measured").replace(/\[(.*?)\](?=,|$)/g, (_, reason: string) =>
      note(reason),
    );
  const head = (first: string): string =>
    row([
      first,
      ...names.map((name) => `${BROWSERS[name]} ${table.versions[name] ?? ""}`.trim()),
    ]) + row(["---", ...names.map(() => "---")]);
  const has = { true: "yes", false: "no" };
  const features = Object.entries(table.features).map(([feature, cells]) =>
    row([feature, ...names.map((name) => has[`${cells[name] ?? false}`])]),
  );
  const pages = KINDS.map(({ name }) =>
    row([name, ...names.map((browser) => short(table.pages[name]?.[browser]))]),
  );
  const notes = reasons.map((reason, at) => `${at + 1}. ${reason}\n`).join("");
  return [
    INTRODUCTION,
    head("feature"),
    ...features,
    PAGES,
    head("page"),
    ...pages,
    "\nReasons:\n\n",
    notes,
    LADDER,
  ].join("");
}

function row(cells: string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}
