/** The work's result, or the signal's reason as soon as it is aborted; `stop` ends the work then. */
export function until<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  stop: () => void,
): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      stop();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
