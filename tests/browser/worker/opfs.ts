// Runs in a worker: whether a file of the origin private file system can be written here.

declare const self: DedicatedWorkerGlobalScope;

async function works(): Promise<boolean> {
  try {
    const root = await navigator.storage.getDirectory();
    const name = "does-it-work";
    const file = await root.getFileHandle(name, { create: true });
    (await file.createSyncAccessHandle()).close();
    await root.removeEntry(name);
    return true;
  } catch {
    return false;
  }
}

void works().then((answer) => self.postMessage(answer));

export {};
