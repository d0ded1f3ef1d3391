// Builds dist: `node build.mjs [--wasm FOLDER]`. The folder's sidestage-*.wasm files are copied.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");
const { values: args } = parseArgs({ options: { wasm: { type: "string" } } });

/** Most bytes, gzipped, that a page loads before it asks for a model. */
const PAGE_LIMIT = 20 * 1024;

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sources(path) : [path];
    });
}

function buildId() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const hash = createHash("sha256");
  const wasm = readdirSync(dist)
    .filter((name) => /^sidestage-.*\.wasm$/.test(name))
    .sort();
  const paths = [...sources(join(root, "src")), ...wasm.map((name) => join(dist, name))];
  for (const path of paths) hash.update(readFileSync(path));
  return `${version}+${hash.digest("hex").slice(0, 12)}`;
}

mkdirSync(dist, { recursive: true });
if (args.wasm) {
  for (const name of readdirSync(args.wasm)) {
    if (/^sidestage-.*\.wasm$/.test(name))
      copyFileSync(join(args.wasm, name), join(dist, name));
  }
}

const shared = {
  bundle: true,
  minify: true,
  target: "es2022",
  sourcemap: true,
  sourcesContent: false,
  legalComments: "none",
  logLevel: "warning",
  define: { __BUILD_ID__: JSON.stringify(buildId()) },
};

await Promise.all([
  build({
    ...shared,
    entryPoints: [join(root, "src/index.ts")],
    outfile: join(dist, "index.js"),
    format: "esm",
    external: ["./sidestage-host.js"],
  }),
  build({
    ...shared,
    entryPoints: [join(root, "src/worker/entry.ts")],
    outfile: join(dist, "sidestage-worker.js"),
    format: "iife",
  }),
  build({
    ...shared,
    entryPoints: [join(root, "src/worker/page-entry.ts")],
    outfile: join(dist, "sidestage-host.js"),
    format: "esm",
  }),
]);

// The same script under the name that hand-written workers have: a file to copy beside the wasm files.
copyFileSync(join(dist, "sidestage-worker.js"), join(dist, "worker.js"));

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.json")], { stdio: "inherit" });

const script = readFileSync(join(dist, "sidestage-worker.js"), "utf8");
// The same file must run as module, classic worker and blob.
if (/\bimport\s*[({."']|\bimport\.meta|^export\b/m.test(script)) {
  throw new Error("sidestage-worker.js has an import or export");
}
for (const name of ["index.js", "sidestage-worker.js", "sidestage-host.js"]) {
  const bytes = readFileSync(join(dist, name));
  const zipped = gzipSync(bytes, { level: 9 }).length;
  console.log(`${name.padEnd(22)} ${bytes.length} bytes, ${zipped} gzipped`);
  if (name === "index.js" && zipped > PAGE_LIMIT) {
    throw new Error(`the page's part is over ${PAGE_LIMIT} bytes gzipped`);
  }
}
