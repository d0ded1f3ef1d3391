/**
 * A static server whose pages are cross-origin isolated.
 */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { DATA, GRAPHS } from "./graphs.mjs";
import { FOLDER } from "./models.mjs";

const here = (path) => resolve(fileURLToPath(new URL(path, import.meta.url)));
const ROOTS = {
  "/bench/": here("."),
  "/packages/": here("node_modules"),
  "/sidestage/": here("../packages/sidestage/dist"),
  "/sidestage-simd/": here("../packages/sidestage/dist"),
  "/models/": resolve(FOLDER),
  "/graphs/": resolve(GRAPHS),
  ...(DATA === undefined ? {} : { "/data/": resolve(DATA) }),
  // `cargo xtask` builds them, here if it was given no other place.
  "/modules/": resolve(process.env.SIDESTAGE_BENCH_WASM ?? here("../target/wasm-bench")),
};
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

function fileFor(path) {
  const root = Object.keys(ROOTS).find((start) => path.startsWith(start));
  if (root === undefined) return undefined;
  let name = path.slice(root.length);
  // What a browser without relaxed SIMD would take.
  if (root === "/sidestage-simd/") name = name.replace("sidestage-relaxed", "sidestage-simd");
  const file = join(ROOTS[root], name);
  if (!file.startsWith(ROOTS[root] + sep)) return undefined;
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? { file, size: stat.size } : undefined;
}

function answer(request, response, kept) {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  response.setHeader("Cache-Control", kept ? "max-age=3600" : "no-store");
  const found = fileFor(path);
  if (found === undefined) {
    response.statusCode = path === "/favicon.ico" ? 204 : 404;
    response.end();
    return;
  }
  const { file, size } = found;
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
  response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("Content-Length", end - start + 1);
  if (range) {
    response.statusCode = 206;
    response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`);
  }
  if (request.method === "HEAD") response.end();
  else createReadStream(file, { start, end, highWaterMark: 1 << 20 }).pipe(response);
}

/** Listens on a free port; gives the address and a way to stop. `kept`: browsers may keep what they get. */
export async function serve({ kept = false } = {}) {
  const server = createServer((request, response) => answer(request, response, kept));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => server.close(),
  };
}
