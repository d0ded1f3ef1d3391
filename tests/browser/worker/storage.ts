// A worker that works with one storage back end. Bundled to dist/storage.js.
import type { CacheBackend } from "../../../packages/sidestage/src/worker/cache/backend.js";
import { OpfsCache } from "../../../packages/sidestage/src/worker/cache/opfs.js";
import { PartsCache } from "../../../packages/sidestage/src/worker/cache/parts.js";
import type { CacheEntry } from "../../../packages/sidestage/src/protocol.js";

/** Small enough that a few chunks fill several. */
const PART = 1000;

const OPEN: Record<string, () => Promise<CacheBackend>> = {
  opfs: () => OpfsCache.open(),
  "cache-api": () => PartsCache.open(PART),
};

const entry = (rest: Partial<CacheEntry> = {}): CacheEntry => ({
  source: "hf:a/b",
  url: "https://hub/a/b",
  file: "m.gguf",
  bytes: 0,
  length: 3500,
  validator: '"1"',
  sha256: null,
  next: null,
  complete: false,
  created: 1,
  used: 2,
  ...rest,
});

/** The byte at a place of the file. */
const at = (place: number): number => (place * 7 + (place >> 8)) & 255;

function piece(from: number, to: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: to - from }, (_, i) => at(from + i));
}

async function put(backend: CacheBackend, key: string, from: number, to: number, step: number) {
  const writer = await backend.open(key);
  const before = writer.bytes;
  const buffer = new Uint8Array(step);
  for (let start = from; start < to; start += step) {
    const chunk = buffer.subarray(0, Math.min(step, to - start));
    chunk.set(piece(start, start + chunk.length));
    await writer.append(chunk);
    // The buffer is the caller's again.
    buffer.fill(0);
  }
  await writer.close();
  return { before, after: writer.bytes };
}

/** Which bytes from `offset` on are right, and how many there are. */
async function read(backend: CacheBackend, key: string, offset: number) {
  const file = await backend.read(key, offset);
  let bytes: Uint8Array;
  if (file instanceof ReadableStream) {
    bytes = new Uint8Array(await new Response(file).arrayBuffer());
  } else {
    bytes = new Uint8Array(file.size - offset);
    bytes.fill(0, file.read(bytes, offset));
    file.close();
  }
  return { count: bytes.length, right: bytes.every((byte, i) => byte === at(offset + i)) };
}

async function cases(name: string): Promise<Record<string, unknown>> {
  const backend = await OPEN[name]!();
  const key = "url/https://hub/ä?x=1";
  const out: Record<string, unknown> = {};
  await backend.drop(key);
  out.nothing = await backend.lookup(key);
  out.orphan = await put(backend, key, 0, 2500, 300);
  out.withoutRecord = await backend.lookup(key);
  await backend.record(key, entry({ bytes: 2000 }));
  // More than at the last record is a download whose worker died.
  out.open = await backend.lookup(key);
  out.resumed = await put(backend, key, 2500, 3500, 999);
  out.whole = (await backend.lookup(key))?.bytes;
  await backend.record(key, entry({ bytes: 3500, complete: true }));
  out.complete = await backend.lookup(key);
  out.reads = [];
  for (const offset of [0, 1, 999, 1000, 2999, 3499, 3500]) {
    (out.reads as unknown[]).push(await read(backend, key, offset));
  }
  const long = entry({ bytes: 3500, complete: true, file: "ü".repeat(300) });
  await backend.record(key, long);
  await backend.record(key, entry({ bytes: 3500, complete: true }));
  out.shorterRecord = (await backend.lookup(key))?.file;
  out.list = (await backend.list()).filter((kept) => kept.key === key);
  const other = `${key}2`;
  await put(backend, other, 0, 500, 500);
  await backend.record(other, entry({ bytes: 600 }));
  out.evicted = await backend.lookup(other);
  await backend.record(other, entry({ bytes: 500, length: 400 }));
  out.tooLong = await backend.lookup(other);
  await backend.record(other, entry({ bytes: 500, complete: true }));
  out.cutThough = await backend.lookup(other);
  await backend.record(other, entry({ bytes: 500, length: null, complete: true }));
  out.unmeasured = (await backend.lookup(other))?.bytes;
  await backend.drop(key);
  await backend.drop(other);
  out.dropped = await backend.lookup(key);
  const again = await backend.open(key);
  out.left = again.bytes;
  await again.close();
  await backend.drop(key);
  return out;
}

self.onmessage = ({ data }: MessageEvent<string>) => {
  cases(data).then(
    (out) => self.postMessage(out),
    (error: unknown) => self.postMessage({ error: String(error) }),
  );
};
