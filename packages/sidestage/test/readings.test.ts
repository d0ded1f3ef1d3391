import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Completion, Effect } from "../src/protocol.js";
import { CacheAccess } from "../src/worker/cache/access.js";
import type { CacheBackend, OpenFile } from "../src/worker/cache/backend.js";
import { Readings } from "../src/worker/fetch.js";
import { headOf } from "../src/worker/response.js";

type Fetch = Extract<Effect, { type: "fetch" }>;

function effect(rest: Partial<Fetch>): Fetch {
  return {
    type: "fetch",
    stream: 1,
    from: { kind: "url", url: "https://hub/m" },
    offset: 0,
    keep: null,
    method: "get",
    headers: [],
    delayMs: 0,
    stallMs: 0,
    ...rest,
  };
}

const realFetch = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = realFetch;
});

/** What a reading told until it ended, and the bytes it brought. */
async function run(
  rest: Partial<Fetch>,
  held: (Blob | Uint8Array)[] = [],
  backend: CacheBackend | null = null,
) {
  const told: Completion[] = [];
  const bytes: number[] = [];
  await new Promise<void>((resolve) => {
    const cache = new CacheAccess(backend, () => undefined);
    const readings = new Readings(
      {
        completion(completion) {
          told.push(completion);
          if (completion.type !== "opened") resolve();
        },
        bytes: (_, chunk) => bytes.push(...chunk),
        // As an engine's window of two bytes.
        fill: (_, most, read) => {
          const into = new Uint8Array(Math.min(most, 2));
          const took = read(into);
          bytes.push(...into.subarray(0, took));
          return took;
        },
      },
      cache,
      () => held,
      () => Promise.resolve(),
    );
    readings.start(effect(rest));
  });
  return { told, bytes };
}

test("a reading asks with a simple range and nothing else", async () => {
  const asked: { url: string; init: RequestInit }[] = [];
  globalThis.fetch = (url, init) => {
    asked.push({ url: url as string, init: init ?? {} });
    const headers = { "content-range": "bytes 2-3/4", etag: '"1"' };
    return Promise.resolve(new Response(Uint8Array.of(7, 8), { status: 206, headers }));
  };
  const { told, bytes } = await run({ offset: 2 });
  assert.deepEqual([...new Headers(asked[0]?.init.headers)], [["range", "bytes=2-"]]);
  assert.equal(asked[0]?.init.method, "GET");
  assert.deepEqual(told, [
    {
      type: "opened",
      stream: 1,
      status: 206,
      contentType: null,
      length: 4,
      start: 2,
      validator: '"1"',
      retryAfterMs: null,
      next: null,
      kept: false,
    },
    { type: "closed", stream: 1 },
  ]);
  assert.deepEqual(bytes, [7, 8]);
  await run({ headers: [["Authorization", "Bearer t"]], method: "head" });
  assert.deepEqual([...new Headers(asked[1]?.init.headers)], [["authorization", "Bearer t"]]);
  assert.equal(asked[1]?.init.method, "HEAD");
});

test("silence is a failure, before the answer and after it; slow bytes are none", async () => {
  const body = (chunks: number): ReadableStream<Uint8Array> =>
    new ReadableStream({
      async pull(controller) {
        chunks -= 1;
        if (chunks < 0) return new Promise(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(Uint8Array.of(1));
      },
    });
  globalThis.fetch = (_, init) =>
    new Promise((_, reject) => {
      init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
    });
  const never = await run({ stallMs: 40 });
  assert.deepEqual(never.told, [
    { type: "failed", stream: 1, message: "no byte came for 40 ms", refused: false },
  ]);
  globalThis.fetch = (_, init) => {
    const stream = body(5);
    const reader = stream.getReader();
    const out = new ReadableStream<Uint8Array>({
      start(controller) {
        init?.signal?.addEventListener("abort", () => controller.error(new Error("aborted")));
      },
      async pull(controller) {
        const { value } = await reader.read();
        if (value) controller.enqueue(value);
      },
    });
    return Promise.resolve(new Response(out));
  };
  const half = await run({ stallMs: 500 });
  assert.equal(half.bytes.length, 5);
  assert.deepEqual(half.told.at(-1), {
    type: "failed",
    stream: 1,
    message: "no byte came for 500 ms",
    refused: false,
  });
});

test("held files are read by their place in the list", async () => {
  const held = [new Uint8Array([1, 2]), new Blob([Uint8Array.of(3, 4, 5)])];
  const blob = await run({ from: { kind: "held", index: 1 }, offset: 1 }, held);
  assert.deepEqual(blob.bytes, [4, 5]);
  assert.equal(blob.told[0]?.type === "opened" && blob.told[0].length, 3);
  const bytes = await run({ from: { kind: "held", index: 0 } }, held);
  assert.deepEqual(bytes.bytes, [1, 2]);
  const none = await run({ from: { kind: "held", index: 2 } }, held);
  assert.equal(none.told[0]?.type, "failed");
});

test("a kept file that can be read into place is, and is closed also when that fails", async () => {
  const kept = Uint8Array.of(1, 2, 3, 4, 5, 6);
  let closed = 0;
  const open = (fails: boolean): OpenFile => ({
    size: kept.length,
    read(into, at) {
      if (fails && at > 3) throw new Error("the disk is gone");
      into.set(kept.subarray(at, at + into.length));
      return into.length;
    },
    close: () => (closed += 1),
  });
  const backend = (fails: boolean) =>
    ({ read: () => Promise.resolve(open(fails)) }) as unknown as CacheBackend;
  const asked: Partial<Fetch> = { from: { kind: "cache", key: "k" }, offset: 1 };
  const whole = await run(asked, [], backend(false));
  assert.deepEqual(whole.bytes, [2, 3, 4, 5, 6]);
  assert.deepEqual(whole.told.at(-1), { type: "closed", stream: 1 });
  const half = await run({ ...asked, offset: 0 }, [], backend(true));
  assert.deepEqual(half.bytes, [1, 2, 3, 4]);
  assert.equal(half.told.at(-1)?.type, "failed");
  assert.equal(closed, 2);
});

test("headers: what they say, as far as they are there", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const head = (status: number, headers: Record<string, string>) =>
    headOf(new Response(null, { status, headers }), now);
  assert.equal(head(200, { "content-length": "10" }).length, 10);
  assert.equal(head(200, { "content-length": "10", "content-encoding": "gzip" }).length, null);
  assert.equal(head(206, { "content-length": "10" }).length, null);
  assert.equal(head(416, { "content-range": "bytes */7" }).length, 7);
  assert.equal(head(206, { "content-range": "bytes 3-6/*" }).start, 3);
  assert.equal(head(206, { "content-range": "bytes 3-6/*" }).length, null);
  assert.equal(head(200, { "last-modified": "then" }).validator, "then");
  assert.equal(head(200, { "last-modified": "then", etag: "x" }).validator, "x");
  assert.equal(head(429, { "retry-after": "2" }).retryAfterMs, 2000);
  const date = "Thu, 01 Jan 2026 00:00:05 GMT";
  assert.equal(head(503, { "retry-after": date }).retryAfterMs, 5000);
  assert.equal(head(503, { "retry-after": "soon" }).retryAfterMs, null);
  const link = '<http://h/?a=1,2>; rel="prev", <http://h/?b=3>; title="x"; rel="next"';
  assert.equal(head(200, { link }).next, "http://h/?b=3");
  assert.equal(head(200, { link: '<http://h/>; rel="nextish"' }).next, null);
  assert.equal(head(200, { link: '<of nowhere>; rel="next"' }).next, null);
});
