import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { BROWSER, stage } from "./browser.js";
import type { Page } from "./drivers/driver.js";
import { type Faults, type Hub, type Repository, startHub } from "./hub/server.js";
import { split } from "./hub/split.js";
import { holdCache } from "./private.js";
import { MODELS } from "./server.js";
import { type Mode, withPage } from "./suite.js";

const up = stage();
let hub: Hub;
before(async () => {
  hub = await startHub();
});
after(async () => {
  await hub.close();
});

const NAME = "stories260K-F32.gguf";
const SIZE = 1_054_496;
const HALF = 500_000;

function story(faults: Faults = {}): Repository {
  return hub.repository({ [NAME]: readFileSync(join(MODELS ?? "", NAME)) }, faults);
}

/** One test on a fresh page, which holds what is kept. */
function onPage(
  name: string,
  site: string,
  mode: Mode,
  body: (page: Page) => Promise<void>,
): void {
  withPage(up, name, site, mode, async (page) => {
    await holdCache(page);
    await body(page);
  });
}

interface Load {
  source: string;
  cache?: "default" | "no-store" | "reload" | "force-cache" | "only-if-cached";
  hubUrl?: string;
}

/** What came of a load; the model is gone again. */
function load(page: Page, options: Load) {
  return page.evaluate(
    async ({ source, ...rest }) => {
      const seen: { loadedBytes: number; cachedBytes: number }[] = [];
      let info: Awaited<ReturnType<typeof window.help.load>>["info"] | undefined;
      let text = "";
      const error = await window.help.caught(async () => {
        const model = await window.help.load(
          { ...rest, onProgress: (progress) => seen.push(progress) },
          source,
        );
        info = model.info;
        const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
        text = (await window.sidestage.generateText(how)).text;
        await model.dispose();
      });
      const monotone = seen.every(
        ({ loadedBytes, cachedBytes }, i) =>
          loadedBytes >= (seen[i - 1]?.loadedBytes ?? 0) &&
          cachedBytes >= (seen[i - 1]?.cachedBytes ?? 0),
      );
      return { code: error?.code ?? null, message: error?.message, text, info, monotone };
    },
    { hubUrl: hub.url, ...options },
  );
}

const TEXT = ", there was a";

/** Where the readings after the first began. */
function continued(repository: Repository): number[] {
  const [first, ...rest] = repository.ranges();
  assert.equal(first, undefined);
  return rest.map((range) => {
    const offset = /^bytes=(\d+)-$/.exec(range ?? "")?.[1];
    assert.ok(Number(offset) > 0, range);
    return Number(offset);
  });
}

/** A load that must succeed. */
async function good(page: Page, options: Load) {
  const out = await load(page, options);
  assert.equal(out.code, null, out.message);
  assert.equal(out.text, TEXT);
  assert.ok(out.monotone, "progress went back");
  assert.deepEqual(hub.refused, []);
  return out.info!;
}

/** Where the models of each site are kept. WebKitGTK has no private file system. */
const PLACES =
  BROWSER === "webkit" ? { hub: "cache-api" } : { hub: "opfs", "hub-cache-api": "cache-api" };

