import assert from "node:assert/strict";
import { test } from "node:test";
import { variantOf, wasmFeatures } from "../src/worker/features.js";

test("the probes are valid modules where the instructions exist", () => {
  // V8 has both since Node 21 and fixed SIMD since Node 16.
  const major = Number(process.versions.node.split(".")[0]);
  assert.deepEqual(wasmFeatures(), { simd: true, relaxedSimd: major >= 21 });
});

test("each pair of features has its file", () => {
  assert.deepEqual(
    [
      variantOf(false, false),
      variantOf(true, false),
      variantOf(false, true),
      variantOf(true, true),
    ],
    ["simd", "relaxed", "simd-threads", "relaxed-threads"],
  );
});
