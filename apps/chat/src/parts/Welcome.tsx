const QUESTIONS = ["Hello!", "What are you?", "What can you not do?"] as const;

interface Props {
  ready: boolean;
  onAsk: (question: string) => void;
}

export function Welcome({ ready, onAsk }: Props) {
  return (
    <section className="welcome">
      <h2>The model runs in this tab</h2>
      <p>
        No server answers you. The page fetches the model once; what you write stays on this
        device.
      </p>
      <div className="questions">
        {QUESTIONS.map((question) => (
          <button
            key={question}
            type="button"
            className="quiet"
            disabled={!ready}
            onClick={() => onAsk(question)}
          >
            {question}
          </button>
        ))}
      </div>
    </section>
  );
}
