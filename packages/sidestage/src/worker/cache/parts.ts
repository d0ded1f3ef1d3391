import type { CacheEntry } from "../../protocol.js";
import {
  type CacheBackend,
  type CacheWriter,
  checked,
  type Kept,
  nameOf,
  readRecord,
  writeRecord,
} from "./backend.js";

const NAME = "sidestage";
/** Bytes of an entry: what is lost at most when a worker dies, and what a put holds in memory. */
const PART = 32 << 20;
// Requests are only names here. No server can have this one.
const PLACE = "https://cache.sidestage.invalid";

/** Files in the Cache API: parts of 32 MiB, and a record that is their index. */
export class PartsCache implements CacheBackend {
  readonly name = "cache-api";
  readonly #cache: Cache;
  readonly #part: number;

  /** `part`: bytes of an entry. */
  private constructor(cache: Cache, part: number) {
    this.#cache = cache;
    this.#part = part;
  }

  /** Opens it; fails where an entry cannot really be put. */
  static async open(part = PART): Promise<PartsCache> {
    if (typeof caches === "undefined") throw new Error("the browser has none");
    const cache = await caches.open(part === PART ? NAME : `${NAME}-${part}`);
    const probe = `${PLACE}/probe-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
    await cache.put(probe, new Response("1"));
    await cache.delete(probe);
    return new PartsCache(cache, part);
  }

  async lookup(key: string): Promise<CacheEntry | null> {
    const name = await nameOf(key);
    const record = await this.#record(name);
    if (record?.key !== key) return null;
    return checked(record.entry, await this.#bytes(name));
  }

  async open(key: string): Promise<CacheWriter> {
    const name = await nameOf(key);
    const bytes = await this.#bytes(name);
    const last = await this.#cache.match(partUrl(name, Math.floor(bytes / this.#part)));
    return new PartsWriter(this.#cache, name, this.#part, bytes, last && (await last.blob()));
  }

  async record(key: string, entry: CacheEntry): Promise<void> {
    await this.#cache.put(
      recordUrl(await nameOf(key)),
      new Response(writeRecord(key, entry), {
        headers: { "content-type": "application/json" },
      }),
    );
  }

  async noted(key: string): Promise<string | null> {
    return (await (await this.#cache.match(noteUrl(await nameOf(key))))?.text()) ?? null;
  }

  async note(key: string, text: string): Promise<void> {
    await this.#cache.put(noteUrl(await nameOf(key)), new Response(text));
  }

  async drop(key: string): Promise<void> {
    const name = await nameOf(key);
    await this.#cache.delete(noteUrl(name));
    await this.#cache.delete(recordUrl(name));
    for (let index = 0; await this.#cache.delete(partUrl(name, index)); index += 1);
  }

  async read(key: string, offset: number): Promise<ReadableStream<Uint8Array>> {
    const name = await nameOf(key);
    const parts = this.#blobs(name, Math.floor(offset / this.#part));
    let skip = offset % this.#part;
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          for (;;) {
            if (!reader) {
              const { value: blob, done } = await parts.next();
              if (done) return controller.close();
              reader = blob.slice(skip).stream().getReader();
              skip = 0;
            }
            const { value, done } = await reader.read();
            if (!done) return controller.enqueue(value);
            reader = undefined;
          }
        },
        cancel: () => reader?.cancel(),
      },
      { highWaterMark: 0 },
    );
  }

  async list(): Promise<Kept[]> {
    const kept: Kept[] = [];
    for (const { url } of await this.#cache.keys()) {
      const name = /\/([0-9a-f]+)\/record$/.exec(url)?.[1];
      const record = name === undefined ? null : await this.#record(name);
      if (!record || name === undefined) continue;
      const bytes = await this.#bytes(name);
      kept.push({ ...record, entry: { ...record.entry, bytes } });
    }
    return kept;
  }

  async #record(name: string): Promise<Kept | null> {
    const response = await this.#cache.match(recordUrl(name));
    return response ? readRecord(await response.text()) : null;
  }

  /** Bytes up to the first part that is missing or not full. */
  async #bytes(name: string): Promise<number> {
    for (let index = 0; ; index += 1) {
      const part = await this.#cache.match(partUrl(name, index));
      const size = Number(part?.headers.get("content-length") ?? 0);
      if (size < this.#part) return index * this.#part + size;
    }
  }

  async *#blobs(name: string, first: number): AsyncGenerator<Blob, void> {
    for (let index = first; ; index += 1) {
      const part = await this.#cache.match(partUrl(name, index));
      if (!part) return;
      const blob = await part.blob();
      yield blob;
      if (blob.size < this.#part) return;
    }
  }
}

class PartsWriter implements CacheWriter {
  readonly #cache: Cache;
  readonly #name: string;
  readonly #part: number;
  bytes: number;
  // Blobs, because the browser keeps their bytes outside this process.
  #pieces: Blob[];
  #put = true;

  constructor(cache: Cache, name: string, part: number, bytes: number, last?: Blob) {
    this.#cache = cache;
    this.#name = name;
    this.#part = part;
    this.bytes = bytes;
    this.#pieces = last ? [last] : [];
  }

  append(bytes: Uint8Array): Promise<void> | undefined {
    const room = this.#part - (this.bytes % this.#part);
    const now = bytes.subarray(0, room);
    this.#pieces.push(new Blob([now as Uint8Array<ArrayBuffer>]));
    this.bytes += now.length;
    this.#put = false;
    if (now.length < room) return undefined;
    const rest = bytes.slice(room);
    return this.#flush(this.bytes / this.#part - 1).then(() => {
      this.#pieces = [];
      return rest.length > 0 ? this.append(rest) : undefined;
    });
  }

  async close(): Promise<void> {
    if (!this.#put) await this.#flush(Math.floor(this.bytes / this.#part));
  }

  async #flush(index: number): Promise<void> {
    const part = new Blob(this.#pieces);
    const headers = { "content-length": String(part.size) };
    await this.#cache.put(partUrl(this.#name, index), new Response(part, { headers }));
    this.#put = true;
  }
}

function partUrl(name: string, index: number): string {
  return `${PLACE}/${name}/${index}`;
}

function noteUrl(name: string): string {
  return `${PLACE}/${name}/note`;
}

function recordUrl(name: string): string {
  return `${PLACE}/${name}/record`;
}
