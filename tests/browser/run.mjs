// Runs the tests in real browsers: bundles each file, then hands them to Node's test runner.
// `node run.mjs [--browser chromium|firefox|webkit] [part of a file's name]`
//
// *.test.ts and *.test.mjs run in every browser, *.chromium.test.ts in Chromium alone.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, "dist");
const { values, positionals } = parseArgs({
  options: { browser: { type: "string" } },
  allowPositionals: true,
});
const [part = ""] = positionals;

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

const files = readdirSync(root).filter(
  (name) => /\.test\.ts$/.test(name) && name.includes(part),
);
const everywhere = files.filter((name) => !name.endsWith(".chromium.test.ts"));
const shared = { bundle: true, format: "esm", logLevel: "warning" };
const forNode = {
  ...shared,
  outExtension: { ".js": ".mjs" },
  packages: "external",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
};
await build({
  ...forNode,
  entryPoints: [...files.map((name) => join(root, name)), join(root, "drivers/present.ts")],
  entryNames: "[name]",
  outdir: out,
});
// Firefox and WebKitGTK take their time to start: all tests in one go.
await build({
  ...forNode,
  stdin: {
    contents: everywhere.map((name) => `import "./${name}";`).join("\n"),
    resolveDir: root,
  },
  outfile: join(out, "everywhere.mjs"),
});
// What the tests' pages run.
await build({
  ...shared,
  entryPoints: {
    page: join(root, "page/inside.ts"),
    record: join(root, "page/record.ts"),
    storage: join(root, "worker/storage.ts"),
    opfs: join(root, "worker/opfs.ts"),
    program: join(root, "worker/program.ts"),
  },
  outdir: out,
  target: "es2022",
});
const { missing } = await import(join(out, "present.mjs"));

/** Runs the tests in one browser; whether they passed. */
function run(browser) {
  const bundles =
    browser === "chromium"
      ? files.map((name) => name.replace(/\.ts$/, ".mjs"))
      : ["everywhere.mjs"];
  // One after the other: some measure times, and the machine may have two cores.
  const { status } = spawnSync(
    process.execPath,
    [
      "--enable-source-maps",
      "--test",
      "--test-concurrency=1",
      ...bundles.map((name) => join(out, name)),
    ],
    { stdio: "inherit", env: { ...process.env, SIDESTAGE_BROWSER: browser } },
  );
  return status === 0;
}

let good = true;
for (const browser of values.browser ? [values.browser] : ["chromium", "firefox", "webkit"]) {
  if (browser !== "chromium" && everywhere.length === 0) continue;
  const lack = missing(browser);
  if (lack) {
    console.log(`${browser}: left out, ${lack}`);
    if (process.env.CI || values.browser) good = false;
    continue;
  }
  console.log(`\n${browser}`);
  const start = performance.now();
  good = run(browser) && good;
  console.log(`${browser}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
}
process.exitCode = good ? 0 : 1;
