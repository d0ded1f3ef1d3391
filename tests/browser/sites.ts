import type { ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { guidesSite, programs } from "./guides.js";
import { suiteFiles } from "./suites.js";

/** How the pages under one path are served. */
export interface Site {
  /** On every answer. */
  headers: Record<string, string>;
  /** On one path; an empty value takes a header away. */
  only?: Record<string, Record<string, string>>;
  /** Answers of its own. */
  files?: Record<string, (response: ServerResponse) => void>;
  /** Text files that are changed on their way. */
  edit?: Record<string, (text: string) => string>;
}

/** The policy that the README promises to be enough. Every test runs under it or a stricter one. */
const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src data:";
const strict = { "content-security-policy": POLICY };
const isolated = {
  ...strict,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

const TRUSTED = `${POLICY}; require-trusted-types-for 'script'; trusted-types sidestage`;
/** By name: in WebKit `'self'` is nothing in a page without an origin. */
const NAMED = POLICY.replaceAll("'self'", "http://127.0.0.1:*");
const BLOB = NAMED.replace("worker-src", "worker-src blob:");
const cors = {
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
};

const WORKER = "dist/sidestage-worker.js";
const HOST = "dist/sidestage-host.js";

const status =
  (code: number, type: string, body: string) =>
  (response: ServerResponse): void => {
    response.writeHead(code, { "content-type": type }).end(body);
  };
const html = status(200, "text/html", "<!doctype html><p>Not what you wanted.</p>");
/** A picture of one pixel. */
const pixel = (response: ServerResponse): void => {
  const file =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
  response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from(file, "base64"));
};
const missing = status(404, "text/plain", "not here");
const policy = (text: string): Site => ({ headers: { "content-security-policy": text } });

/** Before the worker's script: the first pool thread has so little stack that its work traps. */
const NO_STACK = `
if (self.name === "sidestage-1") {
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (module, imports) {
    const { exports } = new Instance(module, imports);
    const pool_enter = (index) => {
      exports.__stack_pointer.value = 256;
      exports.pool_enter(index);
    };
    return { exports: { ...exports, pool_enter } };
  };
}
`;

/** Before the worker's script: it hangs when it makes a thread. */
const HANGS = `
self.Worker = class { constructor() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); } };
`;

/** Before the worker's script: there is no way to write a file in the private file system. */
const NO_FILES = `
if (typeof FileSystemFileHandle === "function")
  delete FileSystemFileHandle.prototype.createSyncAccessHandle;
`;
/** Before the worker's script: there is no canvas outside a page. */
const NO_CANVAS = "delete self.OffscreenCanvas;\n";
/** Before the worker's script: there is no way to keep a response. */
const NO_CACHES = `
Object.defineProperty(self, "caches", { get: () => { throw new DOMException("not here", "SecurityError"); } });
`;
/** Before the worker's script: a machine of so many cores. */
const cores = (count: number): string =>
  `Object.defineProperty(navigator, "hardwareConcurrency", { get: () => ${count} });`;
/** A page that may load models from elsewhere. */
const open = {
  "content-security-policy": POLICY.replace("connect-src 'self'", "connect-src *"),
};
/** Before the worker's script: things that happen to workers, on demand. */
const HOOKS = `{
  const hooks = {
    // The engine asks for the time at every turn.
    trap: () => { performance.now = () => { throw new Error("trapped on purpose"); }; },
    close: () => self.close(),
    hang: () => { for (;;) if (Number.isNaN(performance.now())) return; },
  };
  const channel = new BroadcastChannel("hooks");
  channel.onmessage = ({ data }) => {
    if (!(data in hooks)) return;
    channel.postMessage("done");
    hooks[data]();
  };
}
`;

const each = <T>(paths: string[], value: T): Record<string, T> =>
  Object.fromEntries(paths.map((path) => [path, value]));
const WASM = ["simd", "relaxed", "simd-threads", "relaxed-threads", "text"].map(
  (name) => `dist/sidestage-${name}.wasm`,
);

const data = (path: string): string => join(process.env.SIDESTAGE_TESTDATA ?? "", path);

// Bundled to tests/browser/dist.
const repository = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** What the guides in `docs` run. */
export const GUIDES = programs(join(repository, "docs"));

export const sites: Record<string, Site> = {
  plain: { headers: strict },
  isolated: { headers: isolated },
  bare: { headers: {}, files: { "pixel.png": pixel } },
  "no-canvas": { headers: strict, edit: { [WORKER]: (text) => NO_CANVAS + text } },
  suites: { headers: strict, files: suiteFiles(repository, process.env.SIDESTAGE_TESTDATA) },
  guides: guidesSite(
    GUIDES,
    {
      "models/chat.gguf": join(repository, "models/box/box.gguf"),
      "models/all-MiniLM-L6-v2.gguf": data("embed/all-MiniLM-L6-v2-KMIX.gguf"),
      "models/mnist-12.onnx": data("onnx/mnist-12.onnx"),
      "models/sine.tflite": data("tflite/tflm_hello_world_float.tflite"),
    },
    strict,
  ),

  // Isolated in other ways.
  credentialless: {
    headers: { ...isolated, "cross-origin-embedder-policy": "credentialless" },
  },
  "dip-require-corp": {
    headers: { ...strict, "document-isolation-policy": "isolate-and-require-corp" },
  },
  "dip-credentialless": {
    headers: { ...strict, "document-isolation-policy": "isolate-and-credentialless" },
  },

  // Its worker may start no workers of its own.
  "threads-csp": {
    headers: isolated,
    only: {
      [WORKER]: {
        ...isolated,
        "content-security-policy": POLICY.replace("worker-src 'self'", "worker-src 'none'"),
      },
    },
  },
  "one-core": { headers: isolated, edit: { [WORKER]: (text) => cores(1) + text } },
  "three-cores": { headers: isolated, edit: { [WORKER]: (text) => cores(3) + text } },
  "isolated-memory": {
    headers: isolated,
    edit: { [WORKER]: (text) => cores(2) + NO_FILES + NO_CACHES + text },
  },
  hooked: { headers: strict, edit: { [WORKER]: (text) => HOOKS + text } },
  "threads-hang": { headers: isolated, edit: { [WORKER]: (text) => HANGS + text } },
  "threads-trap": { headers: isolated, edit: { [WORKER]: (text) => NO_STACK + text } },

  // Models from a hub, kept in different places.
  hub: { headers: open },
  "hub-cache-api": { headers: open, edit: { [WORKER]: (text) => NO_FILES + text } },
  "hub-memory": { headers: open, edit: { [WORKER]: (text) => NO_FILES + NO_CACHES + text } },

  // The worker's script cannot start.
  "worker-404": { headers: strict, files: { [WORKER]: missing } },
  "worker-html": { headers: strict, files: { [WORKER]: html } },
  "worker-mime": { headers: strict, only: { [WORKER]: { "content-type": "text/plain" } } },
  "worker-csp": policy(POLICY.replace("worker-src 'self'", "worker-src 'none'")),
  "worker-coep": {
    headers: isolated,
    only: { [WORKER]: { "cross-origin-embedder-policy": "" } },
  },
  "worker-throws": {
    headers: strict,
    edit: { [WORKER]: () => "throw new Error('on purpose');" },
  },
  "worker-silent": { headers: strict, edit: { [WORKER]: () => "onmessage = () => {};" } },
  "worker-old": {
    headers: strict,
    edit: { [WORKER]: (text) => text.replace(/"\d+\.\d+\.\d+\+[0-9a-f]{12}"/, '"0.0.1+old"') },
  },
  "worker-elsewhere": policy(
    POLICY.replace("worker-src 'self'", "worker-src http://localhost:*").replace(
      "connect-src 'self'",
      "connect-src 'self' http://localhost:*",
    ),
  ),
  cors: { headers: { ...strict, ...cors } },
  "host-404": { headers: strict, files: { [HOST]: missing } },

  // The chat page without its worker.
  "chat-404": { headers: strict, files: { "chat/sidestage/sidestage-worker.js": missing } },

  // Trusted Types.
  trusted: policy(TRUSTED),
  "trusted-other": policy(`${POLICY}; require-trusted-types-for 'script'; trusted-types mine`),

  "trusted-isolated": { headers: { ...isolated, "content-security-policy": TRUSTED } },

  // What is in sandboxed frames; its files allow every origin, because such a frame has none.
  sandboxed: { headers: { ...cors, "content-security-policy": BLOB } },
  "sandboxed-strict": { headers: { ...cors, "content-security-policy": NAMED } },
  "sandboxed-isolated": {
    headers: { ...isolated, ...cors, "content-security-policy": BLOB },
  },
  "sandboxed-dip": {
    headers: {
      ...cors,
      "content-security-policy": BLOB,
      "document-isolation-policy": "isolate-and-credentialless",
    },
  },

  // A page without an origin, as in a sandboxed frame; its files allow every origin.
  sandbox: {
    headers: {
      "content-security-policy":
        "sandbox allow-scripts; script-src * 'wasm-unsafe-eval'; worker-src * blob:; connect-src *",
      "access-control-allow-origin": "*",
    },
  },

  // The wasm files cannot be had.
  "wasm-404": { headers: strict, files: each(WASM, missing) },
  "wasm-html": { headers: strict, files: each(WASM, html) },
  "wasm-mime": {
    headers: strict,
    only: each(WASM, { "content-type": "application/octet-stream" }),
  },
  "wasm-csp-worker": {
    headers: strict,
    only: {
      [WORKER]: { "content-security-policy": "default-src 'self'; script-src 'self'" },
    },
  },
  "wasm-csp-page": {
    headers: strict,
    only: {
      "page.html": { "content-security-policy": POLICY.replace(" 'wasm-unsafe-eval'", "") },
    },
  },
  "wasm-csp": policy(POLICY.replace(" 'wasm-unsafe-eval'", "")),
  "wasm-bad": {
    headers: strict,
    files: each(WASM, status(200, "application/wasm", "\0asm junk")),
  },
};
