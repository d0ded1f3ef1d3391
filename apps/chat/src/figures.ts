/**
 * Numbers as people read them.
 */

const UNITS = ["bytes", "KB", "MB", "GB"] as const;

/** Bytes with a unit of 1,000: `0 bytes`, `11.8 MB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Seconds left: `a moment`, `12 s`, `3 min`, `1 h 20 min`. */
export function timeLeft(seconds: number): string {
  if (seconds < 1) return "a moment";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A short time: `85 ms`, `1.2 s`. */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Tokens a second: one digit where it matters. */
export function speed(tokensPerSecond: number): string {
  return `${tokensPerSecond.toFixed(tokensPerSecond < 100 ? 1 : 0)} tokens/s`;
}

/** `1 token`, `12 tokens`. */
export function tokens(count: number): string {
  return count === 1 ? "1 token" : `${count} tokens`;
}

/** Number of weights: `850 K`, `135 M`, `1.2 B`. */
export function parameters(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} B`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} M`;
  return `${Math.round(count / 1e3)} K`;
}
