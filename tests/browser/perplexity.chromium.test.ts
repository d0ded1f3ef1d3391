import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { stage } from "./browser.js";

// Bundled to tests/browser/dist.
const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const binary = process.env.SIDESTAGE_BINARY ?? join(root, "target/release/sidestage");
const box = join(root, "models/box/box.gguf");
/** One type for each kind of unpacking; the native tests have them all. */
const TYPES = ["Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "F16"];

interface Truth {
  records: number;
  contextLength: number;
  types: Record<string, { perplexity: number }>;
}
const truth = JSON.parse(
  readFileSync(join(root, "models/box/perplexity.json"), "utf8"),
) as Truth;

function sidestage(args: string[], input?: string): string {
  return execFileSync(binary, args, { input, encoding: "utf8", maxBuffer: 1 << 28 });
}

/** Of each record its length, then its ids. */
function records(): number[] {
  const text = readFileSync(join(root, "models/box/held-out.txt"), "utf8");
  const some = text.split("<|endoftext|>\n").slice(0, truth.records);
  return some.flatMap((record) => {
    const line = sidestage(["tokenize", "--model", box, "--json"], record);
    const { tokens } = JSON.parse(line) as { tokens: number[] };
    const cut = tokens.slice(0, truth.contextLength);
    return [cut.length, ...cut];
  });
}

/** The file in another type, in base64. */
function quantized(type: string): string {
  const folder = mkdtempSync(join(tmpdir(), "sidestage-types-"));
  try {
    const out = join(folder, "box.gguf");
    sidestage(["quantize", "--model", box, "--dtype", type, "--out", out]);
    return readFileSync(out).toString("base64");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function perplexities(name: string, variants: string[], flags: string[]): void {
  const up = stage(flags);
  for (const variant of variants) {
    for (const type of TYPES) {
      test(`perplexity (${name}): ${variant}, ${type}`, { timeout: 120_000 }, async () => {
        const page = await up.open("isolated");
        const loss = await page.evaluate(
          async ([url, base64, words]) => {
            const zero = (): number => 0;
            const env = {
              now: () => performance.now(),
              ...{ date: zero, zone: zero, text: zero, text_len: zero, text_take: zero },
              log: zero,
            };
            const { instance } = await WebAssembly.instantiateStreaming(fetch(url), { env });
            const engine = instance.exports as unknown as {
              memory: WebAssembly.Memory;
              start(threads: number): void;
              alloc(bytes: number): number;
              loss(file: number, length: number, records: number, count: number): number;
            };
            engine.start(1);
            const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
            const file = engine.alloc(bytes.length);
            const at = engine.alloc(4 * words.length);
            new Uint8Array(engine.memory.buffer, file, bytes.length).set(bytes);
            new Uint32Array(engine.memory.buffer, at, words.length).set(words);
            return engine.loss(file, bytes.length, at, words.length);
          },
          [`dist/sidestage-${variant}.wasm`, quantized(type), records()] as const,
        );
        const { perplexity } = truth.types[type]!;
        const ratio = Math.exp(loss) / perplexity;
        assert.ok(Math.abs(ratio - 1) <= 0.005, `${Math.exp(loss)} is not ${perplexity}`);
      });
    }
  }
}

perplexities("as the machine is", ["relaxed", "simd"], []);
perplexities("without VNNI", ["relaxed"], ["--js-flags=--no-enable-avx-vnni"]);
