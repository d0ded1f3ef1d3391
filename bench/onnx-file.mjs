/**
 * Writes ONNX files.
 *
 * Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT32 = 6;
export const INT64 = 7;

/** A message in pieces, so that weights are not copied at each level. */
const size = (pieces) => pieces.reduce((sum, piece) => sum + piece.length, 0);

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const number = (field, value) => [varint(field << 3), varint(value)];
const message = (field, pieces) => [varint((field << 3) | 2), varint(size(pieces)), ...pieces];
const text = (field, value) => message(field, [Buffer.from(value, "utf8")]);

function float(field, value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return [varint((field << 3) | 5), bytes];
}

/** A whole number, a list of them, or `{ float }`. */
function attribute([name, value]) {
  let body;
  if (Array.isArray(value)) {
    body = [...value.flatMap((one) => number(8, one)), ...number(20, 7)];
  } else if (typeof value === "object") {
    body = [...float(2, value.float), ...number(20, 1)];
  } else {
    body = [...number(3, value), ...number(20, 2)];
  }
  return message(5, [...text(1, name), ...body]);
}

export function node(type, inputs, outputs, attributes = {}, domain = "") {
  return message(1, [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, type),
    ...Object.entries(attributes).flatMap(attribute),
    ...text(7, domain),
  ]);
}

/** A weight: `data` is its bytes. */
export function initializer(name, type, dims, data) {
  const shape = dims.flatMap((dim) => number(1, dim));
  return message(5, [...shape, ...number(2, type), ...text(8, name), ...message(9, [data])]);
}

function value(field, name, type, dims) {
  const shape = dims.flatMap((dim) =>
    message(1, typeof dim === "string" ? text(2, dim) : number(1, dim)),
  );
  const tensor = message(1, [...number(1, type), ...message(2, shape)]);
  return message(field, [...text(1, name), ...message(2, tensor)]);
}

export const input = (name, type, dims) => value(11, name, type, dims);
export const output = (name, type, dims) => value(12, name, type, dims);

/** Writes a file of the graph that these pieces are, and the operators' versions by domain. */
export function writeModel(path, graph, versions) {
  const domains = Object.entries(versions);
  const pieces = [
    ...number(1, 8),
    ...domains.flatMap(([domain, version]) =>
      message(8, [...text(1, domain), ...number(2, version)]),
    ),
    ...message(7, [...graph, ...text(2, "graph")]),
  ];
  mkdirSync(dirname(path), { recursive: true });
  // Under another name until it is whole, so that a broken run leaves no half model.
  const file = openSync(`${path}.part`, "w");
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
  }
  closeSync(file);
  renameSync(`${path}.part`, path);
}
