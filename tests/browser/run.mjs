// Runs *.test.ts in a real browser: bundles each, then hands them to Node's test runner.
// `node run.mjs [part of a file's name]`
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const package_ = join(root, "../../packages/sidestage/dist");
if (
  !existsSync(join(package_, "index.js")) ||
  !existsSync(join(package_, "sidestage-text.wasm"))
) {
  console.error("packages/sidestage/dist is not built: run `cargo xtask build`");
  process.exit(1);
}
if (!process.env.SIDESTAGE_TESTDATA) {
  console.log("SIDESTAGE_TESTDATA is not set: browser tests with real models are left out");
}

const wanted = process.argv[2] ?? "";
const tests = readdirSync(root).filter(
  (name) => name.endsWith(".test.ts") && name.includes(wanted),
);
const scripts = readdirSync(root).filter(
  (name) => name.endsWith(".test.mjs") && name.includes(wanted),
);
const out = join(root, "dist");
await build({
  entryPoints: tests.map((name) => join(root, name)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  logLevel: "warning",
});
// What the tests' pages run.
await build({
  entryPoints: { page: join(root, "page/inside.ts"), storage: join(root, "worker/storage.ts") },
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
// One after the other: each measures times, and the machine may have two cores.
const { status } = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    "--test-concurrency=1",
    ...tests.map((name) => join(out, name.replace(/\.ts$/, ".mjs"))),
    ...scripts.map((name) => join(root, name)),
  ],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;
