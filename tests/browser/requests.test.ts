import assert from "node:assert/strict";
import type { StreamTextResult } from "../../packages/sidestage/src/index.js";
import { bothModes } from "./suite.js";

// The defects of Wandler, numbered as in the project's notes, that concern requests; each name says
// what must not happen.

bothModes("requests", (test) => {
  test("defect 1: a second stream does not take the first one's events", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const prompts = ["Once upon a time", "Lily and Tom", "The dog said", "One day, a boy"];
      const how = { model, temperature: 0, maxTokens: 30 };
      const alone = [];
      for (const prompt of prompts) alone.push((await generateText({ ...how, prompt })).text);
      const streams = prompts.map((prompt) => streamText({ ...how, prompt }));
      const together = await Promise.all(streams.map((stream) => window.help.text(stream)));
      const results = await Promise.all(
        streams.map(async (stream) => (await stream.result).text),
      );
      return { alone, together, results };
    });
    assert.equal(new Set(out.alone).size, 4);
    assert.deepEqual(out.together, out.alone);
    assert.deepEqual(out.results, out.alone);
  });

  test("defect 2: after an abort nothing of the old answer reaches the next one", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, temperature: 0, ignoreEos: true };
      const wanted = await generateText({ ...how, prompt: "The dog said", maxTokens: 40 });
      const texts = [];
      for (let round = 0; round < 5; round += 1) {
        const old = streamText({ ...how, prompt: "Once upon a time", maxTokens: 400 });
        await old.textStream.getReader().read();
        old.abort();
        const next = streamText({ ...how, prompt: "The dog said", maxTokens: 40 });
        texts.push(await window.help.text(next));
      }
      return { wanted: wanted.text, texts };
    });
    for (const text of out.texts) assert.equal(text, out.wanted);
  });

  test("defect 3: abort, break, cancel and a signal stop the engine, not only the page", async (page) => {
    const out = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once", temperature: 0, ignoreEos: true, maxTokens: 450 };
      const ways: Record<string, () => Promise<StreamTextResult>> = {
        abort: async () => {
          const stream = streamText(how);
          await stream.textStream.getReader().read();
          stream.abort();
          return stream;
        },
        break: async () => {
          const stream = streamText(how);
          for await (const piece of stream) if (piece) break;
          return stream;
        },
        cancel: async () => {
          const stream = streamText(how);
          const reader = stream.fullStream.getReader();
          await reader.read();
          await reader.cancel();
          return stream;
        },
        signal: async () => {
          const controller = new AbortController();
          const stream = streamText({ ...how, signal: controller.signal });
          await stream.textStream.getReader().read();
          controller.abort();
          return stream;
        },
      };
      const ended: Record<string, unknown> = {};
      for (const [name, way] of Object.entries(ways)) {
        const stream = await way();
        const result = await stream.result;
        const { openRequests, completionTokens } = await model.metrics();
        await window.help.turn();
        const later = (await model.metrics()).completionTokens;
        ended[name] = {
          reason: result.finishReason,
          partial: result.text !== "" && result.usage.completionTokens < 450,
          openRequests,
          still: later === completionTokens,
        };
      }
      return ended;
    });
    const fine = { reason: "abort", partial: true, openRequests: 0, still: true };
    assert.deepEqual(out, { abort: fine, break: fine, cancel: fine, signal: fine });
  });

  test("abort is honoured within 100 ms: long prompt, answer, queue, stalled reader", async (page) => {
    const times = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const model = await window.help.load({ contextLength: 8192 }, "made/long.gguf");
      const long = { model, prompt: window.help.ids(8000), temperature: 0, cachePrompt: false };
      const answer = {
        model,
        prompt: "Once",
        temperature: 0,
        ignoreEos: true,
        maxTokens: 3000,
      };
      const timed = async (stream: StreamTextResult): Promise<number> => {
        const start = performance.now();
        stream.abort();
        const { finishReason } = await stream.result;
        if (finishReason !== "abort") throw new Error(`it ended by ${finishReason}`);
        return performance.now() - start;
      };
      const phases: Record<string, () => Promise<number>> = {
        prompt: async () => {
          const stream = streamText(long);
          const { openRequests, completionTokens } = await model.metrics();
          if (openRequests !== 1) throw new Error("the prompt is not under way");
          const time = await timed(stream);
          if ((await model.metrics()).completionTokens > completionTokens) {
            throw new Error("the prompt was done before the abort");
          }
          return time;
        },
        answer: async () => {
          const stream = streamText(answer);
          stream.result.catch(() => undefined);
          await stream.textStream.getReader().read();
          return timed(stream);
        },
        queue: async () => {
          const first = streamText(long);
          const second = streamText(answer);
          const time = await timed(second);
          first.abort();
          await first.result;
          return time;
        },
        stalled: async () => {
          const stream = streamText(answer);
          await stream.textStream.getReader().read();
          // The reader stands still until the worker has used up its credits.
          let before = -1;
          let now = 0;
          while (now !== before) {
            before = now;
            now = (await model.metrics()).completionTokens;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return timed(stream);
        },
      };
      const out: Record<string, number[]> = {};
      for (const [name, phase] of Object.entries(phases)) {
        out[name] = [];
        for (let round = 0; round < 5; round += 1) out[name].push(await phase());
      }
      return out;
    });
    for (const [phase, all] of Object.entries(times)) {
      const median = [...all].sort((a, b) => a - b)[2]!;
      assert.ok(median < 100, `${phase}: ${all.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    }
  });

  test("an aborted generateText rejects with the signal's reason", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once", temperature: 0, ignoreEos: true, maxTokens: 450 };
      const controller = new AbortController();
      const running = generateText({ ...how, abortSignal: controller.signal });
      await model.metrics();
      const reason = new Error("I changed my mind");
      controller.abort(reason);
      const late = await running.catch((error: unknown) => error === reason);
      const early = await generateText({ ...how, signal: AbortSignal.abort("early") }).catch(
        (error: unknown) => error,
      );
      const stream = streamText({ ...how, signal: AbortSignal.abort() });
      const text = await window.help.text(stream);
      const { finishReason } = await stream.result;
      let open = 1;
      while (open > 0) open = (await model.metrics()).openRequests;
      return { late, early, text, finishReason, open };
    });
    assert.deepEqual(out, {
      late: true,
      early: "early",
      text: "",
      finishReason: "abort",
      open: 0,
    });
  });

  test("defect 4: streamed pieces keep their blanks and line ends", async (page) => {
    const out = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const model = await window.help.load();
      const pieces: string[] = [];
      const stream = streamText({
        model,
        prompt: "Once upon a time",
        temperature: 0,
        maxTokens: 64,
      });
      for await (const piece of stream) pieces.push(piece);
      return { pieces, whole: (await stream.result).text };
    });
    assert.equal(out.pieces.join(""), out.whole);
    assert.ok(out.pieces.some((piece) => piece.startsWith(" ")));
    assert.ok(out.pieces.some((piece) => piece.includes("\n")));
  });

  test("defect 5: reasoning is told apart, whatever pieces it comes in", async (page) => {
    const out = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const model = await window.help.load({}, "made/think.gguf");
      const stream = streamText({ model, prompt: "Once", temperature: 0, maxTokens: 30 });
      const parts = [];
      for await (const part of stream.fullStream) parts.push(part);
      return { parts, result: await stream.result };
    });
    const reasoning = out.parts.map((part) => (part.type === "reasoning" ? part.text : ""));
    assert.equal(out.result.text, "");
    assert.ok((out.result.reasoning ?? "").length > 20);
    assert.equal(reasoning.join(""), out.result.reasoning);
    assert.ok(reasoning.filter((piece) => piece !== "").length > 5);
  });

  test("defects 6 and 7: no option is silently ignored, none breaks the port", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once" };
      const bad = (given: object) => window.help.caught(generateText({ ...how, ...given }));
      return [
        await bad({ temprature: 0 }),
        await bad({ tools: { f: { execute: () => 1 } } }),
        await bad({ prompt: undefined, messages: [{ role: "user", content: "", f: () => 1 }] }),
        await bad({ temperature: -1 }),
        await bad({ topP: 0 }),
        await bad({ logitBias: { 100000: 1 } }),
        await bad({ model: {} }),
        await window.help.caught(() => streamText({ ...how, seed: -1 })),
      ];
    });
    assert.deepEqual(
      out.map((error) => error?.code),
      out.map(() => "INVALID_OPTION"),
    );
    assert.deepEqual(
      out.map((error) => error?.detail?.option),
      [
        "temprature",
        "tools",
        "messages[0].f",
        "temperature",
        "topP",
        "logitBias",
        "model",
        "seed",
      ],
    );
  });

  test("defect 8: many calls in one millisecond each get their own answer", async (page) => {
    const ok = await page.evaluate(async () => {
      const model = await window.help.load();
      const texts = Array.from({ length: 200 }, (_, at) => `story number ${at}`);
      const tokens = await Promise.all(texts.map((text) => model.tokenize(text)));
      const back = await Promise.all(tokens.map((ids) => model.detokenize(ids)));
      return back.every((text, at) => text.endsWith(texts[at]!));
    });
    assert.equal(ok, true);
  });

  test("defect 11: two loads of one file are two models", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const [a, b] = await Promise.all([window.help.load(), window.help.load()]);
      const how = { prompt: "Once upon a time", temperature: 0, maxTokens: 8 };
      const first = (await generateText({ model: a, ...how })).text;
      await a.dispose();
      const second = (await generateText({ model: b, ...how })).text;
      const gone = await window.help.caught(generateText({ model: a, ...how }));
      await b.dispose();
      return { same: first === second, gone: gone?.code };
    });
    assert.deepEqual(out, { same: true, gone: "MODEL_DISPOSED" });
  });

  test("defect 12: a reader that stands still holds the engine back; the queue is fair", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, temperature: 0, ignoreEos: true };
      const stream = streamText({ ...how, prompt: "Once", maxTokens: 400 });
      const reader = stream.textStream.getReader();
      await reader.read();
      let before = -1;
      let made = 0;
      while (made !== before) {
        before = made;
        made = (await model.metrics()).completionTokens;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      // Others go on meanwhile.
      const other = await generateText({ ...how, prompt: "The dog", maxTokens: 10 });
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      const result = await stream.result;
      return { made, other: other.usage.completionTokens, end: result.text.endsWith(text) };
    });
    assert.ok(
      out.made > 0 && out.made < 200,
      `${out.made} tokens were made for one that was read`,
    );
    assert.equal(out.other, 10);
    assert.equal(out.end, true);
  });

  test("a result is given even if the stream's reader stands still", async (page) => {
    const tokens = await page.evaluate(async () => {
      const model = await window.help.load();
      const how = { model, prompt: "Once", temperature: 0, ignoreEos: true, maxTokens: 400 };
      const stream = window.sidestage.streamText(how);
      await stream.fullStream.getReader().read();
      return (await stream.result).usage.completionTokens;
    });
    assert.equal(tokens, 400);
  });

  test("defect 15: nothing is written to the console, nothing is unhandled", async (page, up) => {
    const unhandled = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once upon a secret", temperature: 0, maxTokens: 400 };
      await window.help.text(streamText({ ...how, maxTokens: 10 }));
      streamText({ ...how, prompt: window.help.ids(5000) });
      streamText(how);
      await model.metrics();
      await model.dispose();
      await window.help.turn();
      return window.record.unhandled;
    });
    assert.deepEqual(unhandled, []);
    assert.deepEqual(up.console, []);
  });

  test("dispose fails what is open with MODEL_DISPOSED, once and for all", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once", temperature: 0, ignoreEos: true, maxTokens: 450 };
      const { caught } = window.help;
      const stream = streamText(how);
      await stream.textStream.getReader().read();
      const open = [generateText(how), stream.result, model.tokenize("a")].map((work) =>
        caught(work),
      );
      await model.dispose();
      await model.dispose();
      const later = [model.metrics(), model.detokenize([1]), generateText(how)].map((work) =>
        caught(work),
      );
      return (await Promise.all([...open, ...later])).map((error) => error?.code);
    });
    assert.deepEqual(
      out,
      out.map(() => "MODEL_DISPOSED"),
    );
  });

  test("bad prompts have their codes and leave the model usable", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const model = await window.help.load({ contextLength: 64 });
      const bad = async (prompt: string | number[]) =>
        (await window.help.caught(generateText({ model, prompt, maxTokens: 2 })))?.code;
      const codes = [
        await bad(window.help.ids(65)),
        await bad([]),
        await bad([512]),
        await bad("word ".repeat(200)),
      ];
      const lone = await generateText({ model, prompt: "a\uD800", maxTokens: 2, raw: true });
      const template = await window.help.caught(
        model.applyChatTemplate([{ role: "user", content: "" }]),
      );
      return { codes, lone: lone.usage.completionTokens, template: template?.code };
    });
    assert.deepEqual(out.codes, [
      "CONTEXT_LENGTH_EXCEEDED",
      "PROMPT_EMPTY",
      "PROMPT_INVALID",
      "CONTEXT_LENGTH_EXCEEDED",
    ]);
    assert.equal(out.lone, 2);
    assert.equal(out.template, "NO_CHAT_TEMPLATE");
  });
});
