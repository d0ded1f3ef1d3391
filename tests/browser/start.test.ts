import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./browser.js";
import { withPage } from "./suite.js";

const up = stage();

/** A story from a model that must load on this page. */
async function story(
  options: object,
): Promise<{ text: string; place: string; reason: string | null }> {
  const model = await window.help.load(options);
  const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
  const { text } = await window.sidestage.generateText(how);
  const { place, fallbackReason } = model.capabilities;
  await model.dispose();
  return { text, place, reason: fallbackReason };
}

const BLOCKED: { site: string; code: string; cause?: string; says: RegExp }[] = [
  { site: "worker-404", code: "WORKER_BLOCKED", cause: "http", says: /404/ },
  { site: "worker-html", code: "WORKER_BLOCKED", cause: "mime", says: /text\/html/ },
  { site: "worker-mime", code: "WORKER_BLOCKED", cause: "mime", says: /text\/plain/ },
  { site: "worker-csp", code: "WORKER_BLOCKED", cause: "csp", says: /worker-src/ },
  { site: "worker-coep", code: "WORKER_BLOCKED", cause: "coep", says: /Cross-Origin-Embedder/ },
  { site: "worker-throws", code: "WORKER_BLOCKED", cause: "script", says: /on purpose/ },
  { site: "trusted-other", code: "WORKER_BLOCKED", cause: "csp", says: /Trusted|trusted/ },
  { site: "worker-silent", code: "WORKER_START_TIMEOUT", says: /400 ms/ },
  { site: "worker-old", code: "VERSION_MISMATCH", says: /0\.0\.1\+old/ },
  { site: "wasm-csp-worker", code: "WASM_BLOCKED", says: /Content Security Policy/ },
];

for (const { site, code, cause, says } of BLOCKED) {
  withPage(
    up,
    `start: ${site} is told as ${code}, and fallback runs on the page`,
    site,
    "worker",
    async (page) => {
      // Only one of them is told by its silence.
      const workerOptions = { startTimeout: site === "worker-silent" ? 400 : 10_000 };
      const error = await page.evaluate(
        (life) => window.help.caught(window.help.load({ workerOptions: life })),
        workerOptions,
      );
      assert.equal(error?.code, code, error?.message);
      if (cause !== undefined) assert.equal(error?.detail?.cause, cause, error?.message);
      assert.match(`${error?.message} ${error?.hint}`, says);
      assert.ok(error?.hint, "it says what to do");
      const out = await page.evaluate(story, {
        fallback: true,
        workerOptions,
      });
      assert.equal(out.text, ", there was a");
      assert.equal(out.place, "page");
      assert.ok(out.reason?.startsWith(`${code}: `), out.reason ?? "no reason");
    },
  );
}

withPage(
  up,
  "start: a model that is not there is no reason to fall back",
  "plain",
  "worker",
  async (page) => {
    const before = up.server.seen.length;
    const error = await page.evaluate(() =>
      window.help.caught(window.help.load({ fallback: true }, "hostile/404")),
    );
    assert.equal(error?.code, "NOT_FOUND");
    assert.ok(!up.server.seen.slice(before).some((path) => path.endsWith("sidestage-host.js")));
  },
);

withPage(up, "start: a browser without Worker", "plain", "worker", async (page) => {
  const out = await page.evaluate(async () => {
    delete (window as { Worker?: unknown }).Worker;
    const { canUseWorker, capabilities, loadModel } = window.sidestage;
    const url = "models/stories260K-F32.gguf";
    const asked = await window.help.caught(loadModel(url, { useWorker: true }));
    const byDefault = (await loadModel(url)).capabilities;
    const fallback = (await loadModel(url, { useWorker: true, fallback: true })).capabilities;
    return { can: canUseWorker(), asked, byDefault, fallback, all: await capabilities() };
  });
  assert.equal(out.can, false);
  assert.equal(out.asked?.code, "WORKER_NOT_SUPPORTED");
  for (const found of [out.byDefault, out.fallback, out.all]) {
    assert.equal(found.place, "page");
    assert.match(found.fallbackReason ?? "", /^WORKER_NOT_SUPPORTED/);
  }
});