for (const [site, name] of Object.entries(PLACES)) {
  const concern = `hub (${name})`;

  onPage(`${concern}: the second load asks for no weights`, site, "worker", async (page) => {
    const repository = story();
    const source = repository.source;
    const first = await good(page, { source });
    assert.equal(first.cache, name);
    assert.equal(first.cacheReason === null, name === "opfs", first.cacheReason ?? "");
    assert.equal(first.downloadedBytes >= SIZE, true);
    assert.equal(repository.sent(), SIZE);
    const second = await good(page, { source });
    assert.equal(repository.sent(), SIZE, "no byte of a file was sent again");
    assert.ok(second.cachedBytes >= SIZE);
    const files = [{ file: NAME, bytes: SIZE, length: SIZE, complete: true }];
    const [list, report, freed, empty] = await page.evaluate(async (name) => {
      const { listModels, storageEstimate, deleteModel } = window.sidestage;
      const mine = async () => (await listModels()).filter((model) => model.source === name);
      const models = await mine();
      const storage = await storageEstimate();
      return [models, storage, await deleteModel(name), await mine()] as const;
    }, source);
    assert.equal(list.length, 1);
    assert.deepEqual([list[0]?.files, list[0]?.bytes, list[0]?.complete], [files, SIZE, true]);
    assert.ok(list[0]!.used >= list[0]!.created);
    assert.equal(report.backend, name);
    assert.ok((report.usage ?? SIZE) >= SIZE);
    assert.ok(freed >= SIZE);
    assert.equal(empty.length, 0);
    await good(page, { source });
    assert.equal(repository.sent(), 2 * SIZE);
  });

  onPage(
    `${concern}: a cut download continues by a range, and the rest is not asked again`,
    site,
    "worker",
    async (page) => {
      const repository = story({ cutAt: [HALF, HALF + 100_000] });
      await good(page, { source: repository.source });
      const offsets = continued(repository);
      assert.ok(offsets.length === 2 && offsets[0]! <= HALF && offsets[1]! > offsets[0]!);
      const { length } = repository.asked;
      await good(page, { source: repository.source });
      assert.equal(repository.ranges().length, 3);
      assert.ok(repository.asked.length > length);
    },
  );

  onPage(
    `${concern}: a worker that dies in mid-download leaves what it has`,
    site,
    "worker",
    async (page) => {
      const repository = story({ stallAt: HALF });
      const code = await page.evaluate(
        async ({ source, hubUrl }) => {
          const workers: Worker[] = [];
          const worker = (): Worker => {
            const made = new Worker("dist/sidestage-worker.js", { type: "module" });
            workers.push(made);
            return made;
          };
          const onProgress = ({ loadedBytes }: { loadedBytes: number }): void => {
            if (loadedBytes > 1000) workers[0]?.terminate();
          };
          const loading = window.help.load({ hubUrl, worker, onProgress }, source);
          return (await window.help.caught(loading))?.code;
        },
        { source: repository.source, hubUrl: hub.url },
      );
      assert.equal(code, "WORKER_TERMINATED");
      await good(page, { source: repository.source });
      const [first, second] = repository.ranges();
      assert.equal(first, undefined);
      // Parts of 32 MiB are put when they are full: nothing was kept of this small file.
      if (name === "opfs") assert.match(second ?? "", /^bytes=[1-9]\d+-$/);
      await good(page, { source: repository.source });
      assert.equal(repository.ranges().length, 2);
    },
  );

  onPage(`${concern}: two at once, one download`, site, "worker", async (page) => {
    const repository = story();
    const texts = await page.evaluate(
      async ({ source, hubUrl }) => {
        const one = async (): Promise<string> => {
          const model = await window.help.load({ hubUrl }, source);
          const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
          const { text } = await window.sidestage.generateText(how);
          await model.dispose();
          return text;
        };
        return Promise.all([one(), one(), one()]);
      },
      { source: repository.source, hubUrl: hub.url },
    );
    assert.deepEqual(texts, [TEXT, TEXT, TEXT]);
    assert.equal(repository.sent(), SIZE);
  });

  onPage(
    `${concern}: a model that is being loaded is not deleted`,
    site,
    "worker",
    async (page) => {
      const repository = story({ stallAt: HALF });
      const out = await page.evaluate(
        async ({ source, hubUrl }) => {
          const { deleteModel } = window.sidestage;
          const stop = new AbortController();
          let half = (): void => undefined;
          const begun = new Promise<void>((resolve) => (half = resolve));
          const loading = window.help.caught(
            window.help.load(
              {
                hubUrl,
                signal: stop.signal,
                onProgress: ({ loadedBytes }) => loadedBytes > 1000 && half(),
              },
              source,
            ),
          );
          await begun;
          const refused = await window.help.caught(deleteModel(source));
          stop.abort();
          await loading;
          await window.help.caught(deleteModel(source));
          return refused?.code;
        },
        { source: repository.source, hubUrl: hub.url },
      );
      assert.equal(out, "MODEL_IN_USE");
    },
  );

  onPage(
    `${concern}: a file that changed is fetched anew, one that did not is not`,
    site,
    "worker",
    async (page) => {
      const repository = story({ exposed: true });
      const source = repository.plain(NAME);
      await good(page, { source });
      await good(page, { source });
      assert.equal(repository.sent(), SIZE);
      const [head] = repository.asked.slice(-1);
      assert.deepEqual([head?.method, head?.range], ["HEAD", undefined]);
      repository.faults.etags = ['"other"'];
      await good(page, { source });
      assert.equal(repository.sent(), 2 * SIZE);
      await good(page, { source, cache: "only-if-cached" });
      assert.equal(repository.asked.at(-1)?.method, "GET", "nothing was asked");
    },
  );

  onPage(`${concern}: without a network a hub's model loads`, site, "worker", async (page) => {
    const gone = await startHub(7);
    const repository = gone.repository({ [NAME]: readFileSync(join(MODELS ?? "", NAME)) });
    const source = repository.source;
    await good(page, { source, hubUrl: gone.url });
    await gone.close();
    const again = await good(page, { source, hubUrl: gone.url });
    assert.ok(again.cachedBytes >= SIZE);
  });
}

