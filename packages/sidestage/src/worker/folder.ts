import { SidestageError } from "../errors.js";

/** Most files of a folder that are looked at: more is no model but somebody's disk. */
const MOST = 1000;

/** The files right in a folder, those below left out. */
export async function filesOf(folder: FileSystemDirectoryHandle): Promise<File[]> {
  const files: File[] = [];
  try {
    for await (const entry of folder.values()) {
      if (entry.kind !== "file") continue;
      if (files.length === MOST) break;
      files.push(await entry.getFile());
    }
  } catch (cause) {
    throw new SidestageError("ACCESS_DENIED", `the folder "${folder.name}" cannot be read`, {
      hint: "The browser asks the user for leave, which may have been taken back. Let the folder be chosen again.",
      cause,
    });
  }
  return files;
}
