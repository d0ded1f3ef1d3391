/** The engine's imports that tell the time. */
export const CLOCK = {
  /** Milliseconds from some start. */
  now: (): number => performance.now(),
  /** Seconds of Unix time, for templates that ask for the date. */
  date: (): number => Date.now() / 1000,
  /** Minutes that the user's clock is ahead of UTC. */
  zone: (): number => -new Date().getTimezoneOffset(),
};
