/** What `crates/web` exports. */
export interface EngineExports {
  memory?: WebAssembly.Memory;
  start(threads: number): void;
  alloc(len: number): number;
  free(ptr: number, len: number): void;
  request(ptr: number, len: number): void;
  completion(ptr: number, len: number): void;
  run(budgetMs: number): number;
  effects(): number;
  effects_ptr(): number;
  window(stream: number, want: number): number;
  window_len(): number;
  wrote(stream: number, n: number): void;
  buffer(len: number): number;
  buffer_ptr(id: number): number;
  buffer_len(id: number): number;
  buffer_free(id: number): void;
  thread_block?(): number;
  thread_tls_len?(): number;
  pool_enter?(index: number): void;
  pool_broken?(): void;
  __tls_size?: WebAssembly.Global;
  __stack_pointer?: WebAssembly.Global;
  __wasm_init_tls?(tls: number): void;
}

/** What `crates/web-text` exports. */
export interface TextExports {
  memory: WebAssembly.Memory;
  alloc(len: number): number;
  free(ptr: number, len: number): void;
  call(op: number, ptr: number, len: number): number;
  result_ptr(): number;
  result_len(): number;
}
