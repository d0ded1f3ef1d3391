import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { type Hub, type Repository, startHub } from "./hub/server.js";
import { MODELS, serve, type TestServer } from "./server.js";

// What needs a profile on the disk, the browser's own protocol or two real tabs.

const NAME = "stories260K-F32.gguf";
const SIZE = 1_054_496;
// Bundled to tests/browser/dist.
const BOX = fileURLToPath(new URL("../../../models/box/box.gguf", import.meta.url));
const options = { skip: MODELS ? false : "SIDESTAGE_TESTDATA is not set", timeout: 60_000 };

let hub: Hub;
let server: TestServer;
let folder: string;
let context: BrowserContext;

before(async () => {
  if (!MODELS) return;
  folder = mkdtempSync(join(tmpdir(), "sidestage-profile-"));
  [hub, server, context] = await Promise.all([
    startHub(3),
    serve(),
    chromium.launchPersistentContext(folder, {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: ["--no-sandbox"],
    }),
  ]);
});

after(async () => {
  await context?.close();
  await Promise.all([hub?.close(), server?.close()]);
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function story(faults = {}): Repository {
  return hub.repository({ [NAME]: readFileSync(join(MODELS ?? "", NAME)) }, faults);
}

async function open(site: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${server.url}/${site}/page.html`);
  await page.waitForFunction(() => "help" in window);
  return page;
}

function load(page: Page, source: string) {
  return page.evaluate(
    async ([from, hubUrl]) => {
      const model = await window.help.load({ hubUrl }, from);
      const { info } = model;
      await model.dispose();
      const kept = (await window.sidestage.listModels()).filter((it) => it.source === from);
      return { info, kept };
    },
    [source, hub.url] as const,
  );
}

for (const [site, backend] of [
  ["hub", "opfs"],
  ["hub-cache-api", "cache-api"],
] as const) {
  test(`room (${backend}): a full disk is a reason, not a failure`, options, async () => {
    const page = await open(site);
    const repository = story();
    const protocol = await context.newCDPSession(page);
    const { usage = 0 } = await page.evaluate(() => navigator.storage.estimate());
    const origin = server.url;
    await protocol.send("Storage.overrideQuotaForOrigin", {
      origin,
      quotaSize: usage + SIZE / 2,
    });
    const { info, kept } = await load(page, repository.source);
    assert.match(info.cacheReason ?? "", /QUOTA_EXCEEDED|room|space|quota/i);
    assert.deepEqual(kept, [], "nothing half-made is left");
    await protocol.send("Storage.overrideQuotaForOrigin", { origin });
    const again = await load(page, repository.source);
    assert.equal(again.kept[0]?.complete, true);
    assert.equal(repository.sent(), 2 * SIZE);
    await page.close();
  });
}

test("room: two tabs at once, one download", options, async () => {
  const repository = story();
  const [a, b] = await Promise.all([open("hub"), open("hub")]);
  const both = await Promise.all([load(a, repository.source), load(b, repository.source)]);
  assert.equal(repository.sent(), SIZE);
  for (const { kept } of both) assert.equal(kept[0]?.complete, true);
  await Promise.all([a.close(), b.close()]);
});

test("room: a tab that is closed in mid-download leaves what it has", options, async () => {
  const repository = story({ stallAt: SIZE / 2 });
  const a = await open("hub");
  const half = a.waitForEvent("console", (message) => message.text() === "half");
  const gone = a
    .evaluate(
      ([source, hubUrl]) =>
        window.help.load(
          {
            hubUrl,
            onProgress: ({ loadedBytes }) => {
              if (loadedBytes > 1000) console.debug("half");
            },
          },
          source,
        ),
      [repository.source, hub.url] as const,
    )
    .catch(() => undefined);
  await half;
  await a.close();
  await gone;
  const b = await open("hub");
  const { kept } = await load(b, repository.source);
  assert.equal(kept[0]?.complete, true);
  assert.match(repository.ranges()[1] ?? "", /^bytes=[1-9]\d+-$/);
  await b.close();
});

// Chromium once collected what a worker was waiting for: a kept file's stream, and the handle of a file
// that it was opening.
test("room: memory that is collected in mid-load holds nothing up", options, async () => {
  const page = await open("hub");
  const source = hub.repository({ "box.gguf": readFileSync(BOX) }).source;
  await load(page, source);
  const session = await context.newCDPSession(page);
  const workers = new Set<string>();
  let heard = (): void => undefined;
  session.on("Target.attachedToTarget", ({ sessionId }) => {
    workers.add(sessionId);
    heard();
  });
  session.on("Target.detachedFromTarget", ({ sessionId }) => {
    workers.delete(sessionId);
    heard();
  });
  session.on("Target.receivedMessageFromTarget", () => heard());
  await session.send("Target.setAutoAttach", {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  let loading = true;
  let collected = 0;
  const loads = page
    .evaluate(
      async ([from, hubUrl]) => {
        for (let round = 0; round < 12; round += 1) {
          await (await window.help.load({ hubUrl, threads: 1 }, from)).dispose();
        }
      },
      [source, hub.url] as const,
    )
    .finally(() => {
      loading = false;
      heard();
    });
  while (loading) {
    const message = JSON.stringify({ id: collected, method: "HeapProfiler.collectGarbage" });
    const answer = new Promise<void>((resolve) => (heard = resolve));
    const sent = [...workers].map((sessionId) =>
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => undefined),
    );
    await Promise.all(sent);
    if (loading) await answer;
    collected += 1;
  }
  await loads;
  assert.ok(collected > 50, `${collected} collections`);
  await page.close();
});
