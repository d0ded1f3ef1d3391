// The chat page as `sidestage serve` gives it: strict CSP, isolation, real engine, real model.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BROWSER, stage } from "./browser.js";
import type { Page } from "./drivers/driver.js";

// Bundled to tests/browser/dist.
const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const binary = process.env.SIDESTAGE_BINARY ?? join(root, "target/release/sidestage");
const box = join(root, "models/box/box.gguf");
const missing = [binary, box, join(root, "apps/chat/dist/index.html")].find(
  (path) => !existsSync(path),
);
const options = {
  ...(missing && { skip: `${missing.replace(root, "")} is missing: run cargo xtask build` }),
  timeout: 120_000,
};

/** Milliseconds that one task of the page may take. */
const LONGEST_TASK = 50;

const up = stage();
let server: ChildProcess | undefined;
let address = "";

before(async () => {
  if (missing) return;
  const started = spawn(binary, ["serve", "--port", "0"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  server = started;
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(started.stdout).once("line", resolve);
    started.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  address = /http:\S+/.exec(line)?.[0] ?? "";
});

after(() => {
  server?.kill();
});

const one = (name: string): string => `[data-testid=${name}]`;

const open = (query = ""): Promise<Page> => up.openAt(() => address + query);

/** What the console and the policy complain of. */
const problems = (): string[] => up.console.filter((line) => line.startsWith("error"));

/** Waits until so many elements are there. */
async function appears(page: Page, selector: string, count = 1): Promise<void> {
  await look(page, selector, count);
  await page.evaluate(() => window.seen);
}

/** Does something and waits until the element has come, which may be gone again. */
async function brings(page: Page, selector: string, act: () => Promise<void>): Promise<void> {
  await look(page, selector, 1);
  await act();
  await page.evaluate(() => window.seen);
}

declare global {
  interface Window {
    /** Resolves when what is looked for is there. */
    seen: Promise<void>;
  }
}

function look(page: Page, selector: string, count: number): Promise<void> {
  return page.evaluate(
    ({ selector, count }) => {
      const there = (): boolean => document.querySelectorAll(selector).length >= count;
      window.seen = new Promise((resolve) => {
        if (there()) return resolve();
        new MutationObserver((_, watch) => {
          if (!there()) return;
          watch.disconnect();
          resolve();
        }).observe(document, { subtree: true, childList: true, attributes: true });
      });
    },
    { selector, count },
  );
}

/** The text of each element. */
function texts(page: Page, selector: string): Promise<string[]> {
  return page.evaluate(
    (which) => [...document.querySelectorAll(which)].map((it) => it.textContent ?? ""),
    selector,
  );
}

const text = async (page: Page, selector: string): Promise<string> =>
  (await texts(page, selector))[0] ?? "";

const ready = (page: Page): Promise<void> =>
  appears(page, `${one("status")}[data-state=ready]`);

/** Does what begins another load, and waits for its end. */
async function loads(page: Page, act: () => Promise<void>): Promise<void> {
  await brings(page, `${one("status")}[data-state=loading]`, act);
  await ready(page);
}

const answered = (page: Page, count = 1): Promise<void> => appears(page, one("speed"), count);

async function ask(page: Page, question: string): Promise<void> {
  await page.type(one("prompt"), question);
  await page.press(one("prompt"), "Enter");
}

test("chat: the model in the box answers under a strict CSP", options, async () => {
  const policy = (await fetch(address)).headers.get("content-security-policy") ?? "";
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'/);
  assert.doesNotMatch(
    policy,
    /unsafe-inline|'unsafe-eval'|(script|worker|default)-src[^;]*(blob|data):/,
  );
  const page = await open();
  await ready(page);
  assert.match(await text(page, one("status")), /Ready · .* · in a worker · \d+ thread/);
  if (BROWSER === "webkit") {
    assert.match(await text(page, ".reason"), /^One thread: .*SharedArrayBuffer/);
  }
  await ask(page, "Hello!");
  await answered(page);
  assert.match(await text(page, one("answer")), /\p{L}{2,}/u);
  assert.match(
    await text(page, one("speed")),
    /[\d.]+ tokens\/s · first token after [\d.]+ m?s · \d+ in.*, \d+ tokens? out/,
  );
  await ask(page, "What are you?");
  await answered(page, 2);
  assert.match((await texts(page, one("speed")))[1] ?? "", /\d+ reused/);
  assert.deepEqual(problems(), []);
});

test("chat: without its worker it runs on the page, and says why", options, async () => {
  const page = await up.openAt((server) => `${server}/chat-404/chat/index.html`);
  await ready(page);
  assert.match(await text(page, one("status")), /Ready · .* · on the page · 1 thread/);
  const reasons = await texts(page, ".reason");
  assert.match(reasons[0] ?? "", /^No worker: WORKER_BLOCKED: .* status 404/);
  assert.match(reasons[1] ?? "", /^One thread: /);
  await ask(page, "Hello!");
  await answered(page);
});

// No other browser tells of long tasks.
if (BROWSER === "chromium") {
  test("chat: no task of the page is long while it loads and answers", options, async () => {
    // A machine with other work may stretch any task: once of two times has to be short.
    const longest = [];
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const page = await open();
      await appears(page, one("status"));
      await page.evaluate(() => {
        const tasks: number[] = [];
        new PerformanceObserver((list) => {
          tasks.push(...list.getEntries().map(({ duration }) => duration));
        }).observe({ type: "longtask" });
        Object.assign(window, { tasks });
      });
      await ready(page);
      await ask(page, "What can you do?");
      await answered(page);
      longest.push(
        await page.evaluate(() =>
          Math.max(0, ...(window as unknown as { tasks: number[] }).tasks),
        ),
      );
    }
    assert.ok(Math.min(...longest) <= LONGEST_TASK, `longest tasks: ${longest.join(", ")} ms`);
  });
}

for (const way of ["the Stop button", "Escape"]) {
  test(`chat: ${way} stops an answer, and the next one comes`, options, async () => {
    const page = await open();
    await ready(page);
    // From inside the page: an answer of a small model may be over before a test has looked twice.
    // Again at each change: the page hears a key only after it has been drawn.
    await page.evaluate((byKey) => {
      new MutationObserver((_, watch) => {
        const button = document.querySelector<HTMLElement>("[data-testid=stop]");
        if (document.querySelector("[data-testid=speed]")) watch.disconnect();
        else if (byKey && button)
          dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
        else button?.click();
      }).observe(document.body, { childList: true, characterData: true, subtree: true });
    }, way === "Escape");
    await ask(page, "What can you do, and what can you not do?");
    await answered(page);
    const states = (): Promise<unknown[]> =>
      page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("[data-testid=answer]")].map(
          (answer) => answer.dataset.state,
        ),
      );
    assert.deepEqual(await states(), ["stopped"]);
    assert.deepEqual(await texts(page, one("stop")), []);
    await ask(page, "Hello!");
    await answered(page, 2);
    assert.deepEqual(await states(), ["stopped", "done"]);
    assert.deepEqual(problems(), []);
  });
}

