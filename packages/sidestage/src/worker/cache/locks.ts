/** Gives a lock back; resolves when it is free. */
export type Release = () => Promise<void>;

const nothing: Release = () => Promise.resolve();

/**
 * Takes the Web Lock of a key's file. `null`: another tab holds it and this one did not want to
 * wait, or its wait was ended. Where the browser has no locks, or refuses them, nobody is kept out.
 */
export async function takeLock(
  key: string,
  mode: LockMode,
  wait: { signal: AbortSignal } | false,
): Promise<Release | null> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (!locks) return nothing;
  const how: LockOptions = wait ? { mode, signal: wait.signal } : { mode, ifAvailable: true };
  return new Promise((resolve) => {
    const released: Promise<unknown> = locks
      .request(`sidestage-file ${key}`, how, (lock) => {
        if (!lock) {
          resolve(null);
          return undefined;
        }
        return new Promise<void>((end) =>
          resolve(async () => {
            end();
            // Until then the next request, even of the same worker, finds it taken.
            await released;
          }),
        );
      })
      .catch(() => resolve(wait && wait.signal.aborted ? null : nothing));
  });
}
