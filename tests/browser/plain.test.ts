import assert from "node:assert/strict";
import { join } from "node:path";
import { stage } from "./browser.js";
import { MNIST_PORTS } from "./goldens.js";
import { readNpz } from "./npz.js";
import { DATA } from "./server.js";
import { withPage } from "./suite.js";

// The worker that a page talks to without this package: the messages of the stub it replaces.

const up = stage();
const file = join(DATA ?? "", "onnx", "mnist-12.ref.npz");
const SITES = ["plain", "isolated", "credentialless", "dip-require-corp", "bare"];

for (const site of SITES) {
  withPage(
    up,
    `the ready worker: a page written for a stub gets real results (${site})`,
    site,
    "worker",
    async (page) => {
      const { "in.Input3": image, "out.Plus214_Output_0": expected } = readNpz(file);
      assert.ok(image && expected);
      const out = await page.evaluate(
        async ({ data, shape }) => {
          // As such pages are: one message, one answer, no ids.
          const ask = (worker: Worker, message: unknown): Promise<Record<string, unknown>> =>
            new Promise((resolve) => {
              worker.onmessage = ({ data }: MessageEvent<Record<string, unknown>>) => {
                if (data.type !== "PROGRESS") resolve(data);
              };
              worker.postMessage(message);
            });
          const worker = new Worker("dist/worker.js");
          const init = await ask(worker, {
            type: "INIT",
            modelPath: "../data/onnx/mnist-12.onnx",
          });
          const nested = await ask(worker, { type: "INFER", params: { input: data, shape } });
          const flat = await ask(worker, {
            type: "INFER",
            params: { input: data, dims: shape },
          });
          const inputs = { Input3: { data: new Float32Array(data), shape } };
          const named = await ask(worker, { type: "INFER", id: "a", params: { inputs } });
          const wrong = await ask(worker, {
            type: "INFER",
            id: 7,
            params: { input: [1], shape: [1] },
          });
          const none = await ask(worker, { type: "INIT", modelPath: "../data/none.onnx" });
          const disposed = await ask(worker, { type: "DISPOSE" });
          const early = await ask(worker, { type: "INFER", params: { input: data, shape } });
          const module = new Worker("dist/worker.js", { type: "module" });
          const story = await ask(module, {
            type: "INIT",
            modelPath: "../models/stories260K-F32.gguf",
          });
          const params = { input: "Once upon a time", maxTokens: 8, temperature: 0 };
          const text = await ask(module, { type: "INFER", params });
          worker.terminate();
          module.terminate();
          const plain = (flat.result as Float32Array) instanceof Float32Array;
          return {
            init,
            nested: nested.result as number[][],
            flat: { plain, data: Array.from(flat.result as Float32Array) },
            named: [named.type, named.id, Object.keys(named.outputs as object)],
            wrong: [wrong.type, wrong.id, wrong.code],
            none: [none.type, none.code],
            disposed: disposed.type,
            early: [early.type, early.code],
            story: story.type,
            text: text.result ?? text,
          };
        },
        { data: image.data, shape: image.shape },
      );
      const { timings, ...init } = out.init;
      assert.ok((timings as { loadMs: number }).loadMs > 0);
      assert.deepEqual(init, {
        type: "INIT_DONE",
        ...MNIST_PORTS,
        backend: "cpu",
      });
      assert.equal(out.nested.length, 1);
      assert.deepEqual(out.flat, { plain: true, data: out.nested[0] });
      for (const [at, value] of expected.data.entries()) {
        assert.ok(Math.abs((out.nested[0]?.[at] ?? NaN) - value) < 0.05);
      }
      assert.deepEqual(out.named, ["RESULT", "a", ["Plus214_Output_0"]]);
      assert.deepEqual(out.wrong, ["ERROR", 7, "INPUT_INVALID"]);
      assert.deepEqual(out.none, ["ERROR", "NOT_FOUND"]);
      assert.equal(out.disposed, "DISPOSED");
      assert.deepEqual(out.early, ["ERROR", "MODEL_NOT_LOADED"]);
      assert.equal(out.story, "INIT_DONE");
      assert.equal(typeof out.text, "string", JSON.stringify(out.text));
    },
  );
}
