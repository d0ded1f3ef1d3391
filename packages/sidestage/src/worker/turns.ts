/**
 * Gives the event loop a turn. A message to oneself waits behind other messages and is not slowed
 * down as nested timers are.
 */
export class Turns {
  readonly #channel = new MessageChannel();
  #waiting: (() => void)[] = [];

  constructor() {
    this.#channel.port1.onmessage = () => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const go of waiting) go();
    };
  }

  /** Calls back in a later turn. */
  later(go: () => void): void {
    this.#waiting.push(go);
    if (this.#waiting.length === 1) this.#channel.port2.postMessage(null);
  }

  /** Ends it: a port with a listener is never collected. */
  close(): void {
    this.#channel.port1.close();
  }

  /** The same as a promise. */
  pause(): Promise<void> {
    return new Promise((resolve) => this.later(resolve));
  }
}
