import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { CacheEntry, Completion } from "../src/protocol.js";
import { CacheAccess } from "../src/worker/cache/access.js";
import type { CacheBackend, CacheWriter, Kept } from "../src/worker/cache/backend.js";
import { deleteModel, listModels } from "../src/worker/cache/models.js";
import { FakeLocks } from "./fake-locks.js";

const locks = new FakeLocks();
let storage: { estimate(): Promise<{ usage: number; quota: number }> } | undefined;
Object.defineProperty(globalThis, "navigator", {
  value: {
    locks,
    get storage() {
      return storage;
    },
  },
});

/** Files in memory, with storage that may end. */
class FakeBackend implements CacheBackend {
  readonly name = "opfs";
  readonly files = new Map<string, number[]>();
  readonly records = new Map<string, CacheEntry>();
  readonly notes = new Map<string, string>();
  room = Infinity;

  lookup(key: string): Promise<CacheEntry | null> {
    const entry = this.records.get(key);
    const bytes = this.files.get(key)?.length ?? 0;
    return Promise.resolve(entry && bytes >= entry.bytes ? { ...entry, bytes } : null);
  }

  open(key: string): Promise<CacheWriter> {
    const file = this.files.get(key) ?? [];
    this.files.set(key, file);
    const append = (bytes: Uint8Array): undefined => {
      if (bytes.length > this.room) throw new DOMException("full", "QuotaExceededError");
      this.room -= bytes.length;
      file.push(...bytes);
    };
    return Promise.resolve({
      get bytes() {
        return file.length;
      },
      append,
      close: () => Promise.resolve(),
    });
  }

  record(key: string, entry: CacheEntry): Promise<void> {
    this.records.set(key, { ...entry });
    return Promise.resolve();
  }

  noted(key: string): Promise<string | null> {
    return Promise.resolve(this.notes.get(key) ?? null);
  }

  note(key: string, text: string): Promise<void> {
    this.notes.set(key, text);
    return Promise.resolve();
  }

  drop(key: string): Promise<void> {
    this.notes.delete(key);
    this.files.delete(key);
    this.records.delete(key);
    return Promise.resolve();
  }

  read(): Promise<ReadableStream<Uint8Array>> {
    return Promise.reject(new Error("not here"));
  }

  list(): Promise<Kept[]> {
    return Promise.resolve([...this.records].map(([key, entry]) => ({ key, entry })));
  }
}

const KEY = "url/https://hub/m.gguf";

function entry(rest: Partial<CacheEntry> = {}): CacheEntry {
  return {
    source: "https://hub/m.gguf",
    url: "https://hub/m.gguf",
    file: "m.gguf",
    bytes: 0,
    length: 4,
    validator: null,
    sha256: null,
    next: null,
    complete: false,
    created: 0,
    used: 0,
    ...rest,
  };
}

interface Tab {
  access: CacheAccess;
  told: Completion[];
  /** The next completion. */
  next(): Promise<Completion>;
}

const tabs: Tab[] = [];

function tab(backend: CacheBackend | null): Tab {
  const told: Completion[] = [];
  const waiting: ((completion: Completion) => void)[] = [];
  const access = new CacheAccess(backend, (completion) => {
    told.push(completion);
    waiting.shift()?.(completion);
  });
  const made = {
    access,
    told,
    next: () => new Promise<Completion>((resolve) => waiting.push(resolve)),
  };
  tabs.push(made);
  return made;
}

afterEach(() => {
  for (const { access } of tabs.splice(0)) access.close();
  storage = undefined;
});

async function find(one: Tab, wait = false): Promise<Extract<Completion, { type: "found" }>> {
  const next = one.next();
  one.access.lookup(KEY, wait);
  const found = await next;
  assert.equal(found.type, "found");
  return found as Extract<Completion, { type: "found" }>;
}

/** Writes a whole file of four bytes. */
async function fill(one: Tab): Promise<void> {
  const kept = await one.access.keep(KEY, 4);
  assert.ok(kept);
  await kept.put(0, Uint8Array.of(1, 2));
  // A server that begins again at its first byte.
  await kept.put(0, Uint8Array.of(1, 2, 3));
  await kept.put(3, Uint8Array.of(4));
  await kept.stop();
  one.access.record(KEY, entry({ complete: true }));
}

