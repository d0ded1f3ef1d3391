// Runs in a worker: a program for WASI, with files in memory and what it prints kept.
import {
  ConsoleStdout,
  Directory,
  File,
  type Inode,
  OpenFile,
  PreopenDirectory,
  WASI,
} from "@bjorn3/browser_wasi_shim";
import type { Ended, Program } from "./messages.js";

declare const self: DedicatedWorkerGlobalScope;

type Folder = Map<string, Inode>;

/** The files of an archive as a tree. */
function tree(archive: ArrayBuffer): Folder {
  const head = new DataView(archive).getUint32(0, true);
  const list = new TextDecoder().decode(new Uint8Array(archive, 4, head));
  const root: Folder = new Map();
  let at = 4 + head;
  for (const [path, size] of JSON.parse(list) as [string, number][]) {
    const parts = path.split("/").filter(Boolean);
    const name = parts.pop()!;
    let folder = root;
    for (const part of parts) {
      let inner = folder.get(part);
      if (!inner) folder.set(part, (inner = new Directory(new Map())));
      folder = (inner as Directory).contents;
    }
    folder.set(name, new File(new Uint8Array(archive, at, size)));
    at += size;
  }
  return root;
}

async function run({ url, files, environment }: Program): Promise<Ended> {
  const archive = await (await fetch(files)).arrayBuffer();
  const lines: string[] = [];
  const out = (): ConsoleStdout => ConsoleStdout.lineBuffered((line) => lines.push(line));
  const descriptors = [
    new OpenFile(new File([])),
    out(),
    out(),
    new PreopenDirectory("/", tree(archive)),
  ];
  const wasi = new WASI(
    ["program", "--nocapture", "--test-threads=1"],
    environment,
    descriptors,
  );
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url), {
    wasi_snapshot_preview1: wasi.wasiImport,
  });
  let code: number;
  try {
    code = wasi.start(instance as Parameters<WASI["start"]>[0]);
  } catch (error) {
    code = -1;
    lines.push(String(error));
  }
  return { code, printed: lines.join("\n") };
}

self.onmessage = ({ data }: MessageEvent<Program>) =>
  void run(data)
    .catch((error: unknown) => ({ code: -1, printed: String(error) }))
    .then((ended) => self.postMessage(ended));
