import assert from "node:assert/strict";
import { test } from "node:test";
import { buffersOf, Spares } from "../src/spares.js";
import type { WireNamed } from "../src/wire.js";

const named = (data: Uint8Array<ArrayBuffer>): WireNamed => ({
  name: "x",
  value: { kind: "tensor", dtype: "uint8", shape: [data.length], data },
});

/** The bytes of an input. */
function bytes({ value }: WireNamed): Uint8Array<ArrayBuffer> {
  assert.equal(value.kind, "tensor");
  return value.kind === "tensor" ? value.data : new Uint8Array();
}

test("large tensors go and come back in one buffer, and the page's own stay", () => {
  const spares = new Spares();
  const own = new Uint8Array(1 << 16);
  let before: ArrayBuffer | undefined;
  for (const [round, fill] of [7, 8, 9].entries()) {
    own.fill(fill);
    const { inputs, transfer } = spares.copied([named(own)]);
    assert.equal(transfer.length, 1);
    assert.equal(transfer[0] === before, round > 0);
    // There …
    const [there] = structuredClone(inputs, { transfer });
    assert(there);
    assert.deepEqual(bytes(there), own);
    // … and back.
    const spent = buffersOf([there]);
    spares.keep(structuredClone(spent, { transfer: spent }));
    before = spares.copied([named(own)]).transfer[0];
    assert(before);
    spares.keep([before]);
    assert.equal(own.buffer.byteLength, 1 << 16);
  }
});

test("small tensors are copied without what lies around them", () => {
  const around = new Uint8Array(1 << 20).fill(3);
  const { inputs, transfer } = new Spares().copied([named(around.subarray(4, 8))]);
  assert.deepEqual(transfer, []);
  assert.equal(inputs[0] && bytes(inputs[0]).buffer.byteLength, 4);
  assert.deepEqual(buffersOf(inputs), []);
});

test("a buffer of another size is not taken", () => {
  const spares = new Spares();
  spares.keep([new ArrayBuffer(1 << 17)]);
  const { inputs } = spares.copied([named(new Uint8Array(1 << 16).fill(5))]);
  assert(inputs[0]);
  assert.deepEqual(bytes(inputs[0]), new Uint8Array(1 << 16).fill(5));
});