const one = (
  name: string,
  faults: Faults,
  body: (page: Page, repository: Repository) => Promise<void>,
): void => onPage(`hub: ${name}`, "hub", "worker", (page) => body(page, story(faults)));

one(
  "a hub that refuses ranges sends all again, and it is one file",
  {
    cutAt: [HALF],
    ranges: "ignored",
  },
  async (page, repository) => {
    await good(page, { source: repository.source });
    assert.equal(continued(repository).length, 1);
    assert.equal(repository.sent(), HALF + SIZE);
    await good(page, { source: repository.source });
    assert.equal(repository.sent(), HALF + SIZE);
  },
);

one(
  "a hub that answers a range with 416 is asked for the whole",
  {
    cutAt: [HALF],
    ranges: "refused",
  },
  async (page, repository) => {
    await good(page, { source: repository.source });
    const [first, second, third, ...more] = repository.ranges();
    assert.deepEqual([first, third, more], [undefined, undefined, []]);
    assert.match(second ?? "", /^bytes=\d+-$/);
  },
);

one(
  "a file that changes in mid-download begins again",
  {
    exposed: true,
    cutAt: [HALF],
    etags: ['"1"', '"2"'],
  },
  async (page, repository) => {
    await good(page, { source: repository.plain(NAME) });
    const [first, second, third, ...more] = repository.ranges();
    assert.deepEqual([first, third, more], [undefined, undefined, []]);
    assert.match(second ?? "", /^bytes=\d+-$/);
  },
);

one(
  "headers that are hidden are not needed",
  { exposed: false, cutAt: [HALF] },
  async (page, repository) => {
    const source = repository.plain(NAME);
    await good(page, { source });
    await good(page, { source });
    assert.equal(continued(repository).length, 1);
  },
);

one(
  "a wrong hash is told, and nothing is kept",
  { sha256: "0".repeat(64) },
  async (page, repository) => {
    const out = await load(page, { source: repository.source });
    assert.equal(out.code, "CHECKSUM_MISMATCH", out.message);
    const kept = await page.evaluate(
      async (source) =>
        (await window.sidestage.listModels()).filter((it) => it.source === source),
      repository.source,
    );
    assert.deepEqual(kept, []);
  },
);

one(
  "a first request that nobody answers is made again",
  { lost: "until asked" },
  async (page, repository) => {
    if (await page.evaluate(() => navigator.onLine)) {
      await good(page, { source: repository.plain(NAME) });
      return;
    }
    // A browser that says it has no network is believed.
    const out = await load(page, { source: repository.plain(NAME) });
    assert.equal(out.code, "NETWORK_ERROR", out.message);
  },
);

one("a busy hub is asked again when it says", { busy: 1 }, async (page, repository) => {
  await good(page, { source: repository.source });
  assert.equal(repository.ranges().length, 2);
});

one("a broken hub is asked again", { broken: 2 }, async (page, repository) => {
  await good(page, { source: repository.source });
  assert.equal(repository.ranges().length, 3);
});

