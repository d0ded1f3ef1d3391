import { loadModel } from "../../packages/sidestage/dist/index.js";

const one = (id) => document.getElementById(id);
const [image, video, status, progress] = ["image", "video", "status", "progress"].map(one);

/** What black and white are for the model: only quantised ones say it. */
const PIXELS = {
  usual: {},
  signed: { range: [-1, 1] },
  bytes: { range: [0, 255] },
  imagenet: { range: [0, 1], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

let model;
let labels = [];
/** The picture that was shown last: a file or the camera. */
let shown;
/** Grows with each model, picture and camera: what began under an older one is over. */
let turn = 0;

const tell = (text) => (status.textContent = text);
const guard = (work) => (event) =>
  work(event).catch((error) => tell([error.message, error.hint].filter(Boolean).join(" ")));

async function open(source, names) {
  const mine = ++turn;
  stopCamera();
  progress.hidden = false;
  try {
    await model?.dispose();
    model = await loadModel(source, {
      onProgress({ phase, loadedBytes, totalBytes }) {
        tell(`${phase} …`);
        progress.max = totalBytes ?? 1;
        progress.value = totalBytes ? loadedBytes : 0;
      },
    });
  } finally {
    progress.hidden = true;
  }
  labels = names;
  const [{ name, shape }] = model.inputs;
  tell(
    `${model.info.name} is ready: ${name} [${shape?.join(", ")}], ${Math.round(model.info.loadMs)} ms`,
  );
  one("picture").disabled = one("camera").disabled = false;
  if (mine === turn && shown) await classify(shown);
}

async function labelsOf(files) {
  const file = files.find(({ name }) => name === "metadata.json" || name.endsWith(".txt"));
  if (!file) return [];
  const text = await file.text();
  return file.name.endsWith(".txt") ? text.trim().split(/\r?\n/) : JSON.parse(text).labels;
}

/** Shows the five best classes of a picture, and how long that took. */
async function classify(source) {
  const start = performance.now();
  const picture = { source, resize: "cover", ...PIXELS[one("pixels").value] };
  const outputs = await model.run({ [model.inputs[0].name]: picture });
  const ms = performance.now() - start;
  const scores = Array.from(Object.values(outputs)[0].data, Number);
  const parts = shares(scores);
  const best = scores
    .map((score, at) => ({ score, share: parts[at], label: labels[at] ?? String(at) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, 5);
  one("top").replaceChildren(...best.map(row));
  tell(`${ms.toFixed(0)} ms, off this page's thread`);
}

/** Scores as shares of one: many models end before their softmax. */
function shares(scores) {
  const sum = scores.reduce((all, score) => all + score, 0);
  if (scores.every((score) => score >= 0) && Math.abs(sum - 1) < 0.01) return scores;
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const all = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / all);
}

function row({ share, label }) {
  const li = document.createElement("li");
  const meter = document.createElement("meter");
  const output = document.createElement("output");
  meter.value = share;
  output.value = `${(100 * share).toFixed(1)} %`;
  li.append(label, meter, output);
  return li;
}

function stopCamera() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  video.hidden = true;
}

one("model").onchange = guard(async ({ target }) => {
  const files = [...target.files];
  const names = await labelsOf(files);
  const parts = files.filter(({ name }) => name !== "metadata.json" && !name.endsWith(".txt"));
  await open(parts, names);
});

one("from").onsubmit = guard(async (event) => {
  event.preventDefault();
  await open(one("url").value, []);
});

one("picture").onchange = guard(async ({ target }) => {
  turn += 1;
  stopCamera();
  [shown] = target.files;
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(shown);
  image.hidden = false;
  await classify(shown);
});

one("pixels").onchange = guard(async () => {
  if (model && shown) await classify(shown);
});

one("camera").onclick = guard(async () => {
  const mine = ++turn;
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  image.hidden = true;
  video.hidden = false;
  shown = video;
  await video.play();
  // The next frame when the last one is done: the camera is never ahead of the model.
  while (mine === turn) {
    await new Promise((next) => video.requestVideoFrameCallback(next));
    if (mine === turn) await classify(video);
  }
});
