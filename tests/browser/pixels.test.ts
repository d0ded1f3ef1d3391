import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BROWSER, stage } from "./browser.js";
import { DATA } from "./server.js";
import { bothModes, withPage } from "./suite.js";

// What TensorFlow.js gives for a picture that lies beside the model as bytes.

const MODEL = "human-emotion";
const SIDE = 64;
const up = stage();

/** The reference's outputs. */
function expected(): number[] {
  const bytes = readFileSync(join(DATA ?? "", "tfjs", MODEL, "ref.0.f32"));
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
}

function near(found: number[] | undefined, tolerance: number): void {
  for (const [at, value] of expected().entries()) {
    const one = found?.[at] ?? NaN;
    assert.ok(Math.abs(one - value) <= tolerance, `${at}: ${one}, ${value}`);
  }
}

/** The same picture in each form that this browser has, and what the model makes of each. */
async function everyForm({ model: path, side }: { model: string; side: number }): Promise<{
  found: Record<string, number[]>;
  canvas: boolean;
  large: number[][];
  own: boolean;
}> {
  const model = await window.help.load({}, `data/tfjs/${path}/model.json`);
  const name = model.inputs[0]?.name ?? "";
  const run = async (image: unknown): Promise<number[]> => {
    const out = await model.run({ [name]: image as ImageData });
    const [first] = Object.values(out) as { data: Float32Array }[];
    return Array.from(first?.data ?? []);
  };
  const gray = new Uint8Array(
    await (await fetch(`data/tfjs/${path}/input.0.u8`)).arrayBuffer(),
  );
  const data = new ImageData(side, side);
  for (const [at, value] of gray.entries()) {
    data.data.set([value, value, value, 255], 4 * at);
  }
  const drawn = (picture: ImageData): HTMLCanvasElement => {
    const canvas = document.createElement("canvas");
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d", { willReadFrequently: true })?.putImageData(picture, 0, 0);
    return canvas;
  };
  const file = (canvas: HTMLCanvasElement): Promise<Blob> =>
    new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no file"))));
    });
  const canvas = drawn(data);
  const image = new Image();
  image.src = canvas.toDataURL();
  await image.decode();
  const bitmap = await createImageBitmap(data);
  const found: Record<string, number[]> = {
    imageData: await run(data),
    described: await run({ source: data, layout: "nhwc", range: [0, 1], order: "gray" }),
    bitmap: await run(bitmap),
    canvas: await run(canvas),
    image: await run(image),
    file: await run(await file(canvas)),
  };
  if (typeof OffscreenCanvas === "function") {
    const offscreen = new OffscreenCanvas(side, side);
    offscreen.getContext("2d", { willReadFrequently: true })?.putImageData(data, 0, 0);
    found.offscreen = await run(offscreen);
  }
  let own = bitmap.width === side;
  if (typeof VideoFrame === "function") {
    const frame = new VideoFrame(canvas, { timestamp: 0 });
    found.frame = await run(frame);
    own &&= frame.codedWidth === side;
    frame.close();
  }
  // More than is read at once.
  const wide = new ImageData(1500, 1000);
  for (let at = 0; at < wide.data.length; at += 1) {
    wide.data[at] = at % 4 === 3 ? 255 : (at * at) % 251;
  }
  const large = [await run(wide), await run(await file(drawn(wide)))];
  // A canvas that changes after the call.
  const run1 = run(canvas);
  canvas.getContext("2d")?.clearRect(0, 0, side, side);
  found.changed = await run1;
  return { found, canvas: model.capabilities.canvas, large, own };
}