one(
  "a wrong length is not taken for the whole file",
  { wrongLength: 1000 },
  async (page, repository) => {
    const out = await load(page, { source: repository.plain(NAME) });
    assert.ok(out.code === null || out.code === "DOWNLOAD_TRUNCATED", out.code ?? "");
  },
);

one(
  "a compressed transfer is kept as the file it is",
  { gzip: true },
  async (page, repository) => {
    await good(page, { source: repository.source });
    await good(page, { source: repository.source });
    assert.equal(repository.sent(), SIZE);
  },
);

one(
  "a hub without an API is asked for the file itself",
  { noApi: true },
  async (page, repository) => {
    await good(page, { source: `${repository.source}/${NAME}` });
    await good(page, { source: `${repository.source}/${NAME}` });
    assert.equal(repository.sent(), SIZE);
  },
);

one("cache options mean what fetch's mean", {}, async (page, repository) => {
  const { source } = repository;
  const none = await load(page, { source, cache: "only-if-cached" });
  assert.equal(none.code, "NOT_CACHED", none.message);
  assert.equal(repository.sent(), 0);
  const unkept = await good(page, { source, cache: "no-store" });
  assert.equal(unkept.cache, "none");
  assert.equal((await load(page, { source, cache: "only-if-cached" })).code, "NOT_CACHED");
  await good(page, { source });
  const before = repository.asked.length;
  await good(page, { source, cache: "only-if-cached" });
  assert.equal(repository.asked.length, before, "nothing was asked");
  await good(page, { source, cache: "reload" });
  assert.equal(repository.sent(), 3 * SIZE);
});

onPage(
  "hub: where nothing can be kept it loads, and says why",
  "hub-memory",
  "worker",
  async (page) => {
    const repository = story();
    const info = await good(page, { source: repository.source });
    assert.equal(info.cache, "memory");
    assert.match(info.cacheReason ?? "", /private file system.*Cache API.*SecurityError/);
    await good(page, { source: repository.source });
    assert.equal(repository.sent(), 2 * SIZE);
    const found = await page.evaluate(async () => {
      const { capabilities, listModels, deleteModel, storageEstimate } = window.sidestage;
      const { cache, cacheReason } = await capabilities();
      const list = await listModels();
      const freed = await deleteModel("hf:owner/name");
      return { cache, cacheReason, list, freed, storage: await storageEstimate() };
    });
    assert.deepEqual([found.cache, found.list, found.freed], ["memory", [], 0]);
    assert.equal(found.storage.backend, "memory");
    assert.equal(found.storage.reason, found.cacheReason);
  },
);

onPage(
  "hub: a page without an origin keeps nothing and says why",
  "sandbox",
  "worker",
  async (page) => {
    const repository = story();
    const info = await good(page, { source: repository.source });
    assert.equal(info.cache, "memory");
    assert.ok(info.cacheReason);
  },
);

onPage("hub: in page mode the Cache API keeps the model", "hub", "page", async (page) => {
  const repository = story();
  const info = await good(page, { source: repository.source });
  assert.equal(info.cache, "cache-api");
  assert.match(info.cacheReason ?? "", /private file system/);
  await good(page, { source: repository.source });
  assert.equal(repository.sent(), SIZE);
});

onPage("hub: a worker that comes back does not reload", "hub", "worker", async (page) => {
  const repository = story();
  await page.evaluate(
    async ({ source, hubUrl }) => {
      const model = await window.help.load(
        { hubUrl, cache: "reload", workerOptions: { terminateOnIdle: true, idleMs: 1 } },
        source,
      );
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      await window.sidestage.generateText(how);
      Object.assign(window, { how });
    },
    { source: repository.source, hubUrl: hub.url },
  );
  await page.noWorkers();
  assert.equal(repository.sent(), SIZE);
  const again = await page.evaluate(async () => {
    const { how } = window as unknown as { how: { model: never; prompt: string } };
    return (await window.sidestage.generateText(how)).text;
  });
  assert.equal(again, TEXT);
  assert.equal(repository.sent(), SIZE, "what was just kept is used");
});

