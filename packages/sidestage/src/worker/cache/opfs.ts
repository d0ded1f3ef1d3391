import type { CacheEntry } from "../../protocol.js";
import {
  type CacheBackend,
  type CacheWriter,
  checked,
  type Kept,
  nameOf,
  type OpenFile,
  readRecord,
  writeRecord,
} from "./backend.js";

const FOLDER = "sidestage";
const BYTES = ".bytes";
const RECORD = ".json";
const NOTE = ".note";

/**
 * Files in the origin private file system: `HASH.bytes`, `HASH.json` and `HASH.note`. A handle that locks a file
 * is open only while it is written; readers see the file through `getFile`.
 */
export class OpfsCache implements CacheBackend {
  readonly name = "opfs";
  readonly #folder: FileSystemDirectoryHandle;

  private constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  /** Opens it; fails where a file cannot really be written. */
  static async open(): Promise<OpfsCache> {
    const storage = (navigator as { storage?: StorageManager }).storage;
    if (typeof storage?.getDirectory !== "function") throw new Error("the browser has none");
    const root = await storage.getDirectory();
    const folder = await root.getDirectoryHandle(FOLDER, { create: true });
    const name = `probe-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
    const file = await folder.getFileHandle(name, { create: true });
    try {
      if (typeof file.createSyncAccessHandle !== "function") {
        throw new Error("files cannot be written synchronously here");
      }
      const handle = await opened(file);
      try {
        handle.write(new Uint8Array(1), { at: 0 });
      } finally {
        handle.close();
      }
    } finally {
      // Nothing waits for that.
      folder.removeEntry(name).catch(() => undefined);
    }
    return new OpfsCache(folder);
  }

  async lookup(key: string): Promise<CacheEntry | null> {
    const name = await nameOf(key);
    // Both at once: each is two questions to the browser's process.
    const size = this.#size(name);
    size.catch(() => undefined);
    const record = await this.#record(name);
    if (record?.key !== key) return null;
    return checked(record.entry, await size);
  }

  async open(key: string): Promise<CacheWriter> {
    const file = await this.#file((await nameOf(key)) + BYTES, true);
    return new OpfsWriter(await opened(file));
  }

  async record(key: string, entry: CacheEntry): Promise<void> {
    await this.#write((await nameOf(key)) + RECORD, writeRecord(key, entry));
  }

  async noted(key: string): Promise<string | null> {
    return this.#text((await nameOf(key)) + NOTE);
  }

  async note(key: string, text: string): Promise<void> {
    await this.#write((await nameOf(key)) + NOTE, text);
  }

  async drop(key: string): Promise<void> {
    const name = await nameOf(key);
    await this.#remove(name + NOTE);
    await this.#remove(name + RECORD);
    await this.#remove(name + BYTES);
  }

  async read(key: string, offset: number): ReturnType<CacheBackend["read"]> {
    const file = await this.#file((await nameOf(key)) + BYTES, false);
    return (await shared(file)) ?? (await file.getFile()).slice(offset).stream();
  }

  async openShared(key: string): Promise<OpenFile | undefined> {
    return shared(await this.#file((await nameOf(key)) + BYTES, false));
  }

  async list(): Promise<Kept[]> {
    const names: string[] = [];
    for await (const name of this.#folder.keys()) {
      if (name.endsWith(RECORD)) names.push(name.slice(0, -RECORD.length));
    }
    const records = names.map(async (name): Promise<Kept | null> => {
      const record = await this.#record(name);
      if (!record) return null;
      // Another tab may write it, which not every browser lets us watch.
      const bytes = await this.#size(name).catch(() => record.entry.bytes);
      return { ...record, entry: { ...record.entry, bytes } };
    });
    return (await Promise.all(records)).filter((record) => record !== null);
  }

  #file(name: string, create: boolean): Promise<FileSystemFileHandle> {
    return this.#folder.getFileHandle(name, { create });
  }

  async #write(name: string, text: string): Promise<void> {
    const handle = await opened(await this.#file(name, true));
    try {
      // One write that covers the old text: a worker that dies here leaves the old text or the new.
      // It is not flushed: a machine that fails before it is on the disk leaves the old one or none,
      // and either only costs bytes of the network. The weights are on the disk before it.
      writeAll(handle, new TextEncoder().encode(text.padEnd(handle.getSize())), 0);
    } finally {
      handle.close();
    }
  }

  async #record(name: string): Promise<Kept | null> {
    const text = await this.#text(name + RECORD);
    return text === null ? null : readRecord(text);
  }

  async #text(name: string): Promise<string | null> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await (await (await this.#file(name, false)).getFile()).text();
      } catch (error) {
        if (isMissing(error)) return null;
        // Another tab wrote the time of its use between the opening and the reading.
        if (attempt === 3) throw error;
      }
    }
  }

  async #size(name: string): Promise<number> {
    try {
      return (await (await this.#file(name + BYTES, false)).getFile()).size;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#folder.removeEntry(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

class OpfsWriter implements CacheWriter {
  readonly #handle: FileSystemSyncAccessHandle;
  bytes: number;

  constructor(handle: FileSystemSyncAccessHandle) {
    this.#handle = handle;
    this.bytes = handle.getSize();
  }

  append(bytes: Uint8Array): undefined {
    writeAll(this.#handle, bytes, this.bytes);
    this.bytes += bytes.length;
  }

  close(): Promise<void> {
    try {
      this.#handle.flush();
    } finally {
      this.#handle.close();
    }
    return Promise.resolve();
  }
}

// While it opens a file nothing holds the `FileSystemFileHandle`, and if Chromium's collector takes that
// the answer never comes.
const opening = new Set<FileSystemFileHandle>();

/** What TypeScript does not know of yet. */
interface Opens {
  createSyncAccessHandle(options?: { mode: "read-only" }): Promise<FileSystemSyncAccessHandle>;
}

async function opened(
  file: FileSystemFileHandle,
  options?: { mode: "read-only" },
): Promise<FileSystemSyncAccessHandle> {
  opening.add(file);
  try {
    return await (file as Opens).createSyncAccessHandle(options);
  } finally {
    opening.delete(file);
  }
}

// Of a stream each piece comes from the browser's process and is copied twice: 100 MB took 112 ms, so 61.
// Without `mode` a handle keeps every other reader out.
async function shared(file: FileSystemFileHandle): Promise<OpenFile | undefined> {
  if (!("mode" in FileSystemSyncAccessHandle.prototype)) return undefined;
  try {
    const handle = await opened(file, { mode: "read-only" });
    return {
      size: handle.getSize(),
      read: (into, at) => handle.read(into, { at }),
      close: () => handle.close(),
    };
  } catch {
    // A tab without locks may write it.
    return undefined;
  }
}

function writeAll(handle: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    const wrote = handle.write(bytes.subarray(done), { at: at + done });
    // Browsers differ in whether a full disk is an error or a short write.
    if (wrote === 0) throw new DOMException("nothing more was written", "QuotaExceededError");
    done += wrote;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}
