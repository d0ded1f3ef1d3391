import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stage } from "./browser.js";
import { readNpz } from "./npz.js";
import { DATA } from "./server.js";
import { withPage } from "./suite.js";

const up = stage();

/** A bitmap file of gray pixels, whose rows come from below. */
function bitmap(side: number, gray: number[]): Buffer {
  const head = Buffer.alloc(54);
  head.write("BM");
  head.writeUInt32LE(54 + side * side * 4, 2);
  head.writeUInt32LE(54, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(side, 18);
  head.writeInt32LE(side, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(32, 28);
  const rows = Array.from({ length: side }, (_, y) => gray.slice(y * side, (y + 1) * side));
  const pixels = rows
    .reverse()
    .flatMap((row) => row.flatMap((value) => [value, value, value, 255]));
  return Buffer.concat([head, Buffer.from(pixels)]);
}

withPage(up, "example: the image classifier names a digit", "plain", "worker", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sidestage-"));
  try {
    const path = join(folder, "digit.bmp");
    const { "in.Input3": image } = readNpz(join(DATA ?? "", "onnx/mnist-12.ref.npz"));
    writeFileSync(path, bitmap(28, image?.data ?? []));
    const page = await up.openAt(
      (server) => `${server}/bare/examples/image-classifier/index.html`,
    );
    const says = (what: string): Promise<string> =>
      page.evaluate(
        (what) =>
          new Promise<string>((resolve) => {
            const status = document.getElementById("status");
            const look = (): boolean => {
              if (!status?.textContent?.includes(what)) return false;
              const labels = document.querySelectorAll("#top li");
              resolve(Array.from(labels, (one) => one.firstChild?.textContent).join());
              return true;
            };
            if (look()) return;
            const watch = new MutationObserver(() => look() && watch.disconnect());
            watch.observe(document, { subtree: true, childList: true });
          }),
        what,
      );
    await page.upload("#model", join(DATA ?? "", "onnx/mnist-12.onnx"));
    assert.equal(await says("is ready"), "");
    await page.evaluate(() => {
      (document.getElementById("pixels") as HTMLSelectElement).value = "bytes";
    });
    await page.upload("#picture", path);
    const labels = await says("off this page");
    // The five best of the reference, in its order.
    assert.equal(labels, "7,2,3,1,9");
    assert.deepEqual(
      up.console.filter((line) => line.startsWith("error")),
      [],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