/** The story model as Hugging Face has it, its weights as F32. */
function folder(): Record<string, Buffer> {
  const place = join(MODELS ?? "", "stories260K-hf");
  return Object.fromEntries(
    readdirSync(place).map((name) => [name, readFileSync(join(place, name))]),
  );
}

function parts(): Record<string, Buffer> {
  return split(NAME, readFileSync(join(MODELS ?? "", NAME)), 3);
}

onPage("hub: a split model, whichever part is named", "hub", "worker", async (page) => {
  const files = parts();
  const repository = hub.repository(files);
  const [first, second] = Object.keys(files) as [string, string];
  const info = await good(page, { source: `${repository.source}/${second}` });
  assert.deepEqual(info.files, Object.keys(files));
  const readings = repository.ranges().length;
  await good(page, { source: `${repository.source}/${first}` });
  await good(page, { source: repository.source });
  assert.equal(repository.ranges().length, readings);
  delete repository.files[second];
  const lacking = await load(page, { source: repository.plain(first) });
  assert.ok(["MODEL_INCOMPLETE", "NOT_FOUND"].includes(lacking.code ?? ""), lacking.message);
});

onPage("hub: a list of files in pages", "hub", "worker", async (page) => {
  const repository = hub.repository(folder(), { page: 2 });
  const pages = Math.ceil(Object.keys(repository.files).length / 2);
  const lists = (): number =>
    repository.asked.filter(({ path }) => path.includes("/tree/")).length;
  const info = await good(page, { source: repository.source });
  assert.ok(info.files.includes("model.safetensors"));
  assert.equal(lists(), pages);
  await good(page, { source: repository.source });
  assert.equal(lists(), pages, "all pages are kept");
});

onPage("hub: a folder of Hugging Face", "hub", "worker", async (page) => {
  const repository = hub.repository(folder());
  const info = await good(page, { source: repository.source });
  assert.ok(info.files.includes("model.safetensors"));
  const sent = repository.sent();
  await good(page, { source: repository.source });
  assert.equal(repository.sent(), sent);
  await good(page, { source: repository.plain("") });
  const [listed] = await page.evaluate(
    async (source) =>
      (await window.sidestage.listModels()).filter((it) => it.source === source),
    repository.source,
  );
  assert.ok(listed?.files.some(({ file }) => file.endsWith("config.json")));
});

onPage("hub: files and folders of the user's own", "hub", "worker", async (page) => {
  const out = await page.evaluate(
    async ([whole, split, url]) => {
      const text = async (source: Parameters<typeof window.help.load>[1]): Promise<string> => {
        const model = await window.help.load({}, source);
        const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
        const { text } = await window.sidestage.generateText(how);
        await model.dispose();
        return `${text} (${model.info.cache})`;
      };
      const get = async (name: string): Promise<File> => {
        const response = await fetch(url + name);
        return new File([await response.arrayBuffer()], name);
      };
      const files = await Promise.all(whole.map(get));
      const pieces = await Promise.all(split.map(get));
      const texts = [await text(files), await text(pieces.reverse())];
      const error = await window.help.caught(text(pieces.slice(1)));
      // A folder's handle, as a picker gives it.
      const root = await navigator.storage?.getDirectory?.().catch(() => undefined);
      if (root) {
        const folder = await root.getDirectoryHandle("model", { create: true });
        for (const file of files) {
          const handle = await folder.getFileHandle(file.name, { create: true });
          const writable = await handle.createWritable();
          await writable.write(file);
          await writable.close();
        }
        texts.push(await text(folder));
        await root.removeEntry("model", { recursive: true });
      }
      return { texts, code: error?.code };
    },
    (() => {
      const [whole, split] = [folder(), parts()];
      const repository = hub.repository({ ...whole, ...split });
      return [Object.keys(whole), Object.keys(split), repository.plain("")] as const;
    })(),
  );
  for (const text of out.texts) assert.equal(text, `${TEXT} (none)`);
  assert.equal(out.code, "MODEL_INCOMPLETE");
});
