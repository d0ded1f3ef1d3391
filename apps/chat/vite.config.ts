import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
} from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const engine = fileURLToPath(
  new URL("../../packages/sidestage/dist/", import.meta.url),
);
const box = fileURLToPath(
  new URL("../../models/box/box.gguf", import.meta.url),
);

/** Every file of the engine that the page fetches at run time, and the model in the box. */
function files(): Map<string, string> {
  const found = new Map<string, string>();
  const names = existsSync(engine) ? readdirSync(engine) : [];
  for (const name of names) {
    if (
      name.endsWith(".wasm") ||
      name === "sidestage-worker.js" ||
      name === "sidestage-host.js"
    ) {
      found.set(`sidestage/${name}`, join(engine, name));
    }
  }
  if (existsSync(box)) found.set("models/box.gguf", box);
  return found;
}

const TYPES: Record<string, string> = {
  js: "text/javascript",
  wasm: "application/wasm",
};

/**
 * Serves the worker and the wasm files beside the page, byte for byte: a bundler that rewrites them
 * could only break them.
 */
function besideThePage(): Plugin {
  return {
    name: "beside-the-page",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = files().get((request.url ?? "").split("?")[0]!.slice(1));
        if (path === undefined) return next();
        response.setHeader(
          "Content-Type",
          TYPES[path.split(".").at(-1)!] ?? "application/octet-stream",
        );
        createReadStream(path).pipe(response);
      });
    },
    writeBundle({ dir }) {
      for (const [name, path] of files()) {
        const to = join(dir!, name);
        mkdirSync(join(to, ".."), { recursive: true });
        copyFileSync(path, to);
        this.info(`${basename(path)} beside the page`);
      }
    },
  };
}

/** Isolation switches threads on. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  // Relative, so that the built folder works under any path.
  base: "./",
  plugins: [react(), besideThePage()],
  build: {
    target: "es2023",
    // A strict CSP allows neither data: URLs nor inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { headers },
  preview: { headers },
});
