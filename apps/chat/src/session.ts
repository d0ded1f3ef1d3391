import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { loadModel, SidestageError, streamText, type Model } from "sidestage";
import { FrameBatch } from "./batch.ts";
import { canAsk, isAnswering, messagesFor, reduce, START } from "./chat.ts";
import type { Engine, Failure, Source, Turn } from "./chat.ts";

/** Beside the page. */
const BOX_MODEL = new URL("models/box.gguf", document.baseURI);

function failureOf(error: unknown): Failure {
  if (error instanceof SidestageError) {
    const { code, message, hint } = error;
    return { code, message, hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "UNEXPECTED", message, hint: null };
}

function bytesOf(source: Source): string | File {
  switch (source.kind) {
    case "box":
      return BOX_MODEL.href;
    case "url":
      // An address without a scheme is one beside this page.
      return source.url.startsWith("hf:")
        ? source.url
        : new URL(source.url, document.baseURI).href;
    case "file":
      return source.file as File;
  }
}

function engineOf(model: Model): Engine {
  const { info, capabilities } = model;
  return {
    name: info.name,
    weightType: info.weightType,
    parameters: info.parameters,
    contextLength: info.contextLength,
    threads: info.threads,
    loadMs: info.loadMs,
    variant: capabilities.variant.includes("relaxed") ? "relaxed SIMD" : "SIMD",
    place: capabilities.place === "page" ? "page" : "worker",
    fallbackReason: capabilities.fallbackReason,
    cache: capabilities.cache,
    cacheReason: capabilities.cacheReason,
    threadsReason: capabilities.threadsReason,
    warnings: info.warnings.map((warning) => warning.message),
  };
}

function firstSource(): Source {
  const url = new URLSearchParams(location.search).get("model");
  return url === null || url === "" ? { kind: "box" } : { kind: "url", url };
}

/** One model and one conversation: the reducer's state, and the calls that move it. */
export function useSession() {
  const [chat, dispatch] = useReducer(reduce, START);
  const [spoken, setSpoken] = useState("");
  // The callbacks below are stable; this is how they see the newest state.
  const now = useRef(chat);
  now.current = chat;
  const model = useRef<Model | null>(null);
  const loading = useRef<AbortController | null>(null);
  const answering = useRef<AbortController | null>(null);
  const ids = useRef(0);

  const load = useCallback(async (source: Source) => {
    answering.current?.abort();
    loading.current?.abort();
    const mine = new AbortController();
    loading.current = mine;
    dispatch({ type: "loadStarted", source });
    setSpoken("Loading the model");
    try {
      // Freed first: a phone has no room for two models.
      const old = model.current;
      model.current = null;
      await old?.dispose();
      if (mine.signal.aborted) return;
      const loaded = await loadModel(bytesOf(source), {
        signal: mine.signal,
        // The status line says why it is slow then.
        fallback: true,
        onProgress: (progress) => {
          if (!mine.signal.aborted) dispatch({ type: "loadProgress", progress });
        },
      });
      if (mine.signal.aborted) {
        await loaded.dispose();
        return;
      }
      model.current = loaded;
      dispatch({ type: "loadReady", engine: engineOf(loaded) });
      setSpoken("The model is ready");
    } catch (error) {
      // Cancelled, or another load has taken over.
      if (mine.signal.aborted) return;
      dispatch({ type: "loadFailed", failure: failureOf(error) });
    }
  }, []);

  const cancelLoad = useCallback(() => {
    loading.current?.abort();
    dispatch({ type: "loadCancelled" });
    setSpoken("Loading was cancelled");
  }, []);

  const ask = useCallback(async (question: string) => {
    const loaded = model.current;
    if (loaded === null || !canAsk(now.current)) return;
    const mine = new AbortController();
    answering.current = mine;
    const id = ++ids.current;
    const asked = { type: "asked", id, question } as const;
    dispatch(asked);
    const batch = new FrameBatch((text, reasoning) =>
      dispatch({ type: "answerGrew", id, text, reasoning }),
    );
    try {
      const stream = streamText({
        model: loaded,
        messages: messagesFor(reduce(now.current, asked).turns),
        signal: mine.signal,
      });
      for await (const part of stream.fullStream) {
        if (part.type === "text-delta") batch.add(part.text, "");
        else if (part.type === "reasoning") batch.add("", part.text);
      }
      const { finishReason, usage, timings, text } = await stream.result;
      batch.end();
      dispatch({
        type: "answerEnded",
        id,
        reason: finishReason,
        figures: {
          promptTokens: usage.promptTokens,
          cachedTokens: usage.cachedTokens,
          answerTokens: usage.completionTokens,
          firstTokenMs: timings.timeToFirstTokenMs,
          tokensPerSecond: timings.decodeTokensPerSecond,
        },
      });
      setSpoken(finishReason === "abort" ? "Stopped" : text);
    } catch (error) {
      batch.end();
      dispatch({ type: "answerFailed", id, failure: failureOf(error) });
    }
  }, []);

  const askAgain = useCallback((turn: Turn) => void ask(turn.question), [ask]);

  const stop = useCallback(() => {
    if (isAnswering(now.current)) answering.current?.abort();
  }, []);

  const clear = useCallback(() => {
    answering.current?.abort();
    dispatch({ type: "cleared" });
    setSpoken("New chat");
  }, []);

  useEffect(() => {
    void load(firstSource());
  }, [load]);

  return { chat, spoken, load, cancelLoad, ask, askAgain, stop, clear };
}
