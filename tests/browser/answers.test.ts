import assert from "node:assert/strict";
import { goldens } from "./goldens.js";
import { MODELS } from "./server.js";
import { bothModes } from "./suite.js";

const runs = MODELS ? goldens("stories260K-F32.gguf") : [];

bothModes("answers", (test) => {
  test("greedy text and tokens equal the reference, from text and from ids", async (page) => {
    const answers = await page.evaluate(async (prompts) => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const out = [];
      for (const { prompt, prompt_ids } of prompts) {
        const how = { model, temperature: 0, maxTokens: 64 };
        const whole = await generateText({ ...how, prompt });
        const ids = await generateText({ ...how, prompt: new Uint32Array(prompt_ids) });
        const pieces = await window.help.text(streamText({ ...how, prompt }));
        const tokens = await model.tokenize(prompt);
        out.push({ whole, ids: ids.text, pieces, tokens });
      }
      return out;
    }, runs);
    assert.ok(runs.length > 2);
    for (const [at, { whole, ids, pieces, tokens }] of answers.entries()) {
      const golden = runs[at]!;
      assert.deepEqual(whole.tokens, golden.generated_ids);
      assert.equal(whole.text, golden.generated_text);
      assert.equal(ids, golden.generated_text);
      assert.equal(pieces, golden.generated_text);
      assert.deepEqual(tokens, golden.prompt_ids);
      assert.equal(whole.usage.promptTokens, golden.prompt_ids.length);
      assert.equal(whole.usage.completionTokens, golden.generated_ids.length);
      assert.equal(
        whole.usage.totalTokens,
        whole.usage.promptTokens + whole.usage.completionTokens,
      );
    }
  });

  test("streamText: parts, result, awaited or not, in one order", async (page) => {
    const out = await page.evaluate(async () => {
      const { streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 40 };
      const stream = streamText(how);
      const isStream = stream.textStream instanceof ReadableStream;
      const [text, parts] = await Promise.all([
        window.help.text(stream.textStream),
        (async () => {
          const list = [];
          for await (const part of stream.fullStream) list.push(part);
          return list;
        })(),
      ]);
      const awaited = await streamText(how);
      const again = await window.help.text(awaited);
      const onlyResult = await streamText(how).result;
      return {
        isStream,
        text,
        parts,
        result: await stream.result,
        again,
        thenable: "then" in awaited,
        onlyResult,
      };
    });
    assert.equal(out.isStream, true);
    assert.equal(out.result.text, out.text);
    assert.equal(out.again, out.text);
    assert.equal(out.onlyResult.text, out.text);
    assert.equal(out.thenable, false);
    const last = out.parts.at(-1)!;
    assert.ok(last.type === "finish");
    assert.equal(last.finishReason, "length");
    assert.deepEqual(last.usage, out.result.usage);
    assert.equal(
      out.parts.map((part) => (part.type === "text-delta" ? part.textDelta : "")).join(""),
      out.text,
    );
    const { timings } = out.result;
    // Some browsers' clocks tick once a millisecond.
    assert.ok(timings.loadMs > 0 && timings.timeToFirstTokenMs >= 0);
    assert.ok((timings.decodeTokensPerSecond ?? 0) > 0);
  });

  test("the same seed gives the same text, another one another", async (page) => {
    const texts = await page.evaluate(async () => {
      const model = await window.help.load();
      const how = { model, prompt: "Once", temperature: 1, maxTokens: 40 };
      const seeds = [7, 7, 8, 2 ** 53 - 1, 2 ** 53 - 1];
      const out = [];
      for (const seed of seeds) {
        out.push((await window.sidestage.generateText({ ...how, seed })).text);
      }
      out.push(
        (await window.sidestage.generateText({ ...how, seed: 7, cachePrompt: false })).text,
      );
      return out;
    });
    assert.equal(texts[0], texts[1]);
    assert.notEqual(texts[0], texts[2]);
    assert.equal(texts[3], texts[4]);
    assert.equal(texts[0], texts[5], "reuse of the prefix changes nothing");
  });

  test("stop strings and stop tokens end the answer and are not in it", async (page) => {
    const [golden] = runs;
    const out = await page.evaluate(async (stopToken) => {
      const { generateText, streamText } = window.sidestage;
      const model = await window.help.load();
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 64 };
      const stop = await generateText({ ...how, stop: " girl named" });
      const streamed = await window.help.text(
        streamText({ ...how, stopSequences: ["nowhere", " girl named"] }),
      );
      const token = await generateText({ ...how, stopTokens: [stopToken] });
      return { stop, streamed, token };
    }, golden!.generated_ids[10]!);
    const before = golden!.generated_text.split(" girl named")[0];
    assert.equal(out.stop.text, before);
    assert.equal(out.stop.finishReason, "stop");
    assert.equal(out.streamed, before);
    assert.equal(out.token.finishReason, "stop");
    assert.deepEqual(out.token.tokens, golden!.generated_ids.slice(0, 10));
  });

  test("logit bias bans and forces, in each of its forms", async (page) => {
    const [first] = runs[0]!.generated_ids;
    const out = await page.evaluate(async (id) => {
      const model = await window.help.load();
      const how = { model, prompt: "Once upon a time", temperature: 0, maxTokens: 1 };
      const tokens = [];
      for (const logitBias of [
        { [id]: -Infinity },
        new Map([[id, -1e9]]),
        [[id, -1e9] as const],
      ]) {
        tokens.push((await window.sidestage.generateText({ ...how, logitBias })).tokens[0]);
      }
      const forced = await window.sidestage.generateText({ ...how, logitBias: { 99: 1e6 } });
      return { tokens, forced: forced.tokens };
    }, first!);
    assert.ok(out.tokens.every((token) => token !== first && token === out.tokens[0]));
    assert.deepEqual(out.forced, [99]);
  });

  test("limits: nothing, one token, to the end of the context, past the end token", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const model = await window.help.load({ contextLength: 128 });
      const how = { model, prompt: "Once upon a time", temperature: 0 };
      const none = await generateText({ ...how, maxTokens: 0 });
      const one = await generateText({ ...how, maxOutputTokens: 1 });
      const rest = await generateText({ ...how, ignoreEos: true });
      return { none, one, rest, context: model.info.contextLength };
    });
    assert.equal(out.none.usage.completionTokens, 0);
    assert.equal(out.none.text, "");
    assert.equal(out.one.usage.completionTokens, 1);
    assert.equal(out.context, 128);
    assert.equal(out.rest.finishReason, "length");
    assert.ok(out.rest.usage.totalTokens >= 128 && out.rest.usage.totalTokens <= 129);
  });

  test("the prefix of the last conversation is reused, if allowed", async (page) => {
    const [cached, off] = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const model = await window.help.load();
      const prompt = window.help.ids(100);
      const how = { model, temperature: 0, maxTokens: 4 };
      await generateText({ ...how, prompt });
      const again = await generateText({ ...how, prompt: [...prompt, 9, 10] });
      const without = await generateText({ ...how, prompt, cachePrompt: false });
      return [again.usage.cachedTokens, without.usage.cachedTokens];
    });
    assert.equal(cached, 100);
    assert.equal(off, 0);
  });

  test("a chat template renders messages, system and a plain prompt; raw leaves text", async (page) => {
    const out = await page.evaluate(async () => {
      const { generateText } = window.sidestage;
      const model = await window.help.load({}, "made/chat.gguf");
      const rendered = await model.applyChatTemplate([
        { role: "system", content: "S" },
        { role: "user", content: "U" },
      ]);
      const open = await model.applyChatTemplate([{ role: "user", content: "U" }], {
        addGenerationPrompt: false,
      });
      const how = { model, temperature: 0, maxTokens: 1 };
      const count = async (given: object): Promise<number> =>
        (await generateText({ ...how, ...given })).usage.promptTokens;
      return {
        has: model.info.hasChatTemplate,
        rendered,
        open,
        messages: await count({
          messages: [
            { role: "system", content: "S" },
            { role: "user", content: "U" },
          ],
        }),
        system: await count({ system: "S", prompt: "U" }),
        prompt: await count({ prompt: "U" }),
        asMessage: await count({ messages: [{ role: "user", content: "U" }] }),
        raw: await count({ prompt: "U", raw: true }),
        counted: await model.countTokens("U"),
      };
    });
    assert.equal(out.has, true);
    assert.equal(out.rendered, "[system]S\n[user]U\n[assistant]");
    assert.equal(out.open, "[user]U\n");
    assert.equal(out.system, out.messages);
    assert.equal(out.prompt, out.asMessage);
    assert.ok(out.raw < out.prompt);
    assert.equal(out.raw, out.counted);
  });

  test("text through tokens and back; odd characters survive", async (page) => {
    const out = await page.evaluate(async () => {
      const model = await window.help.load();
      const text = "Lily and\n\ttom, na\u00efve \u{1F600} \u4f60\u597d";
      const tokens = await model.tokenize(text, { special: false });
      const lone = await model.tokenize("a\uD800b", { special: false });
      return {
        text,
        back: await model.detokenize(tokens),
        backFromTyped: await model.detokenize(new Uint32Array(tokens)),
        lone: await model.detokenize(lone),
        count: await model.countTokens(text),
        special: (await model.tokenize(text)).length,
      };
    });
    assert.equal(out.back.trimStart(), out.text);
    assert.equal(out.backFromTyped, out.back);
    assert.equal(out.lone.trimStart(), "a\uFFFDb");
    assert.equal(out.count, out.special);
  });
});
