import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DATA } from "./server.js";
import { bothModes } from "./suite.js";

const FILE = "all-MiniLM-L6-v2-KMIX.gguf";

interface Reference {
  items: { text: string; input_ids: number[] }[];
  gguf: Record<string, { embeddings: number[][] }>;
}

const dot = (a: number[], b: number[]): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? NaN), 0);

bothModes("embed", (test) => {
  test("vectors are those of Hugging Face", async (page) => {
    const path = join(DATA ?? "", "embed/all-MiniLM-L6-v2-reference.json");
    const { items, gguf } = JSON.parse(readFileSync(path, "utf8")) as Reference;
    const out = await page.evaluate(
      async ({ items, file }) => {
        const { embed, generateText } = window.sidestage;
        const caught = window.help.caught;
        const model = await window.help.load({}, `data/embed/${file}`);
        const input = items.map((item) => item.text);
        const all = await embed({ model, input });
        const ids = items.map((item) => item.input_ids);
        const byIds = await embed({ model, input: ids, dimensions: 16, pooling: "cls" });
        const aborted = AbortSignal.abort();
        const codes = [
          await caught(embed({ model, input: "word ".repeat(600) })),
          await caught(embed({ model, input: "a", dimensions: 385 })),
          await caught(generateText({ model, prompt: "a" })),
          await caught(embed({ model: await window.help.load(), input: "a" })),
        ].map((error) => error?.code);
        return {
          vectors: all.embeddings.map((vector) => Array.from(vector)),
          tokens: all.tokens,
          dimensions: [all.dimensions, byIds.dimensions, byIds.embeddings[0]?.length],
          codes,
          aborted: (await caught(embed({ model, input, signal: aborted })))?.name,
          one: (await embed({ model, input: input[0] ?? "" })).embeddings.map((vector) =>
            Array.from(vector),
          ),
        };
      },
      { items, file: FILE },
    );
    const expected = gguf[FILE]?.embeddings ?? [];
    assert.equal(out.vectors.length, items.length);
    for (const [at, vector] of out.vectors.entries()) {
      const wanted = expected[at] ?? [];
      const cosine = dot(vector, wanted) / Math.sqrt(dot(wanted, wanted));
      assert.ok(cosine >= 0.999, `${items[at]?.text}: ${cosine}`);
    }
    assert.deepEqual(
      out.tokens,
      items.map((item) => item.input_ids.length),
    );
    assert.deepEqual(out.dimensions, [384, 16, 16]);
    assert.deepEqual(out.one, [out.vectors[0]]);
    assert.deepEqual(out.codes, [
      "CONTEXT_LENGTH_EXCEEDED",
      "INVALID_OPTION",
      "TASK_UNSUPPORTED",
      "TASK_UNSUPPORTED",
    ]);
    assert.equal(out.aborted, "AbortError");
  });
});
