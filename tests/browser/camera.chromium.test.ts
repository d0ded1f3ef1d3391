import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { stage } from "./browser.js";
import { bitmap, classes, says } from "./example.js";
import { readNpz } from "./npz.js";
import { DATA } from "./server.js";
import { withPage } from "./suite.js";

const folder = mkdtempSync(join(tmpdir(), "sidestage-"));
after(() => rmSync(folder, { recursive: true }));

/** What the camera shows, again and again. */
const FILM = join(folder, "digit.y4m");
const up = stage([
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  `--use-file-for-fake-video-capture=${FILM}`,
]);

/** A film of one gray picture, whose pixels are squares of so many. */
function film(side: number, gray: number[], square: number): Buffer {
  const size = side * square;
  const luma = Buffer.alloc(size * size, 0);
  for (let at = 0; at < luma.length; at += 1) {
    const [x, y] = [at % size, Math.floor(at / size)];
    const value = gray[Math.floor(y / square) * side + Math.floor(x / square)] ?? 0;
    luma[at] = 16 + Math.round((value * 219) / 255);
  }
  const colour = Buffer.alloc((size * size) / 2, 128);
  const head = `YUV4MPEG2 W${size} H${size} F30:1 Ip A1:1 C420jpeg\n`;
  return Buffer.concat([Buffer.from(`${head}FRAME\n`), luma, colour]);
}

withPage(up, "example: the camera's pictures are named", "plain", "worker", async () => {
  const { "in.Input3": image } = readNpz(join(DATA ?? "", "onnx/mnist-12.ref.npz"));
  writeFileSync(FILM, film(28, image?.data ?? [], 10));
  const page = await up.openAt(
    (server) => `${server}/bare/examples/image-classifier/index.html`,
  );
  await page.upload("#model", join(DATA ?? "", "onnx/mnist-12.onnx"));
  await says(page, "is ready");
  await page.evaluate(() => {
    (document.getElementById("pixels") as HTMLSelectElement).value = "bytes";
  });
  await page.click("#camera");
  await says(page, "off this page");
  // The five best of the reference, in its order.
  assert.equal(await classes(page), "7,2,3,1,9");
  // Frame by frame.
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        let frames = 0;
        const watch = new MutationObserver(() => {
          frames += 1;
          if (frames < 3) return;
          watch.disconnect();
          resolve();
        });
        watch.observe(document.getElementById("top") as Node, { childList: true });
      }),
  );
  // Another picture ends it.
  await page.evaluate(() => {
    const video = document.getElementById("video") as HTMLVideoElement;
    Object.assign(window, { stream: video.srcObject });
  });
  const still = join(folder, "black.bmp");
  writeFileSync(still, bitmap(28, []));
  await page.upload("#picture", still);
  const track = await page.evaluate(() => {
    const { stream } = window as unknown as { stream: MediaStream };
    const { hidden, srcObject } = document.getElementById("video") as HTMLVideoElement;
    return [stream.getTracks()[0]?.readyState, hidden, srcObject];
  });
  assert.deepEqual(track, ["ended", true, null]);
});
