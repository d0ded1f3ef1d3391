import type { Model } from "../chat.ts";
import { duration, parameters } from "../figures.ts";

/** Notes for people who want to know why it is slow here. */
function reasons(model: Model): string[] {
  if (model.phase !== "ready") return [];
  const { place, fallbackReason, threadsReason, cache, cacheReason, warnings } = model.engine;
  const found: string[] = [];
  if (fallbackReason !== null) {
    found.push(`${place === "page" ? "No worker" : "A copy of the worker"}: ${fallbackReason}`);
  }
  if (threadsReason !== null) found.push(`One thread: ${threadsReason}`);
  if (cacheReason !== null) {
    const kept =
      cache === "memory" ? "Models are not kept" : "Models are kept by the Cache API";
    found.push(`${kept}: ${cacheReason}`);
  }
  return [...found, ...warnings];
}

function describe(model: Model, answering: boolean): string {
  switch (model.phase) {
    case "none":
      return "No model";
    case "loading":
      return "Loading";
    case "failed":
      return "The model did not load";
    case "ready": {
      const { engine } = model;
      return [
        answering ? "Answering" : "Ready",
        `${parameters(engine.parameters)} ${engine.weightType}`,
        engine.place === "worker" ? "in a worker" : "on the page",
        engine.threads === 1 ? "1 thread" : `${engine.threads} threads`,
        engine.variant,
        `loaded in ${duration(engine.loadMs)}`,
      ].join(" · ");
    }
  }
}

interface Props {
  model: Model;
  answering: boolean;
}

export function StatusLine({ model, answering }: Props) {
  const state = model.phase === "ready" && answering ? "answering" : model.phase;
  return (
    <div className="status small">
      <p data-testid="status" data-state={state}>
        {describe(model, answering)}
      </p>
      {reasons(model).map((reason) => (
        <p key={reason} className="reason">
          {reason}
        </p>
      ))}
    </div>
  );
}
