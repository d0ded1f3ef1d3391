import { expect, type OpenRequest, type RequestEvent } from "./connection.js";
import { asSidestageError } from "./errors.js";
import { type Model, sessionOf } from "./model.js";
import { checkRun, type CheckedRun, type TextOptions } from "./options.js";
import type { Generated } from "./protocol.js";
import { Run, type RunPort, type TextStreamPart, WINDOW } from "./run.js";
import type { Live } from "./session.js";
import { type IterableStream, Views } from "./stream.js";
import { until } from "./until.js";

/** A whole answer. */
export type GenerateTextResult = Generated;

/** What to generate, by which model. */
export interface GenerateTextOptions extends TextOptions {
  model: Model;
}

/** Generates a whole answer. An aborted `signal` rejects with its reason. */
export async function generateText(options: GenerateTextOptions): Promise<GenerateTextResult> {
  const session = sessionOf(options?.model);
  const run = checkRun(options, false);
  const { signal } = run;
  signal?.throwIfAborted();
  let stop = (): void => undefined;
  const answer = session.use(async (live) => {
    signal?.throwIfAborted();
    const request = send(live, run, null);
    stop = () => live.place.connection.send(abortOf(live, request));
    return expect(await request.done, "generated").result;
  });
  return until(signal, answer, () => stop());
}

/** An answer while it is written. Iterating over it gives its text. */
export interface StreamTextResult extends AsyncIterable<string> {
  /** The answer's text. */
  readonly textStream: IterableStream<string>;
  /** Every part: text, reasoning, the end, an error. */
  readonly fullStream: IterableStream<TextStreamPart>;
  /** The whole answer; after an abort, what there is of it. Need not be looked at. */
  readonly result: Promise<GenerateTextResult>;
  /** Ends the run. */
  abort(): void;
}

/** Generates an answer piece by piece. Returns at once; may be awaited, too. */
export function streamText(
  options: GenerateTextOptions,
): StreamTextResult & PromiseLike<StreamTextResult> {
  const session = sessionOf(options?.model);
  const checked = checkRun(options, true);
  const { signal } = checked;
  const run = new Run();
  const onAbort = (): void => run.abort();
  if (signal?.aborted) run.abort();
  else signal?.addEventListener("abort", onAbort);
  const work = async (live: Live): Promise<void> => {
    if (run.ended) return;
    const request = send(live, checked, WINDOW, (event) => {
      if (event.type === "delta") run.delta(event.text, event.reasoning, event.tokens);
    });
    run.sent(portOf(live, request));
    run.finish(expect(await request.done, "generated").result);
  };
  if (!run.ended) {
    session
      .use(work)
      .catch((error: unknown) => run.fail(asSidestageError(error, "WORKER_TERMINATED")))
      .finally(() => signal?.removeEventListener("abort", onAbort));
  }
  return new Awaitable(run, new Views(run));
}

function send(
  live: Live,
  { prompt, options }: CheckedRun,
  credits: number | null,
  onEvent?: (event: RequestEvent) => void,
): OpenRequest {
  return live.place.connection.request(
    (id) => ({ type: "generate", id, model: live.handle, prompt, options, credits }),
    onEvent,
  );
}

function abortOf(live: Live, { id }: OpenRequest) {
  return { type: "abort", id, model: live.handle } as const;
}

function portOf(live: Live, request: OpenRequest): RunPort {
  const { connection } = live.place;
  return {
    credit: (count) =>
      connection.send({ type: "credit", id: request.id, model: live.handle, count }),
    abort: () => connection.send(abortOf(live, request)),
  };
}

class Streamed implements StreamTextResult {
  protected readonly run: Run;
  protected readonly views: Views;

  constructor(run: Run, views: Views) {
    this.run = run;
    this.views = views;
  }

  get textStream(): IterableStream<string> {
    return this.views.text;
  }

  get fullStream(): IterableStream<TextStreamPart> {
    return this.views.full;
  }

  get result(): Promise<GenerateTextResult> {
    return this.run.result;
  }

  abort(): void {
    this.run.abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return this.views.text[Symbol.asyncIterator]();
  }
}

/** Resolves to its twin without `then`: itself would be awaited for ever. */
class Awaitable extends Streamed implements PromiseLike<StreamTextResult> {
  then<A = StreamTextResult, B = never>(
    done?: ((value: StreamTextResult) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return Promise.resolve<StreamTextResult>(new Streamed(this.run, this.views)).then(
      done,
      failed,
    );
  }
}
