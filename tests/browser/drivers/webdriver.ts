import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

// The part of W3C WebDriver (https://www.w3.org/TR/webdriver2/) that the tests need, and the
// programs of WebKitGTK that speak it.

/** Where WebKitGTK's driver is. */
export const WEBKIT_DRIVER = process.env.WEBKIT_DRIVER || "/usr/bin/WebKitWebDriver";
/** Where WebKitGTK's own small browser is; distributions put it in different folders. */
export const MINIBROWSER = process.env.MINIBROWSER || findMiniBrowser();

function findMiniBrowser(): string {
  const folders = (parent: string): string[] =>
    existsSync(parent)
      ? readdirSync(parent, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => `${parent}/${name}`)
      : [];
  return (
    ["/usr/lib", "/usr/libexec", ...folders("/usr/lib")]
      .flatMap(folders)
      .filter((folder) => /\/webkit2?gtk-[\d.]+$/.test(folder))
      .map((folder) => `${folder}/MiniBrowser`)
      .find((file) => existsSync(file)) ?? "/usr/bin/MiniBrowser"
  );
}

/** A screen that nobody sees. */
export const XVFB = process.env.XVFB || "/usr/bin/Xvfb";

/** How WebDriver names an element. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Milliseconds that a script may run: the test's own time-out comes first. */
const SCRIPT_MS = 600_000;

/** One session with one browser. */
export class Session {
  readonly #url: string;
  readonly #programs: ChildProcess[];
  /** The browser's own account of its version. */
  readonly version: string;

  private constructor(url: string, version: string, programs: ChildProcess[]) {
    this.#url = url;
    this.version = version;
    this.#programs = programs;
  }

  /** Starts the screen, the driver and the browser. */
  static async start(): Promise<Session> {
    const screen = spawn(XVFB, ["-displayfd", "3", "-nolisten", "tcp"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    const port = await freePort();
    const programs = [screen];
    // Also when a test's time-out or a key ends this process before it could say good-bye.
    process.once("exit", () => programs.forEach((program) => program.kill()));
    try {
      const display = await firstLine(screen, screen.stdio[3] as Readable);
      const driver = spawn(WEBKIT_DRIVER, ["--host=127.0.0.1", `--port=${port}`], {
        stdio: ["ignore", "ignore", "ignore"],
        env: {
          ...process.env,
          DISPLAY: `:${display}`,
          // Its sandbox needs rights that a container does not give.
          WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
        },
      });
      programs.unshift(driver);
      const base = `http://127.0.0.1:${port}`;
      await answering(base, driver);
      const session = (await send("POST", `${base}/session`, {
        capabilities: {
          alwaysMatch: {
            "webkitgtk:browserOptions": {
              binary: MINIBROWSER,
              // A page that was left would be kept asleep, with its workers and their locks.
              args: ["--automation", "--enable-page-cache=false"],
            },
          },
        },
      })) as { sessionId: string; capabilities: { browserVersion: string } };
      const url = `${base}/session/${session.sessionId}`;
      await send("POST", `${url}/timeouts`, { script: SCRIPT_MS });
      return new Session(url, session.capabilities.browserVersion, programs);
    } catch (error) {
      for (const program of programs) program.kill();
      throw error;
    }
  }

  /** Goes to an address and waits until it is loaded. */
  async goto(url: string): Promise<void> {
    await send("POST", `${this.#url}/url`, { url });
  }

  /** Runs a function's text, which gives a promise, on one argument. */
  async run(body: string, argument: unknown): Promise<unknown> {
    const script = `(${body})(arguments[0]).then(arguments[1]);`;
    return send("POST", `${this.#url}/execute/async`, { script, args: [argument] });
  }

  /** Presses the mouse on the element. */
  async click(selector: string): Promise<void> {
    await send("POST", `${await this.#element(selector)}/click`, {});
  }

  /** Types into the element, or names a file for it. */
  async keys(selector: string, text: string): Promise<void> {
    await send("POST", `${await this.#element(selector)}/value`, { text });
  }

  /** Ends the browser and what was started for it. */
  async close(): Promise<void> {
    await send("DELETE", this.#url).catch(() => undefined);
    for (const program of this.#programs) {
      const ended = new Promise((resolve) => program.once("exit", resolve));
      if (program.exitCode === null && program.kill()) await ended;
    }
  }

  async #element(selector: string): Promise<string> {
    const found = await send("POST", `${this.#url}/element`, {
      using: "css selector",
      value: selector,
    });
    return `${this.#url}/element/${(found as Record<string, string>)[ELEMENT]}`;
  }
}

async function send(method: string, url: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as {
    value: { error?: string; message?: string } | null;
  };
  if (!response.ok) throw new Error(`WebDriver: ${value?.error}: ${value?.message}`);
  return value;
}

/** The driver does not say when it listens, so it is asked until it answers. */
async function answering(base: string, driver: ChildProcess): Promise<void> {
  for (;;) {
    if (driver.exitCode !== null) throw new Error(`${WEBKIT_DRIVER} ended at once`);
    try {
      await send("GET", `${base}/status`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function firstLine(program: ChildProcess, output: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface(output).once("line", resolve);
    program.once("error", reject);
    program.once("exit", (code) =>
      reject(new Error(`${program.spawnfile} ended with ${code}`)),
    );
  });
}
