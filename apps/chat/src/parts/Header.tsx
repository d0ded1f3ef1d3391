import type { Model, Source } from "../chat.ts";

function sourceName(source: Source): string {
  switch (source.kind) {
    case "box":
      return "Model in the box";
    case "url":
      return source.url.split("/").at(-1) || source.url;
    case "file":
      return source.file.name;
  }
}

interface Props {
  source: Source;
  model: Model;
  canClear: boolean;
  onChoose: () => void;
  onClear: () => void;
}

export function Header({ source, model, canClear, onChoose, onClear }: Props) {
  const name = sourceName(source);
  return (
    <header className="header">
      <h1 className="brand">
        <img src="./icon.svg" alt="" width="28" height="28" />
        <span>Sidestage</span>
      </h1>
      <button
        type="button"
        className="chip"
        data-testid="model-open"
        aria-haspopup="dialog"
        aria-label={`Model: ${name}. Change`}
        onClick={onChoose}
      >
        <span className={`dot dot-${model.phase}`} aria-hidden="true" />
        <span className="chip-name">{name}</span>
        <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
          <path
            d="M2.5 4.5 6 8l3.5-3.5"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.5"
            strokeLinecap="round"
          />
        </svg>
      </button>
      <button
        type="button"
        className="quiet"
        data-testid="new-chat"
        disabled={!canClear}
        onClick={onClear}
      >
        New chat
      </button>
    </header>
  );
}
