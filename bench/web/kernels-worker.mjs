/**
 * Runs the cases, and starts itself again for each further thread.
 */
function instance(module, memory) {
  const line = (at, length) => {
    // Shared bytes are copied: TextDecoder refuses them.
    const bytes = new Uint8Array(memory.buffer, at >>> 0, length).slice();
    self.postMessage({ line: new TextDecoder().decode(bytes) });
  };
  const env = { memory, line, now: () => performance.now() };
  return new WebAssembly.Instance(module, { env }).exports;
}

async function measure({ module, threads, filter, rounds, bytes }) {
  const memory = new WebAssembly.Memory({ initial: 512, maximum: 32768, shared: true });
  const bench = instance(module, memory);
  bench.start(threads);
  for (let index = 1; index < threads; index += 1) {
    const stack = bench.thread_block();
    new Worker("kernels-worker.mjs", { type: "module" }).postMessage({
      module,
      memory,
      stack,
      index,
    });
  }
  while (!bench.ready()) await new Promise((done) => setTimeout(done, 5));
  if (bytes !== undefined) {
    bench.allowed(bytes, rounds);
    self.postMessage({});
    return;
  }
  const text = new TextEncoder().encode(filter);
  const at = bench.alloc(text.length) >>> 0;
  new Uint8Array(memory.buffer, at, text.length).set(text);
  bench.run(at, text.length, rounds);
  self.postMessage({});
}

function serve({ module, memory, stack, index }) {
  const thread = instance(module, memory);
  thread.__stack_pointer.value = stack;
  // Its thread-local values lie above its stack, which grows down.
  thread.__wasm_init_tls(stack);
  thread.pool_enter(index);
}

self.onmessage = ({ data }) => (data.index === undefined ? measure(data) : serve(data));
