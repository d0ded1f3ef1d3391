import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stage } from "./browser.js";
import type { Page } from "./drivers/driver.js";
import { bitmap, classes, says } from "./example.js";
import { readNpz } from "./npz.js";
import { DATA } from "./server.js";
import { withPage } from "./suite.js";

const up = stage();

withPage(up, "example: the image classifier names a digit", "plain", "worker", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sidestage-"));
  try {
    const path = join(folder, "digit.bmp");
    const { "in.Input3": image } = readNpz(join(DATA ?? "", "onnx/mnist-12.ref.npz"));
    writeFileSync(path, bitmap(28, image?.data ?? []));
    const page = await up.openAt(
      (server) => `${server}/bare/examples/image-classifier/index.html`,
    );
    await page.upload("#model", join(DATA ?? "", "onnx/mnist-12.onnx"));
    await says(page, "is ready");
    assert.equal(await classes(page), "");
    await page.evaluate(() => {
      (document.getElementById("pixels") as HTMLSelectElement).value = "bytes";
    });
    await page.upload("#picture", path);
    await says(page, "off this page");
    // The five best of the reference, in its order.
    assert.equal(await classes(page), "7,2,3,1,9");
    assert.deepEqual(
      up.console.filter((line) => line.startsWith("error")),
      [],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const ENCODER = "all-MiniLM-L6-v2-KMIX.gguf";

withPage(up, "example: a search finds what is near", "plain", "worker", async () => {
  const path = (name: string): string => join(DATA ?? "", "embed", name);
  const reference = JSON.parse(
    readFileSync(path("all-MiniLM-L6-v2-reference.json"), "utf8"),
  ) as { items: { text: string }[]; gguf: Record<string, { embeddings: number[][] }> };
  const vectors = reference.gguf[ENCODER]?.embeddings ?? [];
  // The last text is longer than a passage.
  const texts = reference.items.map((item) => item.text).slice(0, -1);
  const cosine = (a: number[], b: number[]): number => {
    const dot = (a: number[], b: number[]): number =>
      a.reduce((sum, value, at) => sum + value * (b[at] ?? NaN), 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const write = (page: Page, text: string): Promise<void> =>
    page.evaluate((text) => {
      const area = document.getElementById("texts") as HTMLTextAreaElement;
      area.value = text;
      area.dispatchEvent(new Event("change"));
    }, text);
  const results = (page: Page): Promise<{ score: number; text: string; mark: string }[]> =>
    page.evaluate(() =>
      Array.from(document.querySelectorAll("#results li"), (row) => ({
        score: row.querySelector("meter")?.value ?? NaN,
        text: row.querySelector("p")?.textContent ?? "",
        mark: row.querySelector("mark")?.textContent ?? "",
      })),
    );
  const address = (server: string): string =>
    `${server}/bare/examples/semantic-search/index.html`;
  const page = await up.openAt(address);

  // What is built in, which no word of the question is in.
  await page.upload("#model", path(ENCODER));
  await says(page, "8 passages, 8 of them embedded anew");
  await page.type("#query", "my tire is punctured");
  await says(page, "“my tire is punctured” in 8 passages");
  const [best] = await results(page);
  const { text = "", mark = "" } = best ?? {};
  assert.ok(text.startsWith("To change a flat tyre"), text);
  assert.ok(text.startsWith(mark) && mark.length > 0 && mark.length < text.length, mark);

  // The reference's texts, each looked for.
  await write(page, texts.join("\n\n"));
  await says(page, "“my tire is punctured” in 5 passages");
  for (const [at, text] of texts.entries()) {
    await page.evaluate((text) => {
      const query = document.getElementById("query") as HTMLInputElement;
      query.value = text;
      query.dispatchEvent(new Event("input"));
    }, text);
    await says(page, `“${text}” in 5 passages`);
    const found = await results(page);
    assert.equal(found.length, 5);
    for (const { text, score } of found) {
      const wanted = cosine(vectors[at] ?? [], vectors[texts.indexOf(text)] ?? []);
      assert.ok(
        Math.abs(score - Math.max(wanted, 0)) < 0.03,
        `${text}: ${score}, not ${wanted}`,
      );
    }
  }

  // It is stopped, and what is there can be searched.
  const many = Array.from(
    { length: 2000 },
    (_, at) => `The number ${at} is what this is about.`,
  );
  await write(page, many.join("\n\n"));
  await says(page, "of 2000 passages embedded");
  await page.click("#stop");
  await says(page, "Stopped");

  // What has been embedded is there when the page comes again.
  await page.goto(address(up.server.url));
  await page.upload("#model", path(ENCODER));
  await says(page, "8 passages, 0 of them embedded anew");
  assert.deepEqual(
    up.console.filter((line) => line.startsWith("error")),
    [],
  );
});
