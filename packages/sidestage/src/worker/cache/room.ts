/** Whether a write failed because the site may keep no more. */
export function isQuota(error: unknown): boolean {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

/** What the browser lets the site keep, as far as it says so. */
export async function estimate(): Promise<{ usage: number | null; quota: number | null }> {
  const { storage } = navigator as { storage?: StorageManager };
  try {
    const { usage, quota } = (await storage?.estimate()) ?? {};
    return { usage: usage ?? null, quota: quota ?? null };
  } catch {
    return { usage: null, quota: null };
  }
}

/**
 * Fails if so many bytes more do not fit; better now than after a long download. Chromium reports
 * 10 GiB more than is used, whatever is free: there the write itself fails.
 */
export async function checkRoom(bytes: number): Promise<void> {
  const { usage, quota } = await estimate();
  if (usage !== null && quota !== null && bytes > quota - usage) {
    throw new DOMException(`${bytes} bytes more do not fit`, "QuotaExceededError");
  }
}

/** What is told of it, with the figures. */
export async function roomMessage(error: unknown): Promise<string> {
  const { usage, quota } = await estimate();
  const says = error instanceof Error ? error.message : String(error);
  const figures =
    usage === null || quota === null
      ? ""
      : `; the browser reports ${usage} bytes used of ${quota}`;
  return `there is no more room for this site (${says}${figures})`;
}
