import { createHash } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";

/** How the files of one repository are served. What is left out goes well. */
export interface Faults {
  /** Whole-file readings are cut at these bytes of the file, one after the other. */
  cutAt?: number[];
  /** The first reading sends so many bytes, and then nothing for ever. */
  stallAt?: number;
  /** Bytes by which `Content-Length` and `Content-Range` are wrong, in the first answer. */
  wrongLength?: number;
  /** The answer to each reading has the next of these tags; the last one stays. */
  etags?: string[];
  /** Readings get no answer until a page has asked in vain whether there is a server at all. */
  lost?: "until asked" | "asked";
  /** So many readings are answered 429, with `Retry-After: 1`. */
  busy?: number;
  /** So many readings are answered 503. */
  broken?: number;
  /** Files are sent compressed. */
  gzip?: boolean;
  /** `ignored`: a range is answered 200 with the whole file; `refused`: with 416. */
  ranges?: "honoured" | "ignored" | "refused";
  /** Whether other origins may see `ETag` and `Content-Range`. */
  exposed?: boolean;
  /** There is no API to list files or to name a commit. */
  noApi?: boolean;
  /** The list of files comes in pages of so many. */
  page?: number;
  /** What the hub says of a file's SHA-256, if not the truth. */
  sha256?: string;
}

/** One request, as the hub saw it. */
export interface Asked {
  method: string;
  path: string;
  range: string | undefined;
  /** Bytes of the body that were handed to the connection. */
  sent: number;
  status: number;
}

/** A repository of the hub. */
export interface Repository {
  /** `hf:owner/name`. */
  source: string;
  /** URL of one of its files, redirected as the hub does. */
  url(path: string): string;
  /** URL of one of its files, without a redirect. */
  plain(path: string): string;
  files: Record<string, Buffer>;
  faults: Faults;
  commit: string;
  /** All requests, the first one first. */
  asked: Asked[];
  /** Bytes of files sent so far. */
  sent(): number;
  /** Ranges of the readings of files. */
  ranges(): (string | undefined)[];
}

/** A server that behaves like a model hub, well or badly. */
export interface Hub {
  url: string;
  /** Requests that no page may make: preflights, and headers that need them. */
  readonly refused: string[];
  /** A new repository, of a name that no other test has. */
  repository(files: Record<string, Buffer>, faults?: Faults): Repository;
  close(): Promise<void>;
}

const CORS = { "access-control-allow-origin": "*" };
/** Headers that a page sends without asking first (Fetch, "CORS-safelisted request-header"). */
const SIMPLE = /^(accept|accept-language|content-language|content-type|range|authorization)$/;
/** Headers that a browser puts to each request by itself. */
const OWN =
  /^(host|connection|user-agent|origin|referer|accept-encoding|cache-control|pragma|priority|sec-|dnt|te$|upgrade)/;

/**
 * Milliseconds that a connection is held before it is cut: an error overtakes what a browser has
 * received and not yet handed on.
 */
const HELD_MS = 300;