const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a file is written by one, then read by many", async () => {
  const backend = new FakeBackend();
  const [a, b, c] = [tab(backend), tab(backend), tab(backend)];
  assert.deepEqual(await find(a), { type: "found", key: KEY, entry: null, busy: false });
  a.access.record(KEY, entry());
  assert.equal((await find(b)).busy, true);
  const later = find(b, true);
  await fill(a);
  assert.deepEqual(backend.files.get(KEY), [1, 2, 3, 4]);
  await idle();
  assert.equal(b.told.length, 1, "it waits for the lock, not for the record");
  a.access.release(KEY);
  const found = await later;
  assert.equal(found.busy, false);
  assert.equal(found.entry?.complete, true);
  assert.equal(found.entry?.bytes, 4);
  assert.ok((found.entry?.created ?? 0) > 0);
  assert.equal((await find(c)).entry?.complete, true, "readers do not keep each other out");
});

test("what a dead worker left is found, with its bytes", async () => {
  const backend = new FakeBackend();
  backend.files.set(KEY, [1, 2, 3]);
  backend.records.set(KEY, entry({ bytes: 1, created: 5 }));
  const a = tab(backend);
  const found = await find(a);
  assert.deepEqual([found.entry?.bytes, found.entry?.complete], [3, false]);
  const kept = await a.access.keep(KEY, 4);
  await kept?.put(3, Uint8Array.of(4));
  await kept?.stop();
  a.access.record(KEY, entry({ complete: true }));
  a.access.release(KEY);
  await idle();
  assert.equal(backend.records.get(KEY)?.created, 5);
  assert.equal(backend.records.get(KEY)?.bytes, 4);
});

test("a record without its bytes is dropped", async () => {
  const backend = new FakeBackend();
  backend.files.set(KEY, [1]);
  backend.records.set(KEY, entry({ bytes: 3 }));
  assert.equal((await find(tab(backend))).entry, null);
  assert.equal(backend.records.size + backend.files.size, 0);
});

test("a reader that drops a file waits for the others", async () => {
  const backend = new FakeBackend();
  backend.files.set(KEY, [1, 2, 3, 4]);
  backend.records.set(KEY, entry({ bytes: 4, complete: true }));
  const [a, b] = [tab(backend), tab(backend)];
  await find(a);
  await find(b);
  a.access.drop(KEY);
  await idle();
  assert.equal(backend.files.size, 1);
  b.access.release(KEY);
  await fill(a);
  assert.deepEqual(backend.files.get(KEY), [1, 2, 3, 4]);
  a.access.release(KEY);
  await idle();
  assert.equal(backend.records.get(KEY)?.complete, true);
  assert.equal(locks.held, 0);
});

test("a full disk ends the keeping, not the reading, and leaves nothing", async () => {
  const backend = new FakeBackend();
  const a = tab(backend);
  await find(a);
  a.access.record(KEY, entry());
  const kept = await a.access.keep(KEY, 4);
  backend.room = 3;
  const told = a.next();
  await kept?.put(0, Uint8Array.of(1, 2));
  await kept?.put(2, Uint8Array.of(3, 4));
  await kept?.put(4, Uint8Array.of(5));
  await kept?.stop();
  const notKept = await told;
  assert.equal(notKept.type === "notKept" && notKept.code, "QUOTA_EXCEEDED");
  a.access.record(KEY, entry({ complete: true }));
  await idle();
  assert.equal(backend.records.size + backend.files.size, 0);
  assert.equal(await a.access.keep(KEY, 4), null);
});

test("what will not fit is not begun", async () => {
  storage = { estimate: () => Promise.resolve({ usage: 90, quota: 100 }) };
  const backend = new FakeBackend();
  const a = tab(backend);
  await find(a);
  const told = a.next();
  assert.equal(await a.access.keep(KEY, 11), null);
  const notKept = await told;
  assert.equal(notKept.type === "notKept" && notKept.code, "QUOTA_EXCEEDED");
  assert.match(
    notKept.type === "notKept" ? notKept.message : "",
    /11 bytes more.*90 bytes used of 100/,
  );
  assert.equal(backend.files.size, 0);
});

test("a hole is a failure of the cache", async () => {
  const a = tab(new FakeBackend());
  await find(a);
  const kept = await a.access.keep(KEY, 4);
  const told = a.next();
  void kept?.put(2, Uint8Array.of(3));
  const notKept = await told;
  assert.equal(notKept.type === "notKept" && notKept.code, "CACHE_FAILED");
});

