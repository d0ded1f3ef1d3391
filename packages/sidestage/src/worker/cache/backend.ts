import type { CacheEntry } from "../../protocol.js";

/**
 * Where files are kept. Whoever calls holds the key's lock: shared for `lookup` and `read`, else
 * exclusive; `list` needs none.
 */
export interface CacheBackend {
  readonly name: "opfs" | "cache-api";
  /**
   * What is held; `null`: nothing that can be used, because there is no record, or there are fewer
   * bytes than it says. Changes nothing.
   */
  lookup(key: string): Promise<CacheEntry | null>;
  /** Opens the key's file for more bytes; makes it if there is none. */
  open(key: string): Promise<CacheWriter>;
  /** Writes the record; `entry.bytes` are held then. */
  record(key: string, entry: CacheEntry): Promise<void>;
  /** A text that was noted under the key, if any. Notes need no lock. */
  noted(key: string): Promise<string | null>;
  /** Notes a text under the key, which need not be a file's. */
  note(key: string, text: string): Promise<void>;
  /** Throws record, bytes and note away. */
  drop(key: string): Promise<void>;
  /** The bytes from `offset` to the end. */
  read(key: string, offset: number): Promise<ReadableStream<Uint8Array> | OpenFile>;
  /** Opens a file so that others can too, where that is possible. */
  openShared?(key: string): Promise<OpenFile | undefined>;
  /** All records; `bytes` is what is held of them now. */
  list(): Promise<Kept[]>;
}

/** A file of the cache. */
export interface Kept {
  key: string;
  entry: CacheEntry;
}

/** A file whose bytes are read into place. */
export interface OpenFile {
  /** Its bytes in all. */
  readonly size: number;
  /** Puts bytes from `at` on into `into`; says how many. */
  read(into: Uint8Array, at: number): number;
  close(): void;
}

/** A file that grows at its end only, so that it has no holes. */
export interface CacheWriter {
  /** Bytes held, from the file's first on. */
  readonly bytes: number;
  /** Puts bytes to the end. They may change as soon as this returns. */
  append(bytes: Uint8Array): Promise<void> | undefined;
  /** After this all bytes are in place; nothing can be put any more. */
  close(): Promise<void>;
}

/** Where this place keeps files, and why not in a better way. */
export interface ChosenCache {
  backend: CacheBackend | null;
  name: "opfs" | "cache-api" | "memory";
  /** `null`: it is the best one. */
  reason: string | null;
}

/** What a record looks like in storage. */
interface StoredRecord extends Kept {
  version: typeof VERSION;
}

const VERSION = 1;

/** A record as text. */
export function writeRecord(key: string, entry: CacheEntry): string {
  const record: StoredRecord = { version: VERSION, key, entry };
  return JSON.stringify(record);
}

/** A record from text; `null`: it is not one of this version, or was cut off. */
export function readRecord(text: string): Kept | null {
  try {
    const record = JSON.parse(text) as Partial<StoredRecord> | null;
    if (record?.version !== VERSION || typeof record.key !== "string") return null;
    return record.entry ? { key: record.key, entry: record.entry } : null;
  } catch {
    return null;
  }
}

/** The record with the bytes that are really held; `null`: some are gone, or there are too many. */
export function checked(entry: CacheEntry, bytes: number): CacheEntry | null {
  const { length, complete } = entry;
  // More than at the last record is a download that went on until its worker died.
  if (bytes === 0 || bytes < entry.bytes) return null;
  if (length !== null && (complete ? bytes !== length : bytes > length)) return null;
  if (complete && length === null && bytes !== entry.bytes) return null;
  return { ...entry, bytes };
}

/** A name for storage made of a key, which may hold any character. */
export async function nameOf(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return Array.from(new Uint8Array(digest, 0, 16), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
