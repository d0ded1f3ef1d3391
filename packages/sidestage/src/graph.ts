import { expect } from "./connection.js";
import { invalidOption, SidestageError } from "./errors.js";
import { flag, knownOnly, signalOf } from "./options.js";
import { pixelsOf } from "./picture.js";
import { eachPixels, hasPixels, release, type Sendable, sendable } from "./pixels.js";
import type { ModelInfo } from "./protocol.js";
import type { Session } from "./session.js";
import { outputOf, type RunInput, type RunOutput, wireInputs } from "./tensor.js";
import { until } from "./until.js";

/** How to run a graph model. */
export interface RunOptions {
  /** The names of the outputs that are wanted; default: all. */
  outputs?: readonly string[] | undefined;
  /**
   * Whether what runs before have left for this one is forgotten: the variables of a TFLite model and the
   * states of its layers. Default: false.
   */
  reset?: boolean | undefined;
  /** Ends the run; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

const KNOWN: ReadonlySet<string> = new Set<keyof RunOptions>(["outputs", "reset", "signal"]);

/** Runs a graph model once: its outputs by name. */
export async function runGraph(
  session: Session,
  info: ModelInfo,
  given: Readonly<Record<string, RunInput>>,
  options: RunOptions,
): Promise<Record<string, RunOutput>> {
  if (typeof given !== "object" || given === null) {
    throw invalidOption("inputs", "must be an object of inputs by name");
  }
  knownOnly(options, KNOWN);
  const signal = signalOf("signal", options.signal);
  const outputs = namesOf(options.outputs);
  const reset = flag("reset", options.reset) ?? false;
  const wire = wireInputs(info, given);
  signal?.throwIfAborted();
  // At once: what a canvas or a video shows may change.
  const pictures = hasPixels(wire) ? sendable(wire) : undefined;
  pictures?.catch(() => undefined);
  let stop = (): void => undefined;
  const work = session.use(async ({ place, handle: model }) => {
    let { inputs, transfer }: Sendable = (await pictures) ?? { inputs: wire, transfer: [] };
    signal?.throwIfAborted();
    if (pictures && !place.capabilities.canvas) ({ inputs, transfer } = await readHere(inputs));
    signal?.throwIfAborted();
    const copies = session.spares.copied(inputs);
    const { id, done } = place.connection.request(
      (request) => ({ type: "run", id: request, model, inputs: copies.inputs, outputs, reset }),
      undefined,
      [...transfer, ...copies.transfer],
    );
    stop = () => place.connection.send({ type: "abort", id, model });
    try {
      const ran = expect(await done, "ran");
      session.spares.keep(ran.spent);
      return ran.outputs;
    } catch (error) {
      throw pictures ? notOurs(error) : error;
    }
  });
  try {
    const ran = await until(signal, work, () => stop());
    return Object.fromEntries(ran.map(({ name, value }) => [name, outputOf(value)]));
  } finally {
    void pictures?.then(release, () => undefined);
  }
}

/** Reads pixels on the page, because the worker cannot: in pieces, and all else is done by the worker. */
async function readHere(inputs: Sendable["inputs"]): Promise<Sendable> {
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  const transfer: Transferable[] = [];
  const read = await eachPixels(inputs, async (value) => {
    const image = await pixelsOf(value.image, value.plan.input, pause);
    // An ImageData is the page's own.
    if (image !== value.image) transfer.push(image.data.buffer as ArrayBuffer);
    return { ...value, image };
  });
  return { inputs: read, transfer };
}

/** Pixels of another site cannot be sent. */
function notOurs(error: unknown): unknown {
  if (!(error instanceof SidestageError) || error.code !== "INVALID_OPTION") return error;
  const { cause } = error;
  if ((cause as DOMException | undefined)?.name !== "DataCloneError") return error;
  return new SidestageError("INPUT_INVALID", "the pixels are of another site", {
    hint: "Load the image with `crossOrigin`, from a server that allows it.",
    cause,
  });
}

function namesOf(outputs: unknown): string[] | null {
  if (outputs === undefined || outputs === null) return null;
  if (Array.isArray(outputs) && outputs.every((name) => typeof name === "string")) {
    return [...outputs];
  }
  throw invalidOption("outputs", "must be an array of names");
}
