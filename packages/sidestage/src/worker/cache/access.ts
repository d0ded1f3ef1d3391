import type { CacheEntry, Completion } from "../../protocol.js";
import type { CacheBackend, OpenFile } from "./backend.js";
import { KeptFile } from "./kept-file.js";
import { type Release, takeLock } from "./locks.js";
import { checkRoom, isQuota, roomMessage } from "./room.js";

/** One key of one load. */
interface Hold {
  /** Ends when everything asked for this key has been done. */
  before: Promise<unknown>;
  /** How much of that is not done. */
  open: number;
  lock: { mode: LockMode; release: Release } | undefined;
  /** What the lookup found. */
  entry: CacheEntry | null;
  /** Bytes that are held. */
  bytes: number;
  writer: KeptFile | undefined;
  /** What was found before it was asked for; `undefined`: it was not looked for. */
  early: CacheEntry | null | undefined;
  /** The file, opened before it was to be read. */
  file: OpenFile | undefined;
  /** Ends when the time of its use has been written. */
  used: Promise<void> | undefined;
  /** Writing failed; nothing of this key is kept any more. */
  refused: boolean;
}

/**
 * What one load does with the cache: carries out `lookup`, `record`, `drop` and `release`, each
 * key's in their order, and holds a key's lock between the first and the last of them.
 */
export class CacheAccess {
  readonly #backend: CacheBackend | null;
  readonly #tell: (completion: Completion) => void;
  readonly #holds = new Map<string, Hold>();
  /** A file that was looked up before it was asked for. */
  #expected: string | undefined;
  readonly #closed = new AbortController();

  constructor(backend: CacheBackend | null, tell: (completion: Completion) => void) {
    this.#backend = backend;
    this.#tell = tell;
  }

