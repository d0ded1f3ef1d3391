import type { Page } from "./drivers/driver.js";

/** Waits until the page's status has this in it, and gives the whole. */
export function says(page: Page, what: string): Promise<string> {
  return page.evaluate(
    (what) =>
      new Promise<string>((resolve) => {
        const look = (): boolean => {
          const text = document.getElementById("status")?.textContent ?? "";
          if (text.includes(what)) resolve(text);
          return text.includes(what);
        };
        if (look()) return;
        const watch = new MutationObserver(() => look() && watch.disconnect());
        watch.observe(document, { subtree: true, childList: true });
      }),
    what,
  );
}

/** What the classifier sees in the picture. */
export function classes(page: Page): Promise<string> {
  return page.evaluate(() => {
    const labels = document.querySelectorAll("#top li");
    return Array.from(labels, (one) => one.firstChild?.textContent).join();
  });
}

/** A bitmap file of gray pixels, whose rows come from below. */
export function bitmap(side: number, gray: number[]): Buffer {
  const head = Buffer.alloc(54);
  head.write("BM");
  head.writeUInt32LE(54 + side * side * 4, 2);
  head.writeUInt32LE(54, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(side, 18);
  head.writeInt32LE(side, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(32, 28);
  const rows = Array.from({ length: side }, (_, y) =>
    Array.from({ length: side }, (_, x) => gray[y * side + x] ?? 0),
  );
  const pixels = rows
    .reverse()
    .flatMap((row) => row.flatMap((value) => [value, value, value, 255]));
  return Buffer.concat([head, Buffer.from(pixels)]);
}
