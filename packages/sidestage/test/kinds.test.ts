import assert from "node:assert/strict";
import { test } from "node:test";
import { kindOf } from "../src/worker/kinds.js";

const GRAPHS = [
  "https://host/a/model.onnx",
  "https://host/a/MODEL.TFLITE?signature=x.gguf",
  "https://host/a/model.json#top",
  "hf:owner/repo/onnx/model_q4.onnx@main",
];
const LANGUAGE = [
  "https://host/a/m.gguf",
  "https://host/a/m.gguf?name=model.onnx",
  "https://host/a/",
  "https://host/a/config.json",
  "https://host/a/my-model.json",
  "https://host/signed",
  "hf:owner/model.onnx-repo",
];

test("a URL's name suggests the kind of its model", () => {
  for (const url of GRAPHS) assert.equal(kindOf({ kind: "url", url }), "graphs", url);
  for (const url of LANGUAGE) assert.equal(kindOf({ kind: "url", url }), "language", url);
});

test("so does the name of one of several files", () => {
  const kind = (...names: string[]) =>
    kindOf({ kind: "held", files: names.map((name) => ({ name, size: 1 })) });
  assert.equal(kind("model.onnx.data", "model.onnx"), "graphs");
  assert.equal(kind("group1-shard1of1.bin", "model.json"), "graphs");
  assert.equal(kind("config.json", "model.safetensors"), "language");
  assert.equal(kind("bytes"), "language");
});
