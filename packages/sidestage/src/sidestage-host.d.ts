/** The worker's host, for pages that run it themselves. Built from src/worker/page-entry.ts. */
export function openHost(port: MessagePort): {
  /** Frees every model and everything they hold. */
  close(): void;
};