bothModes("pixels", (test, mode) => {
  test("every source gives what TensorFlow.js gives", async (page) => {
    const out = await page.evaluate(everyForm, { model: MODEL, side: SIDE });
    near(out.found.imageData, 1e-4);
    for (const [kind, found] of Object.entries(out.found)) {
      assert.deepEqual(found, out.found.imageData, kind);
    }
    assert.deepEqual(out.large[1], out.large[0]);
    assert.ok(out.own, "what was given is still there");
    if (BROWSER === "chromium") {
      assert.ok(out.canvas);
      assert.ok("frame" in out.found && "offscreen" in out.found);
    }
  });

  if (BROWSER === "chromium" && mode === "worker") {
    test("a video's frame is a picture", async (page) => {
      const found = await page.evaluate(
        async ({ path, side }) => {
          const gray = new Uint8Array(
            await (await fetch(`data/tfjs/${path}/input.0.u8`)).arrayBuffer(),
          );
          const data = new ImageData(side, side);
          for (const [at, value] of gray.entries()) {
            data.data.set([value, value, value, 255], 4 * at);
          }
          const canvas = document.createElement("canvas");
          canvas.width = canvas.height = side;
          const context = canvas.getContext("2d");
          const video = document.createElement("video");
          const model = await window.help.load({}, `data/tfjs/${path}/model.json`);
          const name = model.inputs[0]?.name ?? "";
          const early = await window.help.caught(model.run({ [name]: video }));
          video.muted = true;
          video.srcObject = canvas.captureStream();
          const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
          context?.putImageData(data, 0, 0);
          await video.play();
          await shown;
          const [first] = Object.values(await model.run({ [name]: video })) as {
            data: Float32Array;
          }[];
          return { early, scores: Array.from(first?.data ?? []) };
        },
        { path: MODEL, side: SIDE },
      );
      assert.equal(found.early?.code, "INPUT_INVALID");
      // Its colours have been to YUV and back.
      near(found.scores, 0.05);
    });
  }

  test("colours, in the reference's own order, are those of a layers model", async (page) => {
    if (BROWSER !== "chromium") return;
    const out = await page.evaluate(async () => {
      const path = "data/tfjs/nsfwjs-mobilenet_v2";
      const rgb = new Uint8Array(await (await fetch(`${path}/input.0.u8`)).arrayBuffer());
      const picture = new ImageData(224, 224);
      for (let at = 0; at < 224 * 224; at += 1) {
        picture.data.set(
          [rgb[3 * at] ?? 0, rgb[3 * at + 1] ?? 0, rgb[3 * at + 2] ?? 0, 255],
          4 * at,
        );
      }
      const model = await window.help.load({}, `${path}/model.json`);
      const name = model.inputs[0]?.name ?? "";
      const run = async (options: object): Promise<number[]> => {
        const input = { source: picture, width: 224, height: 224, ...options };
        const [first] = Object.values(await model.run({ [name]: input })) as {
          data: Float32Array;
        }[];
        return Array.from(first?.data ?? []);
      };
      return { rgb: await run({}), bgr: await run({ order: "bgr" }) };
    });
    const bytes = readFileSync(join(DATA ?? "", "tfjs/nsfwjs-mobilenet_v2/ref.0.f32"));
    const scores = out.rgb.map((_, at) => bytes.readFloatLE(4 * at));
    for (const [at, score] of scores.entries()) {
      assert.ok(
        Math.abs((out.rgb[at] ?? NaN) - score) < 1e-4,
        `${at}: ${out.rgb[at]}, ${score}`,
      );
    }
    assert.notDeepEqual(out.bgr, out.rgb);
  });

  test("what cannot be a picture is refused, and a run with one is ended", async (page) => {
    const out = await page.evaluate(async (path) => {
      const model = await window.help.load({}, `data/tfjs/${path}/model.json`);
      const name = model.inputs[0]?.name ?? "";
      const { caught } = window.help;
      const refused = (image: unknown, options = {}): ReturnType<typeof caught> =>
        caught(() => model.run({ [name]: image as ImageData }, options));
      const closed = await createImageBitmap(new ImageData(2, 2));
      closed.close();
      const canvas = document.createElement("canvas");
      canvas.width = 0;
      const errors = [
        await refused(closed),
        await refused(canvas),
        await refused(new Image()),
        await refused(new Blob(["no picture"])),
        await refused(new Blob()),
        await refused({ source: new ImageData(2, 2), order: "rgb" }),
        await refused({ source: "picture.png" }),
      ];
      const controller = new AbortController();
      const { signal } = controller;
      const run = refused(new ImageData(2000, 2000), { signal });
      controller.abort();
      const aborted = await run;
      return { errors, aborted, next: await refused(new ImageData(2, 2)) };
    }, MODEL);
    for (const [at, error] of out.errors.entries()) {
      assert.equal(error?.code, "INPUT_INVALID", `${at}: ${error?.message}`);
    }
    assert.equal(out.aborted?.name, "AbortError");
    assert.equal(out.next, null);
  });
});

withPage(
  up,
  "pixels: where the worker has no canvas the page reads them",
  "no-canvas",
  "worker",
  async (page) => {
    const out = await page.evaluate(everyForm, { model: MODEL, side: SIDE });
    assert.equal(out.canvas, false);
    near(out.found.imageData, 1e-4);
    for (const [kind, found] of Object.entries(out.found)) {
      assert.deepEqual(found, out.found.imageData, kind);
    }
    assert.deepEqual(out.large[1], out.large[0]);
  },
);

withPage(up, "pixels: those of another site are refused", "bare", "worker", async (page) => {
  const error = await page.evaluate(
    async ({ url, path }) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      const model = await window.help.load({}, `data/tfjs/${path}/model.json`);
      const name = model.inputs[0]?.name ?? "";
      return window.help.caught(model.run({ [name]: image }));
    },
    { url: `${up.server.url.replace("127.0.0.1", "localhost")}/bare/pixel.png`, path: MODEL },
  );
  assert.equal(error?.code, "INPUT_INVALID");
});

withPage(up, "pixels: the ready worker takes them", "plain", "worker", async (page) => {
  const found = await page.evaluate(
    async ({ path, side }) => {
      const worker = new Worker("dist/worker.js");
      const ask = (message: object, transfer: Transferable[] = []): Promise<unknown> =>
        new Promise((resolve) => {
          worker.onmessage = ({ data }: MessageEvent<{ type: string }>) => {
            if (data.type !== "PROGRESS") resolve(data);
          };
          worker.postMessage(message, transfer);
        });
      await ask({ type: "INIT", modelPath: `../data/tfjs/${path}/model.json` });
      const gray = new Uint8Array(
        await (await fetch(`data/tfjs/${path}/input.0.u8`)).arrayBuffer(),
      );
      const data = new ImageData(side, side);
      for (const [at, value] of gray.entries()) {
        data.data.set([value, value, value, 255], 4 * at);
      }
      type Result = { result: number[][]; code?: string };
      const nested = (await ask({ type: "INFER", params: { input: data } })) as Result;
      const bitmap = await createImageBitmap(data);
      const params = { input: bitmap, range: [0, 1], order: "gray" };
      const handed = (await ask({ type: "INFER", params }, [bitmap])) as Result;
      const wrong = { input: data, order: "rgb" };
      const refused = (await ask({ type: "INFER", params: wrong })) as Result;
      worker.terminate();
      return { nested: nested.result[0], handed: handed.result?.[0], code: refused.code };
    },
    { path: MODEL, side: SIDE },
  );
  near(found.nested, 1e-4);
  assert.deepEqual(found.handed, found.nested);
  assert.equal(found.code, "INPUT_INVALID");
});
