import { expect } from "./connection.js";
import { invalidOption } from "./errors.js";
import { knownOnly, signalOf } from "./options.js";
import type { ModelInfo } from "./protocol.js";
import type { Session } from "./session.js";
import { outputOf, type RunInput, type RunOutput, wireInputs } from "./tensor.js";
import { until } from "./until.js";

/** How to run a graph model. */
export interface RunOptions {
  /** The names of the outputs that are wanted; default: all. */
  outputs?: readonly string[] | undefined;
  /** Ends the run; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

const KNOWN: ReadonlySet<string> = new Set<keyof RunOptions>(["outputs", "signal"]);

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
  const inputs = wireInputs(info, given);
  signal?.throwIfAborted();
  let stop = (): void => undefined;
  const work = session.use(async ({ place, handle: model }) => {
    signal?.throwIfAborted();
    const { id, done } = place.connection.request((request) => ({
      type: "run",
      id: request,
      model,
      inputs,
      outputs,
    }));
    stop = () => place.connection.send({ type: "abort", id, model });
    return expect(await done, "ran").outputs;
  });
  const ran = await until(signal, work, () => stop());
  return Object.fromEntries(ran.map(({ name, value }) => [name, outputOf(value)]));
}

function namesOf(outputs: unknown): string[] | null {
  if (outputs === undefined || outputs === null) return null;
  if (Array.isArray(outputs) && outputs.every((name) => typeof name === "string")) {
    return [...outputs];
  }
  throw invalidOption("outputs", "must be an array of names");
}