withPage(up, "start: capabilities are those of the worker", "plain", "worker", async (page) => {
  const out = await page.evaluate(async () => {
    const { canUseWorker, capabilities } = window.sidestage;
    return { can: canUseWorker(), found: await capabilities() };
  });
  assert.equal(out.can, true);
  assert.equal(out.found.simd, true);
  assert.equal(out.found.place, "worker");
  assert.equal(out.found.fallbackReason, null);
  assert.equal(out.found.threads, false);
  assert.equal(out.found.crossOriginIsolated, false);
  assert.match(out.found.threadsReason ?? "", /isolated/);
  assert.equal(typeof out.found.webgpu, "boolean");
  assert.ok(out.found.cores >= 1);
  assert.match(out.found.variant, /^(simd|relaxed)$/);
});

withPage(
  up,
  "start: capabilities on a page whose worker is blocked say why",
  "worker-404",
  "worker",
  async (page) => {
    const found = await page.evaluate(() => window.sidestage.capabilities());
    assert.equal(found.place, "page");
    assert.match(found.fallbackReason ?? "", /^WORKER_BLOCKED.*404/);
  },
);

withPage(
  up,
  "start: Trusted Types, by our policy or by the page's",
  "trusted",
  "worker",
  async (page, { open }) => {
    assert.equal((await page.evaluate(story, {})).place, "worker");
    const other = await open("trusted-other");
    const place = await other.evaluate(async () => {
      const types = (
        window as unknown as {
          trustedTypes: {
            createPolicy(n: string, r: object): { createScriptURL(u: string): object };
          };
        }
      ).trustedTypes;
      const policy = types.createPolicy("mine", { createScriptURL: (url: string) => url });
      const workerUrl = policy.createScriptURL(
        new URL("dist/sidestage-worker.js", location.href).href,
      );
      const model = await window.help.load({ workerUrl });
      return model.capabilities.place;
    });
    assert.equal(place, "worker");
  },
);

withPage(
  up,
  "start: a page without an origin runs a copy of the worker",
  "sandbox",
  "worker",
  async (page) => {
    assert.equal(await page.evaluate(() => window.origin), "null");
    const out = await page.evaluate(story, {});
    assert.equal(out.text, ", there was a");
    assert.equal(out.place, "worker");
    assert.match(out.reason ?? "", /^WORKER_BLOCKED: .*without an origin/);
    // Everything is another origin's here, whose responses show a length but no encoding.
    const info = await page.evaluate(
      async () => (await window.help.load({}, "hostile/gzip")).info,
    );
    assert.equal(info.architecture, "llama");
  },
);

withPage(
  up,
  "start: wasm of any type is taken, wasm that is not there has its code",
  "wasm-mime",
  "worker",
  async (page, { open }) => {
    assert.equal((await page.evaluate(story, {})).text, ", there was a");
    for (const mode of ["worker", "page"] as const) {
      for (const [site, code] of [
        ["wasm-404", "WASM_NOT_FOUND"],
        ["wasm-html", "WASM_NOT_FOUND"],
        ["wasm-csp", "WASM_BLOCKED"],
        ["wasm-bad", "WASM_UNSUPPORTED"],
      ]) {
        const other = await open(site!, mode);
        const error = await other.evaluate(() => window.help.caught(window.help.load()));
        assert.equal(error?.code, code, `${site} (${mode}): ${error?.message}`);
        assert.ok(error?.hint);
      }
    }
  },
);

withPage(up, "start: page mode without its script", "host-404", "page", async (page) => {
  const error = await page.evaluate(() => window.help.caught(window.help.load()));
  assert.equal(error?.code, "WASM_NOT_FOUND");
});

withPage(
  up,
  "start: workerUrl and wasmUrl point elsewhere",
  "worker-404",
  "worker",
  async (page) => {
    const out = await page.evaluate(story, {
      workerUrl: "../plain/dist/sidestage-worker.js",
      wasmUrl: "../wasm-mime/dist",
    });
    assert.equal(out.place, "worker");
    assert.ok(
      up.server.seen.some((path) =>
        /^\/wasm-mime\/dist\/sidestage-\w+\.wasm\?v=\d\S+$/.test(path),
      ),
    );
  },
);

test("start: the worker's script is one file for all uses", async () => {
  const script = await (await fetch(`${up.server.url}/plain/dist/sidestage-worker.js`)).text();
  for (const word of [
    /\bimport\b/,
    /\bexport\b/,
    /\bimportScripts\b/,
    /\beval\(/,
    /new Function/,
  ]) {
    assert.ok(!word.test(script), `the script has ${word.source}`);
  }
});
