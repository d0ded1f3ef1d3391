import { embed, loadModel } from "../../packages/sidestage/dist/index.js";

const one = (id) => document.getElementById(id);
const [texts, query, status, progress, stop] = [
  "texts",
  "query",
  "status",
  "progress",
  "stop",
].map(one);

/** Texts that are embedded by one request: as many share a step of the engine. */
const BATCH = 8;
/** Characters of a passage: longer paragraphs are several. */
const LONGEST = 600;
const SHOWN = 5;

/** The open model, by what name its vectors are kept, and these by their text. */
let index;
let passages = [];
/** Ends the embedding of the texts, and the search, that go on. */
let embedding = new AbortController();
let search = new AbortController();

const tell = (text) => (status.textContent = text);
const guard = (work) => (event) =>
  work(event).catch((error) => {
    if (error.name !== "AbortError")
      tell([error.message, error.hint].filter(Boolean).join(" "));
  });

const segmenter = new Intl.Segmenter(undefined, { granularity: "sentence" });
const sentencesOf = (text) => Array.from(segmenter.segment(text), ({ segment }) => segment);

/** Paragraphs, long ones cut between sentences, each once. */
function passagesOf(text) {
  const found = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    let passage = "";
    for (const sentence of sentencesOf(paragraph.trim().replace(/\s+/g, " "))) {
      if (passage && passage.length + sentence.length > LONGEST) {
        found.push(passage.trim());
        passage = "";
      }
      passage += sentence;
    }
    found.push(passage.trim());
  }
  return [...new Set(found)].filter(Boolean);
}

/** What was embedded stays in this browser; where it has no database, as long as the page is open. */
const database = new Promise((resolve) => {
  const request = indexedDB.open("semantic-search", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("vectors");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => resolve(undefined);
}).catch(() => undefined);

async function vectorStore(mode) {
  return (await database)?.transaction("vectors", mode).objectStore("vectors");
}

const resultOf = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** The vectors of a model that are kept. */
async function keptBy(key) {
  const store = await vectorStore("readonly");
  if (!store) return new Map();
  const range = IDBKeyRange.bound([key], [key, []]);
  const both = [store.getAllKeys(range), store.getAll(range)];
  const [keys, vectors] = await Promise.all(both.map(resultOf));
  return new Map(keys.map(([, text], at) => [text, vectors[at]]));
}

/** Embeds those of the texts that have not been. Gives how many that were. */
async function add({ model, key, vectors }, list, signal, onProgress) {
  const fresh = [...new Set(list)].filter((text) => !vectors.has(text));
  for (let at = 0; at < fresh.length; at += BATCH) {
    signal.throwIfAborted();
    onProgress?.(at, fresh.length);
    const input = fresh.slice(at, at + BATCH);
    const { embeddings } = await embed({ model, input, truncate: true, signal });
    const store = await vectorStore("readwrite");
    for (const [which, text] of input.entries()) {
      // All are views of one buffer, which the database would keep with each.
      const vector = embeddings[which].slice();
      vectors.set(text, vector);
      store?.put(vector, [key, text]);
    }
  }
  return fresh.length;
}

async function open(source) {
  embedding.abort();
  search.abort();
  progress.hidden = false;
  query.disabled = true;
  const old = index;
  index = undefined;
  try {
    await old?.model.dispose();
    const model = await loadModel(source, {
      onProgress({ phase, loadedBytes, totalBytes }) {
        tell(`${phase} …`);
        progress.max = totalBytes ?? 1;
        progress.value = totalBytes ? loadedBytes : 0;
      },
    });
    const { name, weightType, memory } = model.info;
    const key = [name, weightType, memory.weights].join();
    index = { model, key, vectors: await keptBy(key) };
  } finally {
    progress.hidden = true;
  }
  query.disabled = false;
  await update();
}

/** Embeds what is new among the texts. */
async function update() {
  passages = passagesOf(texts.value);
  embedding.abort();
  if (!index) return;
  const { signal } = (embedding = new AbortController());
  const start = performance.now();
  const show = (done, all) => {
    progress.hidden = stop.hidden = false;
    progress.max = all;
    progress.value = done;
    tell(`${done} of ${all} passages embedded …`);
  };
  try {
    const fresh = await add(index, passages, signal, show);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    tell(`${passages.length} passages, ${fresh} of them embedded anew in ${seconds} s`);
  } finally {
    if (signal === embedding.signal) progress.hidden = stop.hidden = true;
  }
  await find();
}

/** Both have the length 1: it is their cosine. */
const product = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);

/** Shows the passages that are nearest to what is looked for, with the nearest sentence of each. */
async function find() {
  search.abort();
  const { signal } = (search = new AbortController());
  const text = query.value.trim();
  if (!index || !text) return one("results").replaceChildren();
  const start = performance.now();
  const { model, vectors } = index;
  const { embeddings } = await embed({ model, input: text, truncate: true, signal });
  const [wanted] = embeddings;
  const near = (text) => product(wanted, vectors.get(text));
  const there = passages.filter((passage) => vectors.has(passage));
  const best = there
    .map((passage) => ({ passage, score: near(passage) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, SHOWN);
  const sentences = best.flatMap(({ passage }) => sentencesOf(passage));
  await add(
    index,
    sentences.map((sentence) => sentence.trim()),
    signal,
  );
  one("results").replaceChildren(...best.map((found) => row(found, near)));
  const ms = (performance.now() - start).toFixed(0);
  tell(`“${text}” in ${there.length} passages: ${ms} ms, off this page's thread`);
}

function row({ passage, score }, near) {
  const [li, meter, output, p] = ["li", "meter", "output", "p"].map((tag) =>
    document.createElement(tag),
  );
  meter.value = score;
  output.value = score.toFixed(2);
  const sentences = sentencesOf(passage);
  const scores = sentences.map((sentence) => near(sentence.trim()));
  const best = scores.indexOf(Math.max(...scores));
  for (const [at, sentence] of sentences.entries()) {
    const part = document.createElement(at === best ? "mark" : "span");
    part.textContent = sentence;
    p.append(part);
  }
  li.append(meter, output, p);
  return li;
}

one("model").onchange = guard(({ target }) => open([...target.files]));

one("from").onsubmit = guard((event) => {
  event.preventDefault();
  return open(one("url").value);
});

one("files").onchange = guard(async ({ target }) => {
  const all = await Promise.all(Array.from(target.files, (file) => file.text()));
  texts.value = all.join("\n\n");
  await update();
});

texts.onchange = guard(update);
query.oninput = guard(find);

stop.onclick = () => {
  embedding.abort();
  tell("Stopped: what has been embedded can be searched.");
};

one("forget").onclick = guard(async () => {
  embedding.abort();
  (await vectorStore("readwrite"))?.clear();
  index?.vectors.clear();
  one("results").replaceChildren();
  tell("Forgotten.");
});
