import type { NamedValue, RunValue } from "../protocol.js";
import type { WireNamed, WireValue } from "../wire.js";
import type { Engine } from "./engine.js";

/** The inputs of a run, their bytes in buffers of the engine. Nothing stays if there is no memory. */
export function intoBuffers(engine: Engine, inputs: readonly WireNamed[]): NamedValue[] {
  const made: number[] = [];
  const put = (value: WireValue): RunValue => {
    switch (value.kind) {
      case "tensor": {
        const buffer = engine.buffer(value.data);
        made.push(buffer);
        return { kind: "tensor", dtype: value.dtype, shape: value.shape, buffer };
      }
      case "sequence":
        return { kind: "sequence", values: value.values.map(put) };
      case "nothing":
        return value;
      case "pixels":
        throw new TypeError("pixels are made tensors before");
    }
  };
  try {
    return inputs.map(({ name, value }) => ({ name, value: put(value) }));
  } catch (error) {
    engine.free(made);
    throw error;
  }
}

/** The outputs of a run with their bytes, and the buffers to hand over. */
export function outOfBuffers(
  engine: Engine,
  outputs: readonly NamedValue[],
): { outputs: WireNamed[]; transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  const take = (value: RunValue): WireValue => {
    switch (value.kind) {
      case "tensor": {
        const data = engine.take(value.buffer);
        transfer.push(data.buffer);
        return { kind: "tensor", dtype: value.dtype, shape: value.shape, data };
      }
      case "sequence":
        return { kind: "sequence", values: value.values.map(take) };
      case "nothing":
        return value;
    }
  };
  return {
    outputs: outputs.map(({ name, value }) => ({ name, value: take(value) })),
    transfer,
  };
}
