import type { Failure } from "../chat.ts";

interface Props {
  title: string;
  failure: Failure;
  onRetry: (() => void) | undefined;
}

/** What went wrong, what to do about it, and the code to search for. */
export function ErrorCard({ title, failure, onRetry }: Props) {
  return (
    <section className="card error" role="alert" data-testid="error">
      <div className="card-line">
        <strong>{title}</strong>
        <code>{failure.code}</code>
      </div>
      <p className="plain">{failure.message}</p>
      {failure.hint !== null && (
        <p className="plain hint" data-testid="hint">
          {failure.hint}
        </p>
      )}
      {onRetry !== undefined && (
        <button type="button" className="solid" data-testid="retry" onClick={onRetry}>
          Try again
        </button>
      )}
    </section>
  );
}
