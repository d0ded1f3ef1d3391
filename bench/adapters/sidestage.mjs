import { loadModel, streamText } from "/sidestage/index.js";

export async function create({ threads }) {
  let model;
  return {
    async load(url, cache) {
      model = await loadModel(new URL(url, location.href).href, {
        threads,
        contextLength: 1024,
        cache,
      });
      return { threads: model.info.threads };
    },
    async generate(prompt, maxTokens) {
      const stream = streamText({
        model,
        prompt,
        maxTokens,
        temperature: 0,
        ignoreEos: true,
        cachePrompt: false,
      });
      for await (const part of stream.textStream) void part;
      const { usage, timings } = await stream.result;
      return {
        promptTokens: usage.promptTokens,
        promptMs: (usage.promptTokens / timings.prefillTokensPerSecond) * 1000,
        answerTokens: usage.completionTokens,
        tokensPerSecond: timings.decodeTokensPerSecond,
      };
    },
  };
}