/** Starts a hub on a free port. `seed`: of the sizes of the pieces that files are sent in. */
export async function startHub(seed = 1): Promise<Hub> {
  const repositories = new Map<string, Repository>();
  const sockets = new Set<Socket>();
  const refused: string[] = [];
  const tickets = new Map<string, { repository: Repository; path: string }>();
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const strange = Object.keys(request.headers).filter(
      (name) => !SIMPLE.test(name) && !OWN.test(name),
    );
    if (request.method === "OPTIONS" || strange.length > 0) {
      refused.push(`${request.method} ${pathname} ${strange.join(" ")}`);
      return void response.writeHead(403).end();
    }
    const api = /^\/api\/models\/owner\/([^/]+)\/(revision|tree)\/([^/]+)$/.exec(pathname);
    const file = /^\/(owner\/([^/]+)\/resolve\/[^/]+|plain\/([^/]+))\/(.+)$/.exec(pathname);
    const name = api?.[1] ?? file?.[2] ?? file?.[3] ?? "";
    const ticket = tickets.get(pathname);
    tickets.delete(pathname);
    const repository = ticket?.repository ?? repositories.get(name);
    if (!repository) {
      const status = pathname.startsWith("/signed/") ? 403 : 404;
      return void response.writeHead(status, CORS).end("expired, or never there");
    }
    const note: Asked = {
      method: request.method ?? "",
      path: pathname,
      range: request.headers.range,
      sent: 0,
      status: 0,
    };
    repository.asked.push(note);
    response.on("finish", () => (note.status = response.statusCode));
    if (api) {
      const at = Number(searchParams.get("cursor") ?? 0);
      return answerApi(repository, api[2] === "tree", at, response);
    }
    if (ticket) return send(repository, ticket.path, note, response, random);
    const path = decodeURIComponent(file?.[4] ?? "");
    const { faults } = repository;
    if (faults.lost) {
      if (note.method === "HEAD") faults.lost = "asked";
      if (note.method === "HEAD" || faults.lost !== "asked") return void response.destroy();
      delete faults.lost;
    }
    if (!repository.files[path]) return void response.writeHead(404, CORS).end("no such file");
    if (file?.[3]) return send(repository, path, note, response, random);
    // Signed for one use, as an address that has expired when it is asked for again.
    const signed = `/signed/${repository.asked.length}-${Math.floor(random() * 1e9)}/${name}`;
    tickets.set(signed, { repository, path });
    response.writeHead(302, { ...CORS, location: signed }).end();
  };

  const server: Server = createServer(answer);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    refused,
    repository(files, faults = {}) {
      const name = `model-${repositories.size}`;
      const made: Repository = {
        source: `hf:owner/${name}`,
        url: (path) => `${url}/owner/${name}/resolve/main/${path}`,
        plain: (path) => `${url}/plain/${name}/${path}`,
        files,
        faults: { ...faults },
        commit: createHash("sha1").update(name).digest("hex"),
        asked: [],
        sent: () => made.asked.filter(isReading).reduce((sum, { sent }) => sum + sent, 0),
        ranges: () => made.asked.filter(isReading).map(({ range }) => range),
      };
      repositories.set(name, made);
      return made;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Whether it asked for a file's bytes. */
function isReading({ method, path }: Asked): boolean {
  return method === "GET" && /^\/(signed|plain)\//.test(path);
}

function answerApi(
  repository: Repository,
  tree: boolean,
  at: number,
  response: ServerResponse,
): void {
  const { faults, files, commit } = repository;
  if (faults.noApi) return void response.writeHead(404, CORS).end("no such page");
  const list = Object.entries(files).map(([path, bytes]) => {
    const sha256 = faults.sha256 ?? createHash("sha256").update(bytes).digest("hex");
    const size = bytes.length;
    const lfs = /\.(gguf|safetensors)$/.test(path) && {
      lfs: { oid: sha256, size, pointerSize: 134 },
    };
    return { type: "file", oid: commit, size, path, ...lfs };
  });
  const end = at + (faults.page ?? list.length);
  const next = `?recursive=true&cursor=${end}`;
  response.writeHead(200, {
    ...CORS,
    "content-type": "application/json",
    ...(tree && {
      "access-control-expose-headers": "Link",
      ...(end < list.length && { link: `<${next}>; rel="next"` }),
    }),
  });
  response.end(JSON.stringify(tree ? list.slice(at, end) : { sha: commit, siblings: [] }));
}

function send(
  { files, faults }: Repository,
  path: string,
  note: Asked,
  response: ServerResponse,
  random: () => number,
): void {
  const whole = files[path] ?? Buffer.alloc(0);
  const etag = faults.etags?.length ? faults.etags[0]! : tagOf(whole);
  if (note.method === "GET" && faults.etags && faults.etags.length > 1) faults.etags.shift();
  const headers: Record<string, string> = {
    ...CORS,
    etag,
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    ...(faults.exposed && { "access-control-expose-headers": "ETag, Content-Range" }),
  };
  if (note.method === "HEAD") {
    return void response
      .writeHead(200, { ...headers, "content-length": String(whole.length) })
      .end();
  }
  if (faults.busy) {
    faults.busy -= 1;
    return void response.writeHead(429, { ...CORS, "retry-after": "1" }).end("wait");
  }
  if (faults.broken) {
    faults.broken -= 1;
    return void response.writeHead(503, CORS).end("broken");
  }
  if (faults.gzip) {
    const zipped = gzipSync(whole);
    note.sent = whole.length;
    response.writeHead(200, {
      ...headers,
      "content-encoding": "gzip",
      "content-length": String(zipped.length),
    });
    return void response.end(zipped);
  }
  const from = Number(/^bytes=(\d+)-$/.exec(note.range ?? "")?.[1] ?? 0);
  if (from > 0 && (faults.ranges === "refused" || from >= whole.length)) {
    headers["content-range"] = `bytes */${whole.length}`;
    return void response.writeHead(416, headers).end();
  }
  const wrong = faults.wrongLength ?? 0;
  delete faults.wrongLength;
  const start = faults.ranges === "ignored" ? 0 : from;
  if (start > 0) {
    const last = whole.length - 1 + wrong;
    headers["content-range"] = `bytes ${start}-${last}/${whole.length + wrong}`;
  }
  headers["content-length"] = String(whole.length - start + wrong);
  response.writeHead(start > 0 ? 206 : 200, headers);
  const cut = faults.stallAt ?? faults.cutAt?.shift();
  const stalls = faults.stallAt !== undefined;
  delete faults.stallAt;
  const end = Math.min(whole.length, cut ?? whole.length);
  const more = (at: number): void => {
    if (at >= end) {
      if (stalls) return;
      if (wrong !== 0 || end < whole.length) {
        return void setTimeout(() => response.destroy(), HELD_MS);
      }
      return void response.end();
    }
    const next = Math.min(end, at + 1 + Math.floor(random() * 65_536));
    response.write(whole.subarray(at, next), (error) => {
      if (error) return;
      note.sent += next - at;
      more(next);
    });
  };
  more(start);
}

function tagOf(bytes: Buffer): string {
  return `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"`;
}
