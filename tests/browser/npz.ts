import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

/** An array of NumPy's, of single floats. */
export interface Floats {
  shape: number[];
  data: number[];
}

/** The arrays of single floats of a `.npz` archive, by name (`numpy.savez`). */
export function readNpz(path: string): Record<string, Floats> {
  const file = readFileSync(path);
  const found: Record<string, Floats> = {};
  const end = file.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let at = file.readUInt32LE(end + 16);
  while (file.readUInt32LE(at) === 0x02014b50) {
    const method = file.readUInt16LE(at + 10);
    const size = file.readUInt32LE(at + 20);
    const name = file.toString("utf8", at + 46, at + 46 + file.readUInt16LE(at + 28));
    const local = file.readUInt32LE(at + 42);
    const from = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const bytes = file.subarray(from, from + size);
    const array = floats(method === 8 ? inflateRawSync(bytes) : bytes);
    if (array) found[name.replace(/\.npy$/, "")] = array;
    at += 46 + name.length + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32);
  }
  return found;
}

function floats(npy: Buffer): Floats | undefined {
  const start = 10 + npy.readUInt16LE(8);
  const header = npy.toString("latin1", 10, start);
  if (!header.includes("'<f4'")) return undefined;
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1]?.split(",") ?? [];
  const data = Array.from({ length: (npy.length - start) / 4 }, (_, i) =>
    npy.readFloatLE(start + 4 * i),
  );
  return { shape: shape.filter((dim) => dim.trim() !== "").map(Number), data };
}
