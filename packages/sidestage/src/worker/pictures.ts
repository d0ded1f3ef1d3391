import { SidestageError } from "../errors.js";
import { pixelsOf } from "../picture.js";
import { eachPixels, hasPixels } from "../pixels.js";
import type { WireRun } from "../wire.js";
import { type Pace, tensorOf } from "./resample.js";

/** What a typed array that is too long for the memory is refused with. */
function roomless(error: unknown): SidestageError | undefined {
  if (!(error instanceof RangeError)) return undefined;
  return new SidestageError("OUT_OF_MEMORY", "there is no memory for the pixels", {
    hint: "Use a smaller picture, or a smaller `width` and `height`.",
    cause: error,
  });
}

/** What becomes of runs whose pictures were made tensors. */
export interface PictureHost extends Pace {
  ready(run: WireRun): void;
  failed(id: number, error: unknown): void;
}

/**
 * Runs that wait until their pictures are tensors. They go one after the other, so that the pixels of
 * one picture only are in memory, and runs without pictures stay behind those that came before.
 */
export class Pictures {
  readonly #host: PictureHost;
  readonly #waiting = new Set<number>();
  #last: Promise<void> = Promise.resolve();

  constructor(host: PictureHost) {
    this.#host = host;
  }

  /** Whether the run has to wait; the host is told when it needs no more. */
  take(run: WireRun): boolean {
    if (this.#waiting.size === 0 && !hasPixels(run.inputs)) return false;
    this.#waiting.add(run.id);
    this.#last = this.#last.then(() => this.#prepare(run));
    return true;
  }

  /** Ends a run that waits. Whether it did. */
  abort(id: number): boolean {
    return this.#waiting.delete(id);
  }

  async #prepare(run: WireRun): Promise<void> {
    const { id } = run;
    try {
      let before: Promise<unknown> = Promise.resolve();
      const inputs = await eachPixels(run.inputs, (value) => {
        const { image, plan } = value;
        const tensor = before.then(async () => {
          if (!this.#waiting.has(id))
            throw new SidestageError("ABORTED", "the run was aborted");
          const pixels = await pixelsOf(image, plan.input, () => this.#host.pause());
          return { kind: "tensor", ...(await tensorOf(pixels, plan, this.#host)) } as const;
        });
        before = tensor.catch(() => undefined);
        return tensor;
      });
      if (this.#waiting.delete(id)) this.#host.ready({ ...run, inputs });
    } catch (error) {
      if (this.#waiting.delete(id)) this.#host.failed(id, roomless(error) ?? error);
    }
  }
}
