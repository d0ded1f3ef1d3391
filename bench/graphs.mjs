/**
 * Graph models that are measured: networks with random weights, the same in every format, and real models
 * of the test data. Each is a list of files, by format, with the inputs of that file.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MACS, TOKENS, writeEncoder } from "./graphs/encoder.mjs";
import { mobileNetV2, resNet18, resNet50 } from "./graphs/network.mjs";
import { writeOnnx } from "./graphs/onnx.mjs";
import { quantise } from "./graphs/quantise.mjs";
import { writeTfjs } from "./graphs/tfjs.mjs";
import { writeTflite } from "./graphs/tflite.mjs";
import { FOLDER, generator } from "./models.mjs";

const MAKERS = new URL("graphs/", import.meta.url);

/** Of the makers' source: models of an older maker are not taken for those of this one. */
const MAKER = readdirSync(MAKERS)
  .sort()
  .reduce(
    (hash, name) => hash.update(readFileSync(new URL(name, MAKERS))),
    createHash("sha256"),
  )
  .update(readFileSync(new URL("onnx-file.mjs", import.meta.url)))
  .digest("hex")
  .slice(0, 8);

/** Where they lie. */
export const GRAPHS = join(dirname(FOLDER), `graphs-${MAKER}`);

/** The real models, if there are any here. */
export const DATA = process.env.SIDESTAGE_TESTDATA;

/** Channels last. */
const image = (height, width, channels = 3) => [
  { name: "input", dtype: "float32", shape: [1, height, width, channels], kind: "signed" },
];
const first = (height, width, channels = 3) => [
  { ...image(height, width, channels)[0], shape: [1, channels, height, width], kind: "planes" },
];
const unit = (...shape) => [{ name: "input", dtype: "float32", shape, kind: "unit" }];
const tokens = (name, most) => ({
  name,
  dtype: "int64",
  shape: [1, TOKENS],
  kind: "ids",
  most,
});
const ENCODER = [
  tokens("input_ids", 30522),
  { ...tokens("attention_mask"), kind: "ones" },
  { ...tokens("token_type_ids"), kind: "zeros" },
];

/** A network in the formats that have it, in single floats. */
function network(make) {
  return {
    macs: () => make().macs,
    files: { onnx: first(224, 224), tflite: image(224, 224), tfjs: image(224, 224) },
    write(folder) {
      const net = make();
      writeOnnx(join(folder, "model.onnx"), net);
      writeTflite(join(folder, "model.tflite"), net);
      writeTfjs(join(folder, "model.json"), net);
    },
  };
}

function encoder(quantised) {
  return {
    macs: () => MACS,
    files: { onnx: ENCODER },
    write: (folder) => writeEncoder(join(folder, "model.onnx"), quantised),
  };
}

const real = (path, inputs) => ({ path, files: { [formatOf(path)]: inputs } });

function formatOf(path) {
  if (path.endsWith("model.json")) return "tfjs";
  return path.endsWith(".tflite") ? "tflite" : "onnx";
}

const SILERO = [
  { name: "input", dtype: "float32", shape: [1, 576], kind: "signed" },
  { name: "state", dtype: "float32", shape: [2, 1, 128], kind: "zeros" },
  { name: "sr", dtype: "int64", shape: [], kind: "rate" },
];

export const MODELS = {
  "mobilenet-v2": network(mobileNetV2),
  "mobilenet-v2-int8": {
    // Whole numbers do not have a limit of single floats.
    files: { onnx: first(224, 224), tflite: image(224, 224) },
    /** A step of its 8 bits, in what the outputs are. */
    coarse: true,
    write(folder) {
      const net = mobileNetV2();
      const scales = quantise(net, values(image(224, 224)[0]));
      writeOnnx(join(folder, "model.onnx"), net, scales);
      writeTflite(join(folder, "model.tflite"), net, scales);
    },
  },
  "resnet-18": network(resNet18),
  "resnet-50": network(resNet50),
  "minilm-l6": encoder(false),
  "minilm-l6-int8": { ...encoder(true), macs: undefined, coarse: true },
  mnist: real("onnx/mnist-12.onnx", [{ ...unit(1, 1, 28, 28)[0], name: "Input3" }]),
  ultraface: real("onnx/ultraface-RFB-320.onnx", unit(1, 3, 240, 320)),
  silero: real("onnx/silero_vad.onnx", SILERO),
  "face-detection": real("tflite/mp_face_detection_short_range.tflite", unit(1, 128, 128, 3)),
  "face-landmark": real("tflite/mp_face_landmark.tflite", unit(1, 192, 192, 3)),
  "selfie-segmentation": real("tflite/mp_selfie_segmentation.tflite", unit(1, 256, 256, 3)),
  "hand-landmark": real("tflite/mp_hand_landmark_lite.tflite", unit(1, 224, 224, 3)),
  nsfwjs: real("tfjs/nsfwjs-mobilenet_v2/model.json", unit(1, 224, 224, 3)),
  facemesh: real("tfjs/human-facemesh/model.json", unit(1, 192, 192, 3)),
  handlandmark: real("tfjs/human-handlandmark-lite/model.json", unit(1, 224, 224, 3)),
};

/** What an input is given: as many elements, the same each time. */
export function values({ shape, dtype, kind, most }) {
  const count = shape.reduce((a, b) => a * b, 1);
  const next = generator(99);
  const draw = {
    signed: () => next() / 2 ** 31 - 1,
    planes: () => next() / 2 ** 31 - 1,
    unit: () => next() / 2 ** 32,
    ids: () => next() % most,
    ones: () => 1,
    zeros: () => 0,
    rate: () => 16000,
  }[kind];
  const all = Array.from({ length: count }, draw);
  if (dtype !== "float32") return BigInt64Array.from(all, BigInt);
  if (kind !== "planes") return Float32Array.from(all);
  // The same image, plane by plane.
  const [, channels, height, width] = shape;
  const size = height * width;
  return Float32Array.from(all, (_, at) => all[(at % size) * channels + Math.floor(at / size)]);
}

/** Makes a model's files, unless they are there. Gives their addresses on the server by format. */
export function makeGraph(name) {
  const model = MODELS[name];
  if (model === undefined) {
    throw new Error(`no model ${name}; there are ${Object.keys(MODELS).join(", ")}`);
  }
  if (model.path !== undefined) return { [formatOf(model.path)]: `/data/${model.path}` };
  const folder = join(GRAPHS, name);
  if (!existsSync(join(folder, "whole"))) {
    mkdirSync(folder, { recursive: true });
    model.write(folder);
    // Only now, so that a broken run leaves no half model.
    mkdirSync(join(folder, "whole"), { recursive: true });
  }
  const file = { onnx: "model.onnx", tflite: "model.tflite", tfjs: "model.json" };
  const formats = Object.keys(model.files);
  return Object.fromEntries(formats.map((at) => [at, `/graphs/${name}/${file[at]}`]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  const made = Object.keys(MODELS).filter((name) => MODELS[name].path === undefined);
  for (const name of names.length > 0 ? names : made) console.log(name, makeGraph(name));
}
