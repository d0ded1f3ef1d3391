import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import type { Model } from "../chat.ts";

const PLACEHOLDERS: Record<Model["phase"], string> = {
  none: "Choose a model first",
  loading: "You can already write",
  ready: "Ask something",
  failed: "Choose a model first",
};

interface Props {
  phase: Model["phase"];
  answering: boolean;
  onAsk: (question: string) => void;
  onStop: () => void;
}

export function Composer({ phase, answering, onAsk, onStop }: Props) {
  const [draft, setDraft] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  const ready = phase === "ready";
  const sendable = ready && !answering && draft.trim() !== "";

  useEffect(() => {
    // On a touch screen this would open the keyboard over the page.
    if (ready && matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, [ready]);

  const send = () => {
    if (!sendable) return;
    onAsk(draft.trim());
    setDraft("");
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  const key = (event: KeyboardEvent) => {
    // While an input method composes, Enter belongs to it.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  };

  return (
    <form className="composer" onSubmit={submit}>
      <label className="away" htmlFor="prompt">
        Your message
      </label>
      <textarea
        id="prompt"
        ref={field}
        data-testid="prompt"
        rows={1}
        placeholder={PLACEHOLDERS[phase]}
        enterKeyHint="send"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={key}
      />
      {answering ? (
        <button
          type="button"
          className="round"
          data-testid="stop"
          aria-label="Stop"
          title="Stop (Escape)"
          onClick={onStop}
        >
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <rect x="3" y="3" width="10" height="10" rx="2" fill="currentColor" />
          </svg>
        </button>
      ) : (
        <button
          type="submit"
          className="round"
          data-testid="send"
          aria-label="Send"
          title="Send (Enter)"
          disabled={!sendable}
        >
          <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
            <path
              d="M8 13V3M3.5 7.5 8 3l4.5 4.5"
              fill="none"
              stroke="currentColor"
              strokeWidth="1.8"
              strokeLinecap="round"
              strokeLinejoin="round"
            />
          </svg>
        </button>
      )}
    </form>
  );
}
