import assert from "node:assert/strict";
import { bothModes } from "./suite.js";

bothModes("sources", (test, mode) => {
  test("URL, Blob, File, buffer and view give the same model", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const url = new URL("models/stories260K-F32.gguf", location.href);
      const bytes = await (await fetch(url)).arrayBuffer();
      const padded = new Uint8Array(bytes.byteLength + 20);
      padded.set(new Uint8Array(bytes), 10);
      const sources = {
        url,
        blob: new Blob([bytes]),
        file: new File([bytes], "story.gguf"),
        buffer: bytes,
        view: padded.subarray(10, 10 + bytes.byteLength),
        slow: "hostile/small-pieces",
        unmeasured: "hostile/no-length",
        compressed: "hostile/gzip",
      };
      const texts: Record<string, string> = {};
      for (const [name, source] of Object.entries(sources)) {
        const model = await window.help.load({}, source);
        const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 16 };
        texts[name] = (await generateText(how)).text;
        await model.dispose();
      }
      return { texts, left: bytes.byteLength };
    });
    assert.equal(new Set(Object.values(out.texts)).size, 1);
    assert.ok(out.texts.url!.includes("little girl"));
    assert.ok(out.left > 0, "the caller's bytes are still the caller's");
  });

  test("progress is monotone, measured, and ends ready", async (page) => {
    const all = await page.evaluate(async () => {
      const seen: Parameters<
        NonNullable<Parameters<typeof window.help.load>[0]>["onProgress"] & {}
      >[0][] = [];
      await window.help.load({ onProgress: (progress) => seen.push(progress) });
      return seen;
    });
    const phases = ["download", "prepare", "ready"];
    assert.equal(all.at(-1)?.phase, "ready");
    assert.equal(all.at(-1)?.loadedBytes, 1_054_496);
    for (const [at, now] of all.entries()) {
      const before = all[at - 1] ?? { phase: "download", loadedBytes: 0 };
      assert.ok(now.loadedBytes >= before.loadedBytes);
      assert.ok(phases.indexOf(now.phase) >= phases.indexOf(before.phase));
      assert.equal(now.file, "stories260K-F32.gguf");
      assert.equal(now.totalBytes, 1_054_496);
      assert.ok(Number.isFinite(now.bytesPerSecond));
    }
  });

  test("what is not a model has its code, and the next load works", async (page, up) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const sources: Record<string, string | Blob> = {
        "404": "hostile/404",
        "500": "hostile/500",
        html: "hostile/html",
        junk: "hostile/junk",
        empty: "hostile/empty",
        truncated: "hostile/truncated",
        cut: "hostile/cut",
        "cut-header": "hostile/cut-header",
        unknown: "made/unknown.gguf",
        blob: new Blob([new Uint8Array(1000)]),
        elsewhere: "https://elsewhere.invalid/m.gguf",
        hub: "hf:nobody",
      };
      // All at once: a server's fault and a connection that breaks are tried for 15 s each.
      const tried = Object.entries(sources).map(async ([name, source]) => {
        const error = await window.help.caught(window.help.load({}, source));
        let code = error?.code;
        if (!error?.message || error.message === error.code) code += " (says nothing)";
        if (name === "unknown" && !error?.message.includes("lamma")) code += " (no name)";
        return [name, code] as const;
      });
      const codes = Object.fromEntries(await Promise.all(tried));
      const model = await window.help.load();
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 4 };
      const { text } = await generateText(how);
      await model.dispose();
      return { codes, text };
    });
    assert.deepEqual(out.codes, {
      "404": "NOT_FOUND",
      "500": "HTTP_ERROR",
      html: "NOT_A_MODEL",
      junk: "NOT_A_MODEL",
      empty: "NOT_A_MODEL",
      truncated: "MODEL_TRUNCATED",
      cut: "NETWORK_ERROR",
      "cut-header": "NETWORK_ERROR",
      unknown: "MODEL_UNSUPPORTED",
      blob: "NOT_A_MODEL",
      elsewhere: "NETWORK_ERROR",
      hub: "INVALID_SOURCE",
    });
    assert.equal(out.text, ", there was a");
    // Defect 9: no failed load leaves a worker behind.
    await page.noWorkers();
    assert.ok(up.server.seen.length > 0);
  });

  test("hub sources go to the hub's URL", async (page, up) => {
    await page.evaluate(() =>
      window.help.caught(
        window.help.load({ hubUrl: "models" }, "hf:owner/repo/sub/file.gguf@v1"),
      ),
    );
    assert.ok(
      up.server.seen.some((path) => path.endsWith("/owner/repo/resolve/v1/sub/file.gguf")),
      up.server.seen.at(-1),
    );
  });

  test("options that cannot be are refused before anything is started", async (page) => {
    const out = await page.evaluate(async () => {
      const { caught, load } = window.help;
      const device = await caught(load({ device: "webgpu" }));
      const option = await caught(load({ contextLength: -1 }));
      const source = await caught(load({}, 3 as unknown as string));
      const memory = await caught(load({ memoryLimit: 100_000 }));
      return [device, option, source, memory].map((error) => error?.code);
    });
    assert.deepEqual(out, [
      "DEVICE_UNAVAILABLE",
      "INVALID_OPTION",
      "INVALID_SOURCE",
      "MEMORY_LIMIT",
    ]);
    await page.noWorkers();
  });

  test("a load ends when its signal says so, and leaves nothing", async (page) => {
    const out = await page.evaluate(async () => {
      const { caught, load } = window.help;
      const early = await caught(load({ signal: AbortSignal.abort() }));
      const times = [];
      const errors = [];
      for (const source of ["hostile/stalled", "hostile/never"]) {
        const controller = new AbortController();
        let start = 0;
        const stop = (): void => {
          start ||= performance.now();
          controller.abort();
        };
        // Half of the model comes, and then nothing more; or nothing comes at all.
        const loading = load({ signal: controller.signal, onProgress: stop }, source);
        if (source === "hostile/never") await window.help.turn().then(stop);
        errors.push(await caught(loading));
        times.push(performance.now() - start);
      }
      const model = await load();
      await model.dispose();
      return { early, errors, times };
    });
    for (const error of [out.early, ...out.errors]) {
      assert.equal(error?.code, "ABORTED");
      assert.equal(error?.name, "AbortError");
    }
    for (const time of out.times) assert.ok(time < 100, `${time} ms`);
    await page.noWorkers();
  });

  if (mode === "worker") {
    test("weights do not pass through the page", async (page) => {
      const seen = await page.evaluate(async () => {
        await window.help.load();
        return performance
          .getEntriesByType("resource")
          .map((entry) => entry.name)
          .filter((name) => /gguf|wasm/.test(name));
      });
      assert.deepEqual(seen, []);
    });
  }
});
