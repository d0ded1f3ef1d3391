/**
 * Hands a module and what is to be measured to a worker, and its lines to the runner.
 */
window.measure = async (url, work) => {
  const module = await WebAssembly.compileStreaming(fetch(url));
  const worker = new Worker("kernels-worker.mjs", { type: "module" });
  const lines = [];
  await new Promise((done, fail) => {
    worker.onerror = (event) => fail(new Error(event.message));
    worker.onmessage = ({ data }) => {
      if (data.line === undefined) return done();
      if (!data.line.startsWith("{")) return fail(new Error(data.line));
      lines.push(data.line);
      window.line?.(data.line);
    };
    worker.postMessage({ module, ...work });
  });
  return lines;
};
