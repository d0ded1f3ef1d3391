/**
 * What the page knows, and how it changes. Pure: no browser, no engine.
 */

/** A failure as the page shows it. */
export interface Failure {
  code: string;
  message: string;
  /** What to do about it. */
  hint: string | null;
}

/** Where the model comes from. */
export type Source =
  | { kind: "box" }
  | { kind: "url"; url: string }
  | { kind: "file"; file: { name: string; size: number } };

/** How far a download is. Sizes in bytes. */
export interface Progress {
  phase: string;
  file: string;
  loadedBytes: number;
  /** Of these from what the browser keeps; the rest was downloaded. */
  cachedBytes: number;
  totalBytes: number | null;
  bytesPerSecond: number;
  etaSeconds: number | null;
}

/** The model that is loaded, and where it runs. */
export interface Engine {
  name: string;
  weightType: string;
  parameters: number;
  contextLength: number;
  threads: number;
  loadMs: number;
  /** Which SIMD it uses. */
  variant: string;
  place: "worker" | "page";
  /** Why it runs on the page, or in a copy of the worker, if it does. */
  fallbackReason: string | null;
  /** Why there is one thread only, if there is. */
  threadsReason: string | null;
  /** Where files are kept, and why not in a better place. */
  cache: string;
  cacheReason: string | null;
  /** What else is worth knowing of it. */
  warnings: string[];
}

export type Model =
  | { phase: "none" }
  | { phase: "loading"; progress: Progress | null }
  | { phase: "ready"; engine: Engine }
  | { phase: "failed"; failure: Failure };

/** Speed and size of an answer. */
export interface Figures {
  promptTokens: number;
  cachedTokens: number;
  answerTokens: number;
  firstTokenMs: number;
  tokensPerSecond: number | null;
}

/** A question and its answer. */
export interface Turn {
  id: number;
  question: string;
  answer: string;
  reasoning: string;
  state: "waiting" | "answering" | "done" | "stopped" | "cut" | "failed";
  figures?: Figures;
  failure?: Failure;
}

export interface Chat {
  source: Source;
  model: Model;
  turns: readonly Turn[];
}

export type Action =
  | { type: "loadStarted"; source: Source }
  | { type: "loadProgress"; progress: Progress }
  | { type: "loadReady"; engine: Engine }
  | { type: "loadFailed"; failure: Failure }
  | { type: "loadCancelled" }
  | { type: "asked"; id: number; question: string }
  | { type: "answerGrew"; id: number; text: string; reasoning: string }
  | {
      type: "answerEnded";
      id: number;
      reason: "stop" | "length" | "abort";
      figures: Figures;
    }
  | { type: "answerFailed"; id: number; failure: Failure }
  | { type: "cleared" };

export const START: Chat = {
  source: { kind: "box" },
  model: { phase: "none" },
  turns: [],
};

/** Whether an answer is being made. */
export function isAnswering(chat: Chat): boolean {
  const last = chat.turns.at(-1);
  return last?.state === "waiting" || last?.state === "answering";
}

/** Whether a question may be asked now. */
export function canAsk(chat: Chat): boolean {
  return chat.model.phase === "ready" && !isAnswering(chat);
}

/** The conversation as the model is to see it; turns that failed before a word are left out. */
export function messagesFor(
  turns: readonly Turn[],
): { role: "user" | "assistant"; content: string }[] {
  const messages: { role: "user" | "assistant"; content: string }[] = [];
  for (const turn of turns) {
    if (turn.state === "waiting") {
      messages.push({ role: "user", content: turn.question });
    } else if (turn.answer !== "") {
      messages.push({ role: "user", content: turn.question });
      messages.push({ role: "assistant", content: turn.answer });
    }
  }
  return messages;
}

function changeTurn(chat: Chat, id: number, change: (turn: Turn) => Turn): Chat {
  const at = chat.turns.findIndex((turn) => turn.id === id);
  const turn = chat.turns[at];
  // News of a conversation that was cleared meanwhile.
  if (turn === undefined || turn.state === "failed") return chat;
  return { ...chat, turns: chat.turns.with(at, change(turn)) };
}

const ENDED = { stop: "done", length: "cut", abort: "stopped" } as const;

export function reduce(chat: Chat, action: Action): Chat {
  switch (action.type) {
    case "loadStarted":
      return {
        ...chat,
        source: action.source,
        model: { phase: "loading", progress: null },
      };
    case "loadProgress":
      // A late report must not bring a load back that has ended.
      return chat.model.phase === "loading"
        ? { ...chat, model: { phase: "loading", progress: action.progress } }
        : chat;
    case "loadReady":
      return { ...chat, model: { phase: "ready", engine: action.engine } };
    case "loadFailed":
      return { ...chat, model: { phase: "failed", failure: action.failure } };
    case "loadCancelled":
      return { ...chat, model: { phase: "none" } };
    case "asked": {
      if (!canAsk(chat)) return chat;
      // A question asked again takes the place of the attempt that failed.
      const last = chat.turns.at(-1);
      const again =
        last?.state === "failed" && last.question === action.question && last.answer === "";
      const earlier = again ? chat.turns.slice(0, -1) : chat.turns;
      const { id, question } = action;
      return {
        ...chat,
        turns: [...earlier, { id, question, answer: "", reasoning: "", state: "waiting" }],
      };
    }
    case "answerGrew":
      return changeTurn(chat, action.id, (turn) => ({
        ...turn,
        answer: turn.answer + action.text,
        reasoning: turn.reasoning + action.reasoning,
        state: "answering",
      }));
    case "answerEnded":
      return changeTurn(chat, action.id, (turn) => ({
        ...turn,
        state: ENDED[action.reason],
        figures: action.figures,
      }));
    case "answerFailed":
      return changeTurn(chat, action.id, (turn) => ({
        ...turn,
        state: "failed",
        failure: action.failure,
      }));
    case "cleared":
      return { ...chat, turns: [] };
  }
}
