/** Milliseconds by which a timer is late only if the machine slept, or the page was frozen or blocked. */
export const LATE_MS = 1_000;

/**
 * Calls back after so many milliseconds; what it gives ends that. A timer that comes late is let pass
 * once, because what was waited for may wait behind it.
 */
export function patiently(ms: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (excused: boolean): void => {
    const due = Date.now() + ms;
    timer = setTimeout(() => {
      if (excused || Date.now() - due <= LATE_MS) call();
      else wait(true);
    }, ms);
  };
  wait(false);
  return () => clearTimeout(timer);
}
