// Runs in the page before everything else and keeps what happens to it. Bundled to dist/record.js.

class Recorder {
  /** Errors that nobody caught. */
  readonly unhandled: string[] = [];
  /** What was written to the console. */
  readonly console: string[] = [];
  /** Directives of the page's policy that were violated. */
  readonly violations: string[] = [];
  /** Resolves when the page's script says that it is ready. */
  readonly loaded: Promise<void>;
  ready: () => void = () => undefined;

  constructor() {
    this.loaded = new Promise((resolve, reject) => {
      this.ready = resolve;
      // Scripts that cannot be fetched tell their element alone, which capturing sees.
      addEventListener(
        "error",
        ({ message }) => reject(new Error(message ?? "no script")),
        true,
      );
    });
    this.loaded.catch(() => undefined);
    addEventListener("unhandledrejection", (event) =>
      this.unhandled.push(String(event.reason)),
    );
    addEventListener("error", (event) => this.unhandled.push(event.message));
    for (const kind of ["debug", "log", "info", "warn", "error"] as const) {
      const write = console[kind].bind(console);
      console[kind] = (...parts: unknown[]) => {
        this.console.push(`${kind}: ${parts.map(String).join(" ")}`);
        write(...parts);
      };
    }
    document.addEventListener("securitypolicyviolation", (event) =>
      this.violations.push(event.effectiveDirective),
    );
  }
}

declare global {
  interface Window {
    record: Recorder;
  }
}

window.record = new Recorder();

export {};
