import { copyFileSync, createReadStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const engine = fileURLToPath(new URL("../../packages/sidestage/dist/", import.meta.url));
const box = fileURLToPath(new URL("../../models/box/box.gguf", import.meta.url));

/**
 * Puts the engine beside the page, byte for byte, and the page imports it from there. Its client
 * finds its worker, and the worker its wasm, in the same folder: there is nothing to configure, and
 * nothing for a bundler to rewrite.
 */
function besideThePage(): Plugin {
  return {
    name: "beside-the-page",
    configureServer(server) {
      server.middlewares.use("/models/box.gguf", (_request, response) => {
        createReadStream(box).pipe(response);
      });
    },
    writeBundle({ dir = "dist" }) {
      const copy = (from: string, name: string) => {
        const to = join(dir, name);
        mkdirSync(dirname(to), { recursive: true });
        copyFileSync(from, to);
      };
      // Not what runs graphs, nor the worker for pages without the client.
      const others = /-graphs-|^worker\.js$/;
      for (const name of readdirSync(engine)) {
        if (!/\.(js|wasm)$/.test(name) || others.test(name)) continue;
        copy(join(engine, name), `sidestage/${name}`);
      }
      if (existsSync(box)) copy(box, "models/box.gguf");
      else this.warn("models/box/box.gguf is missing: the page has no model in the box");
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
  optimizeDeps: { exclude: ["sidestage"] },
  build: {
    target: "es2023",
    // A strict CSP allows neither data: URLs nor inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      external: ["sidestage"],
      output: { paths: { sidestage: "../sidestage/index.js" } },
    },
  },
  server: { headers },
  preview: { headers },
});
