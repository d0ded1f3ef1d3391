type Work = (lock: { name: string } | null) => unknown;

interface Wish {
  name: string;
  mode: LockMode;
  grant(): void;
}

/** Web Locks in one process: shared and exclusive, in the order they are asked for. */
export class FakeLocks {
  #holders: { name: string; mode: LockMode }[] = [];
  #queue: Wish[] = [];

  /** Locks that are held. */
  get held(): number {
    return this.#holders.length;
  }

  request(name: string, how: LockOptions, work: Work): Promise<unknown> {
    const mode = how.mode ?? "exclusive";
    return new Promise((resolve, reject) => {
      const wish: Wish = {
        name,
        mode,
        grant: () => {
          const holder = { name, mode };
          this.#holders.push(holder);
          Promise.resolve(work({ name })).then((value) => {
            this.#holders.splice(this.#holders.indexOf(holder), 1);
            resolve(value);
            this.#next();
          }, reject);
        },
      };
      if (how.ifAvailable && !this.#isFree(wish, this.#queue)) {
        resolve(work(null));
        return;
      }
      this.#queue.push(wish);
      how.signal?.addEventListener("abort", () => {
        const at = this.#queue.indexOf(wish);
        if (at < 0) return;
        this.#queue.splice(at, 1);
        reject(new DOMException("given up", "AbortError"));
      });
      this.#next();
    });
  }

  #isFree(wish: Wish, before: Wish[]): boolean {
    return [...this.#holders, ...before].every(
      ({ name, mode }) => name !== wish.name || (mode === "shared" && wish.mode === "shared"),
    );
  }

  #next(): void {
    const at = this.#queue.findIndex((wish, i) => this.#isFree(wish, this.#queue.slice(0, i)));
    if (at < 0) return;
    const [wish] = this.#queue.splice(at, 1);
    wish?.grant();
    this.#next();
  }
}
