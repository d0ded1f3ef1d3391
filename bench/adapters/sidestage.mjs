/**
 * Speeds are the page's wall-clock, not the engine's own.
 */
export async function create({ threads, base = "/sidestage/", contextLength = 1024, kvType }) {
  const { loadModel, streamText } = await import(`${base}index.js`);
  let model;
  return {
    async load(url, cache) {
      model = await loadModel(new URL(url, location.href).href, {
        threads,
        contextLength,
        kvType,
        cache,
      });
      return { threads: model.info.threads };
    },
    profile: async () => (await model.metrics({ profile: true })).profile,
    /** Ends early when `going` says no. */
    async generate(prompt, maxTokens, going = () => true) {
      const start = performance.now();
      let first;
      const stream = streamText({
        model,
        prompt,
        maxTokens,
        temperature: 0,
        ignoreEos: true,
        cachePrompt: false,
      });
      for await (const part of stream.textStream) {
        void part;
        first ??= performance.now();
        if (!going()) stream.abort();
      }
      const { usage } = await stream.result;
      const end = performance.now();
      const decoded = usage.completionTokens - 1;
      return {
        promptTokens: usage.promptTokens,
        promptMs: (decoded > 0 ? first : end) - start,
        totalMs: end - start,
        answerTokens: usage.completionTokens,
        tokensPerSecond: decoded > 0 ? (decoded / (end - first)) * 1000 : null,
      };
    },
  };
}
