import { useEffect, useRef, useState, type DragEvent } from "react";
import { isAnswering, type Source } from "./chat.ts";
import { Composer } from "./parts/Composer.tsx";
import { ErrorCard } from "./parts/ErrorCard.tsx";
import { Header } from "./parts/Header.tsx";
import { Loading } from "./parts/Loading.tsx";
import { ModelDialog } from "./parts/ModelDialog.tsx";
import { StatusLine } from "./parts/StatusLine.tsx";
import { TurnView } from "./parts/TurnView.tsx";
import { Welcome } from "./parts/Welcome.tsx";
import { useSession } from "./session.ts";

export function App() {
  const { chat, spoken, load, cancelLoad, ask, askAgain, stop, clear } = useSession();
  const [choosing, setChoosing] = useState(false);
  const { model, turns } = chat;
  const end = useFollow(turns, model.phase);
  const answering = isAnswering(chat);
  const ready = model.phase === "ready";

  useEffect(() => {
    if (!answering) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape") stop();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [answering, stop]);

  const choose = (source: Source) => {
    setChoosing(false);
    load(source);
  };
  const onDrop = (event: DragEvent) => {
    const file = event.dataTransfer.files[0];
    if (file === undefined) return;
    event.preventDefault();
    choose({ kind: "file", file });
  };

  return (
    <div className="page" onDragOver={(event) => event.preventDefault()} onDrop={onDrop}>
      <Header
        source={chat.source}
        model={model}
        canClear={turns.length > 0}
        onChoose={() => setChoosing(true)}
        onClear={clear}
      />
      <main className="talk">
        {turns.length === 0 && <Welcome ready={ready} onAsk={ask} />}
        {turns.map((turn, at) => (
          <TurnView
            key={turn.id}
            turn={turn}
            onRetry={ready && at === turns.length - 1 ? askAgain : undefined}
          />
        ))}
        {model.phase === "loading" && (
          <Loading progress={model.progress} onCancel={cancelLoad} />
        )}
        {model.phase === "failed" && (
          <ErrorCard
            title="The model did not load"
            failure={model.failure}
            onRetry={() => load(chat.source)}
          />
        )}
        <div ref={end} />
      </main>
      <footer className="foot">
        <Composer phase={model.phase} answering={answering} onAsk={ask} onStop={stop} />
        <StatusLine model={model} answering={answering} />
      </footer>
      <ModelDialog
        open={choosing}
        onClose={() => setChoosing(false)}
        onBox={() => choose({ kind: "box" })}
        onUrl={(url) => choose({ kind: "url", url })}
        onFile={(file) => choose({ kind: "file", file })}
      />
      <p className="away" aria-live="polite">
        {spoken}
      </p>
    </div>
  );
}

/** Keeps the end of the talk in view while it grows, unless the reader has scrolled away from it. */
function useFollow(turns: readonly unknown[], phase: string) {
  const end = useRef<HTMLDivElement>(null);
  const following = useRef(true);

  useEffect(() => {
    const mark = end.current;
    if (mark === null) return;
    const watch = new IntersectionObserver(
      ([entry]) => {
        following.current = entry?.isIntersecting ?? true;
      },
      { rootMargin: "0px 0px 120px 0px" },
    );
    watch.observe(mark);
    return () => watch.disconnect();
  }, []);

  // A new question, a load and its failure are always shown.
  useEffect(() => {
    following.current = true;
  }, [turns.length, phase]);

  useEffect(() => {
    if (following.current) scrollTo({ top: document.documentElement.scrollHeight });
  }, [turns, phase]);

  return end;
}
