import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MODELS } from "./server.js";

const whole = (): Buffer => readFileSync(join(MODELS ?? "", "stories260K-F32.gguf"));

/** Sources that are not what they should be. */
export function hostile(name: string, _: IncomingMessage, response: ServerResponse): void {
  const binary = { "content-type": "application/octet-stream" };
  switch (name) {
    case "404":
      return void response.writeHead(404, { "content-type": "text/plain" }).end("not here");
    case "500":
      return void response.writeHead(500, { "content-type": "text/plain" }).end("broken");
    case "html":
      return void response
        .writeHead(200, { "content-type": "text/html" })
        .end(`<!doctype html><p>${"Please log in. ".repeat(100)}</p>`);
    case "truncated": {
      // Half a model that says it is whole.
      const half = whole().subarray(0, 500_000);
      return void response
        .writeHead(200, { ...binary, "content-length": half.length })
        .end(half);
    }
    case "cut": {
      // Promises all, sends half, and the connection is gone.
      const bytes = whole();
      response.writeHead(200, { ...binary, "content-length": bytes.length });
      response.write(bytes.subarray(0, 500_000), () => response.destroy());
      return;
    }
    case "cut-header":
      response.writeHead(200, { ...binary, "content-length": whole().length });
      response.write(whole().subarray(0, 1_000), () => response.destroy());
      return;
    case "stalled":
      // The first half, and then nothing for ever.
      response.writeHead(200, { ...binary, "content-length": whole().length });
      response.write(whole().subarray(0, 500_000));
      return;
    case "never":
      return;
    case "no-length":
      response.writeHead(200, binary);
      response.end(whole());
      return;
    case "gzip": {
      const zipped = gzipSync(whole());
      response.writeHead(200, {
        ...binary,
        "content-encoding": "gzip",
        "content-length": zipped.length,
      });
      return void response.end(zipped);
    }
    case "small-pieces": {
      const bytes = whole();
      response.writeHead(200, { ...binary, "content-length": bytes.length });
      const send = (at: number): void => {
        if (at >= bytes.length) return void response.end();
        response.write(bytes.subarray(at, at + 1_777), () => setImmediate(send, at + 1_777));
      };
      return send(0);
    }
    case "junk":
      return void response.writeHead(200, binary).end(Buffer.alloc(100_000, 7));
    case "empty":
      return void response.writeHead(200, { ...binary, "content-length": 0 }).end();
    default:
      return void response.writeHead(404).end();
  }
}