test("where nothing is kept, nothing is found, and all else passes", async () => {
  const a = tab(null);
  assert.deepEqual(await find(a), { type: "found", key: KEY, entry: null, busy: false });
  a.access.record(KEY, entry());
  assert.equal(await a.access.keep(KEY, 4), null);
  a.access.drop(KEY);
  a.access.release(KEY);
  await idle();
  assert.equal(a.told.length, 1);
});

test("what is looked up early waits for the lookup, and goes with any other", async () => {
  const backend = new FakeBackend();
  let open = 0;
  Object.assign(backend, {
    openShared: () => {
      open += 1;
      return Promise.resolve({ size: 4, read: () => 0, close: () => (open -= 1) });
    },
  });
  backend.records.set(KEY, entry({ bytes: 4, complete: true }));
  backend.files.set(KEY, [1, 2, 3, 4]);
  const right = tab(backend);
  right.access.expect(KEY);
  const whole = await find(right);
  assert.equal(whole.entry?.complete, true);
  assert.equal(open, 1);
  const file = await right.access.read(KEY, 1);
  assert.ok(!(file instanceof ReadableStream) && file.size === 4);
  file.close();
  right.access.release(KEY);
  await right.access.settled();
  const wrong = tab(backend);
  wrong.access.expect(KEY);
  wrong.access.lookup("url/another", false);
  await wrong.access.settled();
  assert.equal(open, 0);
  // Its lock is free: a file that is not whole needs it alone.
  backend.records.delete(KEY);
  const alone = tab(backend);
  assert.deepEqual(await find(alone), { type: "found", key: KEY, entry: null, busy: false });
});

test("a load that ends gives its locks back, waiting ones too", async () => {
  const backend = new FakeBackend();
  const [a, b, c] = [tab(backend), tab(backend), tab(backend)];
  await find(a);
  b.access.lookup(KEY, true);
  await idle();
  b.access.close();
  a.access.close();
  await idle();
  assert.equal(b.told.length, 0);
  assert.equal((await find(c)).busy, false);
});

test("a key that is looked up again at once is held again", async () => {
  const backend = new FakeBackend();
  const [a, b] = [tab(backend), tab(backend)];
  await find(a);
  a.access.release(KEY);
  await find(a);
  assert.equal((await find(b)).busy, true);
  await fill(a);
  a.access.release(KEY);
  await idle();
  assert.equal(locks.held, 0);
  assert.equal((await find(b)).entry?.complete, true);
});

test("models are listed by source and deleted whole, unless in use", async () => {
  const backend = new FakeBackend();
  const chosen = { backend, name: backend.name, reason: null } as const;
  const add = (key: string, rest: Partial<CacheEntry>): void => {
    backend.records.set(key, entry({ bytes: 4, complete: true, ...rest }));
    backend.files.set(key, [1, 2, 3, 4]);
  };
  const hub = { source: "hf:a/b", url: "https://hub/a/b" };
  add("hf/a/b@1/2.gguf", { ...hub, file: "2.gguf", created: 3, used: 9 });
  add("hf/a/b@1/1.gguf", { ...hub, file: "1.gguf", created: 2, complete: false });
  add("hf-api/a/b", { ...hub, file: "tree" });
  add(KEY, { used: 5 });
  const list = await listModels(chosen);
  assert.deepEqual(
    list.map(({ source, bytes, complete, created, used }) => [
      source,
      bytes,
      complete,
      created,
      used,
    ]),
    [
      ["hf:a/b", 8, false, 2, 9],
      ["https://hub/m.gguf", 4, true, 0, 5],
    ],
  );
  assert.deepEqual(
    list[0]?.files.map(({ file }) => file),
    ["1.gguf", "2.gguf"],
  );
  const a = tab(backend);
  await find(a);
  await assert.rejects(deleteModel(chosen, "https://hub/m.gguf"), { code: "MODEL_IN_USE" });
  assert.equal(backend.files.size, 4);
  a.access.release(KEY);
  await idle();
  assert.equal(await deleteModel(chosen, "https://hub/m.gguf"), 4);
  assert.equal(await deleteModel(chosen, "hf:a/b"), 12);
  assert.equal(backend.files.size + backend.records.size, 0);
  assert.equal(locks.held, 0);
});