  /** Looks a file up that will be asked for, and opens it if all of it is there. Any other lookup ends that. */
  expect(key: string): void {
    this.#expected = key;
    this.#do(key, async (hold, backend) => {
      if (!backend) return;
      try {
        const entry = await this.#enter(key, hold, backend, false);
        // Another tab has it: that is met again.
        if (entry === undefined) return;
        if (entry?.complete) hold.file = await backend.openShared?.(key);
        hold.early = entry;
      } catch {
        // The lookup finds the same, and says so.
        await this.#letGo(hold);
      }
    });
  }

  /** Answers with `found`. */
  lookup(key: string, wait: boolean): void {
    if (this.#expected !== undefined && this.#expected !== key) this.release(this.#expected);
    this.#expected = undefined;
    const answer = (entry: CacheEntry | null, busy: boolean): void =>
      this.#tell({ type: "found", key, entry, busy });
    this.#do(key, async (hold, backend) => {
      if (!backend) return answer(null, false);
      hold.refused = false;
      let found: CacheEntry | null | undefined;
      const { early } = hold;
      hold.early = undefined;
      try {
        found = early === undefined ? await this.#enter(key, hold, backend, wait) : early;
      } catch {
        // Nothing can be read of it, so nothing will be written either.
        hold.refused = true;
        found = null;
      }
      hold.entry = found ?? null;
      hold.bytes = found?.bytes ?? 0;
      if (!this.#closed.signal.aborted) answer(found ?? null, found === undefined);
    });
  }

  /** Writes what is known of a file. */
  record(key: string, entry: CacheEntry): void {
    this.#do(key, async (hold, backend) => {
      if (!backend || hold.refused || hold.lock?.mode !== "exclusive") return;
      const now = Date.now();
      const created = hold.entry?.created || now;
      hold.entry = { ...entry, bytes: hold.bytes, created, used: now };
      try {
        await backend.record(key, hold.entry);
      } catch (error) {
        this.#refuse(key, error);
      }
    });
  }

  /** Throws a file away, also one whose lock was given back before. */
  drop(key: string): void {
    this.#do(key, async (hold, backend) => {
      if (!backend) return;
      await hold.writer?.stop();
      const held = hold.lock !== undefined;
      if (hold.lock?.mode !== "exclusive") {
        // Others read it, and let it go soon.
        await this.#letGo(hold);
        if (!(await this.#take(key, hold, "exclusive", true))) return;
      }
      hold.entry = null;
      hold.bytes = 0;
      await backend.drop(key).catch(() => undefined);
      if (!held) await this.#end(key, hold);
    });
  }

  /** Gives a file's lock back. */
  release(key: string): void {
    this.#do(key, async (hold, backend) => {
      await hold.writer?.stop();
      if (backend) this.#use(key, hold, backend);
      await this.#end(key, hold);
    });
  }

  /** Resolves when what was asked for so far has been done. */
  async settled(): Promise<void> {
    await Promise.all([...this.#holds.values()].map(({ before }) => before));
  }

  /** Gives everything back. */
  close(): void {
    this.#closed.abort();
    this.releaseAll();
  }

  /** Gives every file's lock back. */
  releaseAll(): void {
    for (const key of [...this.#holds.keys()]) this.release(key);
  }

  /** The bytes of a file from `offset` on. */
  async read(key: string, offset: number): ReturnType<CacheBackend["read"]> {
    const hold = this.#hold(key);
    await hold.before;
    // A reading that was given up may still have its file open.
    await hold.writer?.done;
    if (!this.#backend) throw new Error("nothing is kept here");
    // While it is read there is time for that: at the end a load would wait for it.
    this.#use(key, hold, this.#backend);
    const { file } = hold;
    hold.file = undefined;
    if (file) return file;
    return this.#backend.read(key, offset);
  }

  /** The length of a whole file, where known. */
  length(key: string): number | null {
    return this.#holds.get(key)?.entry?.length ?? null;
  }

  /**
   * Opens a file for bytes that come; `length`: of the whole file, where known. `null`: they cannot
   * be kept.
   */
  async keep(key: string, length: number | null): Promise<KeptFile | null> {
    const hold = this.#hold(key);
    const backend = this.#backend;
    await hold.before;
    await hold.writer?.done;
    if (!backend || hold.refused || hold.lock?.mode !== "exclusive") return null;
    try {
      if (length !== null) await checkRoom(length - hold.bytes);
      const writer = await backend.open(key);
      hold.bytes = writer.bytes;
      hold.writer = new KeptFile(
        writer,
        (bytes) => {
          hold.bytes = bytes;
        },
        (error) => this.#refuse(key, error),
      );
      return hold.writer;
    } catch (error) {
      this.#refuse(key, error);
      return null;
    }
  }

  /** Resolves when what was asked for this key so far has been done. */
  async settledFor(key: string): Promise<void> {
    await this.#holds.get(key)?.before;
  }

  /** Closes a file; what became of that has been told when this resolves. */
  async endKeeping(key: string, file: KeptFile): Promise<void> {
    await file.stop();
    await this.settledFor(key);
  }

  #hold(key: string): Hold {
    let hold = this.#holds.get(key);
    if (!hold) {
      hold = {
        before: Promise.resolve(),
        open: 0,
        lock: undefined,
        entry: null,
        bytes: 0,
        writer: undefined,
        early: undefined,
        file: undefined,
        used: undefined,
        refused: false,
      };
      this.#holds.set(key, hold);
    }
    return hold;
  }

  #do(key: string, work: (hold: Hold, backend: CacheBackend | null) => Promise<void> | void) {
    const hold = this.#hold(key);
    hold.open += 1;
    hold.before = hold.before
      .then(() => work(hold, this.#backend))
      .finally(() => (hold.open -= 1));
  }

  // Whole files are shared; the lock cannot be changed, only given back and taken anew.
  // `undefined`: another tab has it.
  async #enter(
    key: string,
    hold: Hold,
    backend: CacheBackend,
    wait: boolean,
  ): Promise<CacheEntry | null | undefined> {
    await this.#letGo(hold);
    for (;;) {
      if (!(await this.#take(key, hold, "shared", wait))) return undefined;
      const entry = await backend.lookup(key);
      if (entry?.complete) return entry;
      await this.#letGo(hold);
      if (!(await this.#take(key, hold, "exclusive", wait))) return undefined;
      const now = await backend.lookup(key);
      if (now?.complete) {
        // Another tab has finished it in between.
        await this.#letGo(hold);
        continue;
      }
      // What cannot be used makes room.
      if (!now) await backend.drop(key);
      return now;
    }
  }

  async #take(key: string, hold: Hold, mode: LockMode, wait: boolean): Promise<boolean> {
    const release = await takeLock(key, mode, wait && { signal: this.#closed.signal });
    if (release) hold.lock = { mode, release };
    return release !== null;
  }

  async #end(key: string, hold: Hold): Promise<void> {
    await this.#letGo(hold);
    // Unless the next lookup waits already.
    if (hold.open === 1) this.#holds.delete(key);
  }

  // Another reader may write the same now; one of the two times is as good as the other.
  #use(key: string, hold: Hold, backend: CacheBackend): void {
    const { entry, lock } = hold;
    if (!entry?.complete || lock?.mode !== "shared") return;
    hold.used ??= backend.record(key, { ...entry, used: Date.now() }).catch(() => undefined);
  }

  async #letGo(hold: Hold): Promise<void> {
    await hold.used;
    hold.used = undefined;
    const { lock } = hold;
    hold.lock = undefined;
    hold.early = undefined;
    hold.file?.close();
    hold.file = undefined;
    await lock?.release();
  }

  // What cannot grow any more is of no use: it goes, and the load goes on without it.
  #refuse(key: string, error: unknown): void {
    const hold = this.#hold(key);
    if (hold.refused) return;
    hold.refused = true;
    this.#do(key, async (_, backend) => {
      const says = error instanceof Error ? error.message : String(error);
      // Before anything is thrown away: the figures are those of the failure.
      const [code, message] = isQuota(error)
        ? ["QUOTA_EXCEEDED", await roomMessage(error)]
        : ["CACHE_FAILED", `the browser's storage failed (${says})`];
      await hold.writer?.stop();
      await backend?.drop(key).catch(() => undefined);
      hold.entry = null;
      hold.bytes = 0;
      if (!this.#closed.signal.aborted) this.#tell({ type: "notKept", key, code, message });
    });
  }
}
