import type { Progress } from "../chat.ts";
import { bytes, timeLeft } from "../figures.ts";

const PHASES: Record<string, string> = {
  waiting: "Waiting for another tab, which loads",
  download: "Loading",
  prepare: "Preparing",
  ready: "Ready",
};

function describe(progress: Progress): string {
  const { loadedBytes, cachedBytes, totalBytes, bytesPerSecond, etaSeconds } = progress;
  const parts = [
    totalBytes === null ? bytes(loadedBytes) : `${bytes(loadedBytes)} of ${bytes(totalBytes)}`,
  ];
  const downloaded = loadedBytes - cachedBytes;
  if (downloaded > 0) parts.push(`${bytes(downloaded)} downloaded`);
  if (cachedBytes > 0) parts.push(`${bytes(cachedBytes)} from this device`);
  if (bytesPerSecond > 0) parts.push(`${bytes(bytesPerSecond)}/s`);
  if (etaSeconds !== null) parts.push(`${timeLeft(etaSeconds)} left`);
  return parts.join(" · ");
}

interface Props {
  progress: Progress | null;
  onCancel: () => void;
}

export function Loading({ progress, onCancel }: Props) {
  const total = progress?.totalBytes;
  const bar =
    progress === null || total === undefined || total === null
      ? {}
      : { max: total, value: progress.loadedBytes };
  return (
    <section className="card loading" data-testid="progress" aria-label="Loading the model">
      <div className="card-line">
        <strong>
          {progress === null
            ? "Starting the engine"
            : `${PHASES[progress.phase] ?? "Loading"} ${progress.file}`}
        </strong>
        <button type="button" className="quiet" data-testid="cancel" onClick={onCancel}>
          Cancel
        </button>
      </div>
      <progress aria-label="Bytes loaded" {...bar} />
      <p className="small numbers">{progress === null ? "\u00a0" : describe(progress)}</p>
    </section>
  );
}
