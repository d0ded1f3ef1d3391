/** Fixed sizes of GGUF's metadata types; strings (8) and arrays (9) are read. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const UINT16 = 2;
const INT32 = 5;
const STRING = 8;
const ARRAY = 9;
const ALIGNMENT = 32;

interface Tensor {
  /** Name, dimensions and type, as in the file. */
  head: Buffer;
  offset: number;
}

/** A GGUF file as llama.cpp's `gguf-split` cuts it: the first part has the metadata. */
export function split(name: string, file: Buffer, count: number): Record<string, Buffer> {
  let at = 24;
  const u32 = (): number => file.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(file.readBigUInt64LE((at += 8) - 8));
  const skip = (bytes: number): void => {
    at += bytes;
  };
  const text = (): void => skip(u64());
  const value = (kind: number): void => {
    if (kind === STRING) text();
    else if (kind === ARRAY) {
      const of = u32();
      for (let left = u64(); left > 0; left -= 1) value(of);
    } else skip(SIZES[kind] ?? 0);
  };
  const pairs = Number(file.readBigUInt64LE(16));
  for (let left = pairs; left > 0; left -= 1) {
    text();
    value(u32());
  }
  const metadata = file.subarray(24, at);
  const tensors: Tensor[] = [];
  for (let left = Number(file.readBigUInt64LE(8)); left > 0; left -= 1) {
    const start = at;
    text();
    skip(u32() * 8 + 4);
    tensors.push({ head: file.subarray(start, at), offset: u64() });
  }
  const data = file.subarray(Math.ceil(at / ALIGNMENT) * ALIGNMENT);
  const ends = tensors.map(({ offset }) => offset).sort((a, b) => a - b);
  const bytesOf = ({ offset }: Tensor): Buffer =>
    data.subarray(offset, ends.find((end) => end > offset) ?? data.length);

  const parts: Record<string, Buffer> = {};
  const each = Math.ceil(tensors.length / count);
  for (let no = 0; no < count; no += 1) {
    const mine = tensors.slice(no * each, (no + 1) * each);
    let offset = 0;
    const heads = mine.map((tensor) => {
      const head = Buffer.concat([tensor.head, uint(8, offset)]);
      offset += bytesOf(tensor).length;
      return head;
    });
    const own = [
      pair("split.no", UINT16, uint(2, no)),
      pair("split.count", UINT16, uint(2, count)),
      pair("split.tensors.count", INT32, uint(4, tensors.length)),
    ];
    const header = Buffer.concat([
      file.subarray(0, 8),
      uint(8, mine.length),
      uint(8, own.length + (no === 0 ? pairs : 0)),
      ...(no === 0 ? [metadata] : []),
      ...own,
      ...heads,
    ]);
    const padding = Buffer.alloc((ALIGNMENT - (header.length % ALIGNMENT)) % ALIGNMENT);
    const digits = (n: number): string => String(n).padStart(5, "0");
    const path = name.replace(/\.gguf$/, `-${digits(no + 1)}-of-${digits(count)}.gguf`);
    parts[path] = Buffer.concat([header, padding, ...mine.map(bytesOf)]);
  }
  return parts;
}

function uint(bytes: 2 | 4 | 8, value: number): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntLE(value, 0, Math.min(bytes, 6));
  return out;
}

function pair(key: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([uint(8, key.length), Buffer.from(key), uint(4, type), value]);
}