test("chat: a wrong address is explained, and the page stays usable", options, async () => {
  const page = await open("?model=models/none.gguf");
  await appears(page, one("error"));
  assert.match(await text(page, `${one("error")} code`), /^[A-Z][A-Z_]+$/);
  assert.ok((await text(page, one("hint"))).length > 10);
  await page.click(one("retry"));
  await appears(page, one("error"));
  await page.click(one("model-open"));
  await page.click(one("model-box"));
  await ready(page);
  assert.deepEqual(await texts(page, one("error")), []);
  await ask(page, "Hello!");
  await answered(page);
});

test("chat: a model by address and a model of the user's own", options, async () => {
  const page = await open();
  await ready(page);
  await page.click(one("model-open"));
  await page.type(one("model-url"), "models/box.gguf");
  await loads(page, () => page.press(one("model-url"), "Enter"));
  await page.click(one("model-open"));
  await loads(page, () => page.upload(one("model-file"), box));
  await ask(page, "Hello!");
  await answered(page);
  assert.deepEqual(problems(), []);
});

test("chat: kept models are listed, loaded and deleted", options, async () => {
  const page = await open();
  await ready(page);
  const kept = `${one("kept")} li`;
  await page.click(one("model-open"));
  await appears(page, kept);
  const [listed] = await texts(page, kept);
  assert.match(listed ?? "", /^box\.gguf[\d.]+ MBDelete$/);
  const place = BROWSER === "webkit" ? "browser's cache storage" : "site's private files";
  const storage = await text(page, one("storage"));
  assert.ok(storage.startsWith(`Kept in the ${place}`), storage);
  await loads(page, () => page.click(one("kept-load")));
  await page.click(one("model-open"));
  await appears(page, kept);
  await page.click(one("kept-delete"));
  await appears(page, `${one("kept")}:not(:has(li))`);
  // What is loaded needs its file no more.
  await page.press(one("model-url"), "Escape");
  await ask(page, "Hello!");
  await answered(page);
  assert.deepEqual(problems(), []);
});

test("chat: what is written is text, lines and all; a new chat is empty", options, async () => {
  const page = await open();
  await ready(page);
  await page.type(one("prompt"), "<b>Hello</b>");
  await page.press(one("prompt"), "Shift+Enter");
  await page.type(one("prompt"), "<img src=x onerror=alert(1)>");
  await page.press(one("prompt"), "Enter");
  await answered(page);
  assert.deepEqual(await texts(page, one("question")), [
    "You: <b>Hello</b>\n<img src=x onerror=alert(1)>",
  ]);
  assert.deepEqual(await texts(page, `${one("question")} :is(b, img)`), []);
  await page.click(one("new-chat"));
  assert.deepEqual(await texts(page, one("answer")), []);
  assert.deepEqual(problems(), []);
});
