import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Site } from "./sites.js";

/** JavaScript of a guide in `docs`, run as it stands. */
export interface Program {
  /** The guide and the number of the program in it. */
  name: string;
  /** Where its script is served, below the site. */
  path: string;
  script: string;
  /** What it must print with `console.log`. */
  printed: string;
}

const BLOCK = /^```(js|text)\n([\s\S]*?)^```$/gm;

/**
 * The programs of the guides in `folder`. A block that imports `loadModel`, or is a guide's first,
 * begins a program; others continue it. A block of text is what the program has printed so far.
 */
export function programs(folder: string): Program[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => programsOf(file, readFileSync(join(folder, file), "utf8")));
}

function programsOf(guide: string, text: string): Program[] {
  const found: Program[] = [];
  for (const [, kind, body = ""] of text.matchAll(BLOCK)) {
    const last = found.at(-1);
    if (kind === "text") {
      if (last) last.printed += body;
    } else if (last && !/import \{[^}]*\bloadModel\b/.test(body)) {
      last.script += `\n${body}`;
    } else {
      const number = found.length + 1;
      const path = `guides/${guide.replace(/\.md$/, "")}-${number}.js`;
      found.push({ name: `${guide} ${number}`, path, script: body, printed: "" });
    }
  }
  return found;
}

/** A site that serves the programs' scripts, and models: files by their paths. */
export function guidesSite(
  all: Program[],
  models: Record<string, string>,
  headers: Record<string, string>,
): Site {
  const files: NonNullable<Site["files"]> = {};
  for (const [path, file] of Object.entries(models)) {
    files[path] = (response) => {
      const bytes = readFileSync(file);
      response.writeHead(200, { "content-length": bytes.length, etag: `"${path}"` }).end(bytes);
    };
  }
  for (const { path, script } of all) {
    const text = script
      .replaceAll('from "sidestage"', 'from "../dist/index.js"')
      .replaceAll('"/models/', '"models/');
    files[path] = (response) => {
      response.writeHead(200, { "content-type": "text/javascript" }).end(text);
    };
  }
  return { headers, files };
}
