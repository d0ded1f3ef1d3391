import { invalidInput, SidestageError } from "./errors.js";
import { kindOf, type PixelImage, type RawPixels } from "./pixels.js";

/**
 * Most pixels that are read at once, after which others may have a turn. It is not tuned: frames of 720
 * lines are one piece, pictures of a camera some ten.
 */
const PIECE = 1 << 20;

interface Context {
  globalCompositeOperation: string;
  drawImage(image: ImageBitmap | VideoFrame, ...rectangles: number[]): void;
  getImageData(
    x: number,
    y: number,
    width: number,
    height: number,
  ): { data: Uint8ClampedArray };
}
interface Canvas {
  width: number;
  height: number;
  getContext(kind: "2d", options: object): Context | null;
}

/** Whether pixels can be read here. */
export function hasCanvas(): boolean {
  return canvasOf(1, 1) !== undefined;
}

function canvasOf(width: number, height: number): Context | undefined {
  const { OffscreenCanvas, document } = globalThis as unknown as {
    OffscreenCanvas?: new (width: number, height: number) => Canvas;
    document?: { createElement(name: "canvas"): Canvas };
  };
  const canvas = OffscreenCanvas
    ? new OffscreenCanvas(width, height)
    : document?.createElement("canvas");
  if (!canvas) return undefined;
  canvas.width = width;
  canvas.height = height;
  // Without the first the pixels would be on the GPU, from where each reading brings all of them.
  const options = { willReadFrequently: true, colorSpace: "srgb" };
  return canvas.getContext("2d", options) ?? undefined;
}

/**
 * The pixels of an image as bytes, in sRGB; the image is closed. They come by way of a canvas, which
 * holds colours times their alpha: of what is nearly transparent little of the colour is left. That is
 * why pixels are laid on a background, where as little of it counts.
 */
export async function pixelsOf(
  image: PixelImage,
  input: string,
  pause: () => Promise<void>,
): Promise<RawPixels> {
  if (isRaw(image)) return image;
  let drawn: ImageBitmap | VideoFrame;
  if (kindOf(image) === "ImageBitmap" || kindOf(image) === "VideoFrame") {
    drawn = image as ImageBitmap | VideoFrame;
  } else {
    try {
      drawn = await createImageBitmap(image);
    } catch (cause) {
      throw invalidInput(input, "is a file that the browser cannot show as an image", cause);
    }
  }
  try {
    return await read(drawn, input, pause);
  } finally {
    drawn.close();
  }
}

/** Bytes of sRGB already: they need no canvas. */
function isRaw(image: PixelImage): image is RawPixels {
  if (!("data" in image)) return false;
  const { data, colorSpace = "srgb" } = image as RawPixels & { colorSpace?: string };
  return data instanceof Uint8ClampedArray && colorSpace === "srgb";
}

async function read(
  image: ImageBitmap | VideoFrame,
  input: string,
  pause: () => Promise<void>,
): Promise<RawPixels> {
  const { displayWidth: width = 0, displayHeight: height = 0 } =
    "displayWidth" in image
      ? image
      : { displayWidth: image.width, displayHeight: image.height };
  if (width === 0 || height === 0) throw invalidInput(input, "is an image that was closed");
  const most = Math.min(height, Math.max(1, Math.floor(PIECE / width)));
  const context = canvasOf(width, most);
  if (!context) {
    throw new SidestageError("PIXELS_UNSUPPORTED", "this worker cannot read pixels", {
      hint: "Give an ImageData, or a tensor.",
      detail: { input },
    });
  }
  context.globalCompositeOperation = "copy";
  let data: Uint8ClampedArray | undefined;
  try {
    for (let y = 0; y < height; y += most) {
      if (y > 0) await pause();
      const rows = Math.min(most, height - y);
      context.drawImage(image, 0, y, width, rows, 0, 0, width, rows);
      const { data: piece } = context.getImageData(0, 0, width, rows);
      if (rows === height) return { width, height, data: piece };
      data ??= new Uint8ClampedArray(width * height * 4);
      data.set(piece, y * width * 4);
    }
  } catch (cause) {
    throw invalidInput(input, "has pixels that cannot be read", cause);
  }
  return { width, height, data: data ?? new Uint8ClampedArray() };
}
