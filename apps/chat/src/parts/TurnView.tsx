import { memo } from "react";
import type { Figures, Turn } from "../chat.ts";
import { duration, speed, tokens } from "../figures.ts";
import { ErrorCard } from "./ErrorCard.tsx";

function describe(figures: Figures): string {
  const parts: string[] = [];
  if (figures.tokensPerSecond !== null) parts.push(speed(figures.tokensPerSecond));
  if (figures.answerTokens > 0)
    parts.push(`first token after ${duration(figures.firstTokenMs)}`);
  const reused = figures.cachedTokens > 0 ? ` (${figures.cachedTokens} reused)` : "";
  parts.push(`${figures.promptTokens} in${reused}, ${tokens(figures.answerTokens)} out`);
  return parts.join(" · ");
}

const NOTES: Partial<Record<Turn["state"], string>> = {
  stopped: "Stopped",
  cut: "Cut: the answer reached its limit",
};

interface Props {
  turn: Turn;
  onRetry: ((turn: Turn) => void) | undefined;
}

/** A question and its answer. What the model wrote is text, never markup. */
export const TurnView = memo(function TurnView({ turn, onRetry }: Props) {
  const thinking =
    turn.state === "waiting" || (turn.state === "answering" && turn.answer === "");
  const note = NOTES[turn.state];
  return (
    <article
      className="turn"
      aria-busy={turn.state === "waiting" || turn.state === "answering"}
    >
      <div className="question" data-testid="question">
        <span className="away">You: </span>
        {turn.question}
      </div>
      {turn.reasoning !== "" && (
        <details className="reasoning">
          <summary>{thinking ? "Thinking…" : "How it thought"}</summary>
          <div className="plain" data-testid="reasoning">
            {turn.reasoning}
          </div>
        </details>
      )}
      <div
        className={`answer answer-${turn.state}`}
        data-testid="answer"
        data-state={turn.state}
      >
        {turn.answer}
        {thinking && turn.reasoning === "" && (
          <span className="dots" role="img" aria-label="Thinking" />
        )}
      </div>
      {turn.failure !== undefined && (
        <ErrorCard
          title="No answer"
          failure={turn.failure}
          onRetry={onRetry === undefined ? undefined : () => onRetry(turn)}
        />
      )}
      {(turn.figures !== undefined || note !== undefined) && (
        <p className="small numbers">
          {note !== undefined && <span className="note">{note}</span>}
          {turn.figures !== undefined && (
            <span data-testid="speed">{describe(turn.figures)}</span>
          )}
        </p>
      )}
    </article>
  );
});
