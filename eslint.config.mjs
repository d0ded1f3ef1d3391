import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "**/dist",
      "**/node_modules",
      "target",
      "models",
      "packages/sidestage/src/protocol.ts",
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: {
        console: "readonly",
        process: "readonly",
        URL: "readonly",
        Buffer: "readonly",
      },
    },
  },
  {
    // Scripts that drive a browser hold functions that run in it.
    files: ["bench/**/*.mjs", "tests/browser/**/*.mjs"],
    languageOptions: {
      globals: {
        AbortController: "readonly",
        clearInterval: "readonly",
        clearTimeout: "readonly",
        crossOriginIsolated: "readonly",
        document: "readonly",
        fetch: "readonly",
        location: "readonly",
        MessageChannel: "readonly",
        performance: "readonly",
        PerformanceObserver: "readonly",
        requestAnimationFrame: "readonly",
        self: "readonly",
        setInterval: "readonly",
        setTimeout: "readonly",
        TextDecoder: "readonly",
        TextEncoder: "readonly",
        WebAssembly: "readonly",
        window: "readonly",
        Worker: "readonly",
      },
    },
  },
  {
    files: ["examples/**/*.js"],
    languageOptions: {
      globals: {
        AbortController: "readonly",
        IDBKeyRange: "readonly",
        document: "readonly",
        indexedDB: "readonly",
        navigator: "readonly",
        performance: "readonly",
      },
    },
  },
  {
    files: ["packages/sidestage/src/**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        project: [
          "./packages/sidestage/tsconfig.json",
          "./packages/sidestage/src/worker/tsconfig.json",
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
  },
);
