// `cargo xtask demo --check`: asks the page at the given address one question, as a person would.
// `node demo-check.mjs ADDRESS [QUESTION]`
import { chromium } from "playwright-core";

const [address, question = "Hello! What are you?"] = process.argv.slice(2);
if (address === undefined) {
  console.error("usage: node demo-check.mjs ADDRESS [QUESTION]");
  process.exit(2);
}

/** A large model takes its time to load. */
const LOAD_MS = 300_000;
const ANSWER_MS = 120_000;

const one = (name) => `[data-testid=${name}]`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
const problems = [];

async function conversation() {
  const page = await browser.newPage();
  page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(address);
  await page.waitForSelector(`${one("status")}[data-state=ready], ${one("error")}`, {
    timeout: LOAD_MS,
  });
  if (await page.locator(one("error")).count()) {
    throw new Error(`the page says: ${await page.textContent(one("error"))}`);
  }
  console.log(await page.textContent(one("status")));
  await page.fill(one("prompt"), question);
  await page.press(one("prompt"), "Enter");
  await page.waitForSelector(one("speed"), { timeout: ANSWER_MS });
  const answer = (await page.textContent(one("answer"))).trim();
  console.log(`  > ${question}\n  ${answer}\n  ${await page.textContent(one("speed"))}`);
  if (!/\p{L}{2,}/u.test(answer)) throw new Error("the answer has no word in it");
  if (problems.length > 0) throw new Error("the page complained");
}

let failure;
try {
  await conversation();
} catch (error) {
  failure = error;
} finally {
  await browser.close();
}
if (failure !== undefined) {
  for (const problem of problems) console.log(`  console: ${problem}`);
  console.error(`the demo did not answer: ${failure.message}`);
}
console.log(failure === undefined ? "1 passed, 0 failed" : "0 passed, 1 failed");
process.exit(failure === undefined ? 0 : 1);
