import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

/** An array of NumPy's. */
export interface Numbers {
  shape: number[];
  data: number[];
}

/** The arrays of single floats and signed bytes of a `.npz` archive, by name (`numpy.savez`). */
export function readNpz(path: string): Record<string, Numbers> {
  const file = readFileSync(path);
  const found: Record<string, Numbers> = {};
  const end = file.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let at = file.readUInt32LE(end + 16);
  while (file.readUInt32LE(at) === 0x02014b50) {
    const method = file.readUInt16LE(at + 10);
    const size = file.readUInt32LE(at + 20);
    const name = file.toString("utf8", at + 46, at + 46 + file.readUInt16LE(at + 28));
    const local = file.readUInt32LE(at + 42);
    const from = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const bytes = file.subarray(from, from + size);
    const array = numbers(method === 8 ? inflateRawSync(bytes) : bytes);
    if (array) found[name.replace(/\.npy$/, "")] = array;
    at += 46 + name.length + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32);
  }
  return found;
}

function numbers(npy: Buffer): Numbers | undefined {
  const start = 10 + npy.readUInt16LE(8);
  const header = npy.toString("latin1", 10, start);
  const floats = header.includes("'<f4'");
  if (!floats && !header.includes("'|i1'")) return undefined;
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1]?.split(",") ?? [];
  const data = Array.from({ length: (npy.length - start) / (floats ? 4 : 1) }, (_, i) =>
    floats ? npy.readFloatLE(start + 4 * i) : npy.readInt8(start + i),
  );
  return { shape: shape.filter((dim) => dim.trim() !== "").map(Number), data };
}
