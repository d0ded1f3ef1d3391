// The chat page as `sidestage serve` gives it: strict CSP, isolation, real engine, real model.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const binary = process.env.SIDESTAGE_BINARY ?? `${root}target/release/sidestage`;
const box = `${root}models/box/box.gguf`;
const page = `${root}apps/chat/dist/index.html`;
const missing = [binary, box, page].find((path) => !existsSync(path));
const options = {
  skip: missing && `${missing.replace(root, "")} is missing: run cargo xtask build`,
  timeout: 120_000,
};

/** Milliseconds that one task of the page may take. */
const LONGEST_TASK = 50;

let server;
let browser;
let address;

before(async () => {
  if (missing) return;
  server = spawn(binary, ["serve", "--port", "0"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: server.stdout });
  const [line] = await new Promise((done, fail) => {
    lines.once("line", (text) => done([text]));
    server.once("exit", (code) => fail(new Error(`the server ended with ${code}`)));
  });
  address = /http:\S+/.exec(line)[0];
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
});

after(async () => {
  await browser?.close();
  server?.kill();
});

const one = (name) => `[data-testid=${name}]`;

/** Opens the page; `problems` gathers what the console and the CSP complain of. */
async function open(query = "") {
  const context = await browser.newContext();
  const tab = await context.newPage();
  const problems = [];
  tab.on("console", (line) => line.type() === "error" && problems.push(line.text()));
  tab.on("pageerror", (error) => problems.push(String(error)));
  await tab.addInitScript(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        window.longTasks.push({ startTime, duration });
      }
    }).observe({ type: "longtask", buffered: true });
  });
  const response = await tab.goto(address + query);
  return { tab, problems, response, close: () => context.close() };
}

async function ready(tab) {
  await tab.waitForSelector(`${one("status")}[data-state=ready]`, { timeout: 60_000 });
}

async function ask(tab, question) {
  await tab.fill(one("prompt"), question);
  await tab.press(one("prompt"), "Enter");
}

async function answered(tab, count = 1) {
  await tab.waitForFunction(
    ([speed, wanted]) => document.querySelectorAll(speed).length >= wanted,
    [one("speed"), count],
    { timeout: 60_000 },
  );
}

test("the model in the box answers under a strict CSP", options, async () => {
  const { tab, problems, response, close } = await open();
  const policy = response.headers()["content-security-policy"] ?? "";
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'/);
  assert.doesNotMatch(
    policy,
    /unsafe-inline|'unsafe-eval'|(script|worker|default)-src[^;]*(blob|data):/,
  );
  await ready(tab);
  assert.match(await tab.textContent(one("status")), /Ready · .* · in a worker · \d+ thread/);
  await ask(tab, "Hello!");
  await answered(tab);
  const answer = await tab.textContent(one("answer"));
  assert.match(answer, /\p{L}{2,}/u);
  assert.match(
    await tab.textContent(one("speed")),
    /[\d.]+ tokens\/s · first token after [\d.]+ m?s · \d+ in.*, \d+ tokens? out/,
  );
  await ask(tab, "What are you?");
  await answered(tab, 2);
  assert.match(await tab.locator(one("speed")).nth(1).textContent(), /\d+ reused/);
  assert.deepEqual(problems, []);
  await close();
});

test("no task of the page is long while it loads and answers", options, async () => {
  // A machine with other work may stretch any task: once of two times has to be short.
  const longest = [];
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const { tab, close } = await open();
    await tab.waitForSelector(one("status"));
    const start = await tab.evaluate(() => performance.now());
    await ready(tab);
    await ask(tab, "What can you do?");
    await answered(tab);
    const tasks = await tab.evaluate(() => window.longTasks);
    const during = tasks.filter(({ startTime }) => startTime > start);
    longest.push(Math.max(0, ...during.map(({ duration }) => duration)));
    await close();
  }
  assert.ok(Math.min(...longest) <= LONGEST_TASK, `longest tasks: ${longest.join(", ")} ms`);
});

for (const [name, press] of [
  ["the Stop button", () => document.querySelector("[data-testid=stop]").click()],
  [
    "Escape",
    () => window.dispatchEvent(new window.KeyboardEvent("keydown", { key: "Escape" })),
  ],
]) {
  test(`${name} stops an answer, and the next one comes`, options, async () => {
    const { tab, problems, close } = await open();
    await ready(tab);
    // From inside the page: an answer of a small model may be over before a test has looked twice.
    await tab.evaluate(`new MutationObserver((_, watch) => {
      const answer = document.querySelector("[data-testid=answer]");
      if (!answer?.textContent) return;
      watch.disconnect();
      (${press})();
    }).observe(document.body, { childList: true, characterData: true, subtree: true })`);
    await ask(tab, "What can you do, and what can you not do?");
    await answered(tab);
    assert.equal(await tab.getAttribute(one("answer"), "data-state"), "stopped");
    assert.equal(await tab.isVisible(one("stop")), false);
    await ask(tab, "Hello!");
    await answered(tab, 2);
    assert.equal(await tab.locator(one("answer")).nth(1).getAttribute("data-state"), "done");
    assert.deepEqual(problems, []);
    await close();
  });
}

test("a wrong address is explained, and the page stays usable", options, async () => {
  const { tab, close } = await open("?model=models/none.gguf");
  await tab.waitForSelector(one("error"));
  assert.match(await tab.textContent(`${one("error")} code`), /^[A-Z][A-Z_]+$/);
  assert.ok((await tab.textContent(one("hint"))).length > 10);
  await tab.click(one("retry"));
  await tab.waitForSelector(one("error"));
  await tab.click(one("model-open"));
  await tab.click(one("model-box"));
  await ready(tab);
  assert.equal(await tab.isVisible(one("error")), false);
  await ask(tab, "Hello!");
  await answered(tab);
  await close();
});

test("a model by address and a model of the user's own", options, async () => {
  const { tab, problems, close } = await open();
  await ready(tab);
  await tab.click(one("model-open"));
  await tab.fill(one("model-url"), "models/box.gguf");
  await tab.press(one("model-url"), "Enter");
  await tab.waitForSelector(`${one("status")}[data-state=loading]`);
  await ready(tab);
  await tab.click(one("model-open"));
  await tab.setInputFiles(one("model-file"), box);
  await tab.waitForSelector(`${one("status")}[data-state=loading]`);
  await ready(tab);
  await ask(tab, "Hello!");
  await answered(tab);
  assert.deepEqual(problems, []);
  await close();
});

test("what is written is text, lines and all, and a new chat is empty", options, async () => {
  const { tab, problems, close } = await open();
  await ready(tab);
  await tab.focus(one("prompt"));
  await tab.keyboard.type("<b>Hello</b>");
  await tab.keyboard.press("Shift+Enter");
  await tab.keyboard.type("<img src=x onerror=alert(1)>");
  await tab.keyboard.press("Enter");
  await answered(tab);
  const question = tab.locator(one("question"));
  assert.equal(await question.textContent(), "You: <b>Hello</b>\n<img src=x onerror=alert(1)>");
  assert.equal(await question.locator("b, img").count(), 0);
  await tab.click(one("new-chat"));
  assert.equal(await tab.locator(one("answer")).count(), 0);
  assert.deepEqual(problems, []);
  await close();
});
