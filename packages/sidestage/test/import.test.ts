import assert from "node:assert/strict";
import { test } from "node:test";

test("importing touches no browser global", async () => {
  const touched: string[] = [];
  const names = [
    "document",
    "window",
    "navigator",
    "location",
    "Worker",
    "self",
    "trustedTypes",
  ];
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  for (const name of names) {
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get() {
        touched.push(name);
        return undefined;
      },
    });
  }
  try {
    const sidestage = await import("../src/index.js");
    assert.deepEqual(Object.keys(sidestage).sort(), [
      "SidestageError",
      "canUseWorker",
      "capabilities",
      "deleteModel",
      "embed",
      "generateText",
      "listModels",
      "loadModel",
      "storageEstimate",
      "streamText",
    ]);
    assert.deepEqual(touched, []);
  } finally {
    for (const [at, name] of names.entries()) {
      const old = before[at];
      if (old) Object.defineProperty(globalThis, name, old);
      else delete (globalThis as Record<string, unknown>)[name];
    }
  }
});
