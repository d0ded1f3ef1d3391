import assert from "node:assert/strict";
import test from "node:test";
import { BROWSER, stage } from "./browser.js";

// Every variant's kernels against the reference lanes in the very same module. Node 20 gets the
// relaxed dot product wrong, so this is a browser's business.
const VARIANTS = ["simd", "relaxed", "simd-threads", "relaxed-threads"];
/** WebKit has no relaxed SIMD: a module that uses it must be refused as a whole. */
const refused = (variant: string): boolean =>
  BROWSER === "webkit" && variant.startsWith("relaxed");

function selftests(name: string, flags: string[]): void {
  const up = stage(flags);
  for (const variant of VARIANTS) {
    test(`kernels (${name}): ${variant}`, { timeout: 120_000 }, async () => {
      const page = await up.open("isolated");
      const file = `dist/sidestage-${variant}.wasm`;
      if (refused(variant)) {
        const error = await page.evaluate(
          async (url) => window.help.caught(WebAssembly.compileStreaming(fetch(url))),
          file,
        );
        assert.equal(error?.name, "CompileError");
        return;
      }
      const out = await page.evaluate(async (url) => {
        const shared = url.includes("threads");
        const given = new WebAssembly.Memory({ initial: 64, maximum: 32768, shared });
        let memory = given;
        const log: string[] = [];
        const zero = (): number => 0;
        const { instance } = await WebAssembly.instantiateStreaming(fetch(url), {
          env: {
            memory: given,
            now: () => performance.now(),
            date: zero,
            zone: zero,
            text: zero,
            text_len: zero,
            text_take: zero,
            log: (_level: number, at: number, length: number) => {
              const bytes = new Uint8Array(memory.buffer, at, length).slice();
              log.push(new TextDecoder().decode(bytes));
            },
          },
        });
        const engine = instance.exports as Record<string, unknown>;
        if (!shared) memory = engine.memory as WebAssembly.Memory;
        (engine.start as (threads: number) => void)(1);
        return { checks: (engine.selftest as () => number)(), log };
      }, file);
      assert.deepEqual(out.log, []);
      assert.ok(out.checks > 1000, `${out.checks} checks`);
    });
  }
}

selftests("as the machine is", []);
if (BROWSER === "chromium") selftests("without VNNI", ["--js-flags=--no-enable-avx-vnni"]);
