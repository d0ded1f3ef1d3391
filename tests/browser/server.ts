import { createReadStream, readFileSync, statSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { hostile } from "./hostile.js";
import { MADE } from "./made.js";
import { MADE_GRAPHS } from "./made-graphs.js";
import { type Site, sites } from "./sites.js";

// Bundled to tests/browser/dist.
const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, "../../..");
export const DIST = join(repository, "packages/sidestage/dist");
const CHAT = join(repository, "apps/chat/dist");
export const DATA = process.env.SIDESTAGE_TESTDATA;
export const MODELS = DATA ? join(DATA, "lm") : undefined;

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
  ".gguf": "application/octet-stream",
};

const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>sidestage</title>
<script src="record.js"></script>
<script type="module" src="page.js"></script>
`;
/** A server for the tests: `/SITE/…` is served as that site's rules say. */
export interface TestServer {
  url: string;
  /** Paths that were asked for. */
  seen: string[];
  close(): Promise<void>;
}

/** Starts a server on a free port. */
export async function serve(): Promise<TestServer> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    seen.push(request.url ?? "");
    answer(request, response).catch(() => response.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const [, name = "", ...rest] = pathname.split("/");
  const site = sites[name];
  const path = normalize(rest.join("/"));
  if (!site || path.startsWith("..")) return void response.writeHead(404).end();
  for (const [header, value] of Object.entries(headersOf(site, path))) {
    response.setHeader(header, value);
  }
  const own = site.files?.[path];
  if (own) return own(response);
  const made = path.startsWith("made/") ? MADE[path.slice("made/".length)] : undefined;
  if (made && MODELS) return void response.end(made(MODELS));
  const graph = path.startsWith("made/") ? MADE_GRAPHS[path.slice("made/".length)] : undefined;
  if (graph && DATA) return void response.end(graph(DATA));
  if (path.startsWith("hostile/"))
    return hostile(path.slice("hostile/".length), request, response);
  if (path === "page.html") return send(response, ".html", PAGE);
  if (["record.js", "page.js", "storage.js", "opfs.js", "program.js"].includes(path))
    return send(response, ".js", readFileSync(join(here, path), "utf8"));
  const file = fileOf(path);
  if (!file) return void response.writeHead(404).end();
  const edit = site.edit?.[path];
  if (edit) return send(response, extname(path), edit(readFileSync(file, "utf8")));
  let size: number;
  try {
    ({ size } = statSync(file));
  } catch {
    return void response.writeHead(404).end();
  }
  if (!response.hasHeader("content-type")) {
    response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
  }
  response.setHeader("content-length", size);
  createReadStream(file).pipe(response);
}

function headersOf(site: Site, path: string): Record<string, string> {
  const headers: Record<string, string> = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...site.headers,
    ...site.only?.[path],
  };
  // An empty value takes a site's header away from one path.
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ""));
}

function fileOf(path: string): string | undefined {
  if (path.startsWith("dist/")) return join(DIST, path.slice("dist/".length));
  if (path.startsWith("packages/sidestage/dist/") || path.startsWith("examples/"))
    return join(repository, path);
  if (path.startsWith("chat/")) return join(CHAT, path.slice("chat/".length));
  if (path.startsWith("data/") && DATA) return join(DATA, path.slice("data/".length));
  if (path.startsWith("models/") && MODELS) return join(MODELS, path.slice("models/".length));
  return undefined;
}

function send(response: ServerResponse, extension: string, text: string): void {
  if (!response.hasHeader("content-type")) {
    response.setHeader("content-type", TYPES[extension] ?? "text/plain");
  }
  response.end(text);
}
