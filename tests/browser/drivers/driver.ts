/** The browsers that the tests run in. */
export type BrowserName = "chromium" | "firefox" | "webkit";

/** A browser as the tests see it, whatever protocol drives it. */
export interface Browser {
  readonly name: BrowserName;
  /** As the browser gives it. */
  readonly version: string;
  /** An empty page. `onConsole` is told what the page, and where the browser tells it its workers, write. */
  open(onConsole: (line: string) => void): Promise<Page>;
  close(): Promise<void>;
}

/** A key, or two at once. */
export type Key = "Enter" | "Shift+Enter" | "Escape";

/** One page. */
export interface Page {
  /** Goes to an address and waits until it is loaded. */
  goto(url: string): Promise<void>;
  /**
   * Runs a function in the page, whatever its policy says, and waits for its promise. Argument and
   * result are data: JSON's, besides `undefined`, `NaN` and the infinities.
   */
  evaluate<T>(body: () => T): Promise<Awaited<T>>;
  evaluate<T, A>(body: (argument: A) => T, argument: A): Promise<Awaited<T>>;
  /** Presses the mouse on the element. */
  click(selector: string): Promise<void>;
  /** Types at the end of the element's text. */
  type(selector: string, text: string): Promise<void>;
  /** Presses a key while the element has the focus. */
  press(selector: string, key: Key): Promise<void>;
  /** Chooses a file for the `<input type=file>`. */
  upload(selector: string, file: string): Promise<void>;
  /** Waits until the page has no worker; the test's time-out tells if that never comes. */
  noWorkers(): Promise<void>;
  close(): Promise<void>;
}
