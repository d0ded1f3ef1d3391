import { BROWSER } from "./browser.js";
import type { Page } from "./drivers/driver.js";

/**
 * Keeps what a page's models leave in the Cache API until the page is left. WebKitGTK's automated
 * session is a private one: it writes nothing to the disk, and forgets a cache as soon as no page and
 * no worker has it open. A worker that starts late would find nothing of one that has ended.
 */
export async function holdCache(page: Page): Promise<void> {
  if (BROWSER !== "webkit") return;
  await page.evaluate(async () => {
    try {
      Object.assign(window, { held: await caches.open("sidestage") });
    } catch {
      // A page without an origin has no caches, and keeps nothing.
    }
  });
}
