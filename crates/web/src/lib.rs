//! The engine as a wasm module: raw memory and numbers in, effects out. Nothing clever.
//!
//! The host calls [`start`] once, then hands over JSON [`request`]s and [`completion`]s,
//! calls [`run`] while it answers 1, and takes [`effects`] after every call. Bytes of a reading go
//! straight into [`window`]s. One instance holds one model; all calls come from one thread, except
//! [`pool_enter`], which the pool's threads call.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "the border to the host is raw memory")]

mod host;
#[cfg(feature = "language")]
mod loss;

use sidestage_engine::wire::Wire;
use sidestage_pool::Pool;
use std::alloc::{Layout, alloc as heap_alloc, dealloc as heap_free};
use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

struct Instance {
    engine: Wire,
    effects: Vec<u8>,
    window: usize,
}

thread_local! {
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

static POOL: OnceLock<Arc<Pool>> = OnceLock::new();

/// Bytes of a pool thread's stack.
const STACK: usize = 1 << 20;
/// Bytes for its thread-local values; the host checks that they are enough.
const TLS: usize = 64 << 10;

fn with<R>(default: R, f: impl FnOnce(&mut Instance) -> R) -> R {
    INSTANCE.with_borrow_mut(|instance| instance.as_mut().map_or(default, f))
}

/// Makes the engine; `threads` in all, of which the host starts all but one.
#[unsafe(no_mangle)]
pub extern "C" fn start(threads: u32) {
    std::panic::set_hook(Box::new(|panic| host::log(0, &panic.to_string())));
    let pool = Arc::new(Pool::external(threads as usize));
    let _ = POOL.set(Arc::clone(&pool));
    let engine = Wire::new(host::text, host::date, Box::new(host::now), pool);
    INSTANCE.set(Some(Instance { engine, effects: Vec::new(), window: 0 }));
}

/// Memory for a message of `len` bytes; null when there is none left.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(len: usize) -> *mut u8 {
    match Layout::from_size_align(len.max(1), 16) {
        // SAFETY: the layout is at least one byte long.
        Ok(layout) => unsafe { heap_alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// Gives memory back.
///
/// # Safety
/// `ptr` comes from [`alloc`] with the same `len` and was not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(ptr: *mut u8, len: usize) {
    if let Ok(layout) = Layout::from_size_align(len.max(1), 16)
        && !ptr.is_null()
    {
        // SAFETY: the caller vouches that `alloc` made this pointer with this layout.
        unsafe { heap_free(ptr, layout) }
    }
}

/// Takes a `Request` of the protocol.
///
/// # Safety
/// `len` bytes at `ptr` are initialised and nobody writes them during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn request(ptr: *const u8, len: usize) {
    // SAFETY: the caller vouches for the bytes.
    let message = unsafe { bytes(ptr, len) };
    with((), |instance| instance.engine.request(message));
}

/// Takes a `Completion` of the protocol.
///
/// # Safety
/// `len` bytes at `ptr` are initialised and nobody writes them during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn completion(ptr: *const u8, len: usize) {
    // SAFETY: the caller vouches for the bytes.
    let message = unsafe { bytes(ptr, len) };
    with((), |instance| instance.engine.completion(message));
}

/// Works for about `budget_ms`; 1 if there is more to do at once.
#[unsafe(no_mangle)]
pub extern "C" fn run(budget_ms: f64) -> u32 {
    with(0, |instance| u32::from(instance.engine.run(budget_ms)))
}

/// Takes the pending effects, as one JSON array at [`effects_ptr`]; its length, 0 if there
/// are none. It stays until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn effects() -> usize {
    with(0, |instance| {
        instance.effects = instance.engine.effects().unwrap_or_else(|message| {
            host::log(1, &message);
            Vec::new()
        });
        instance.effects.len()
    })
}

/// Where the effects lie.
#[unsafe(no_mangle)]
pub extern "C" fn effects_ptr() -> *const u8 {
    with(std::ptr::null(), |instance| instance.effects.as_ptr())
}

/// Where the next bytes of a reading go, at most `want`; null: no more are needed.
#[unsafe(no_mangle)]
pub extern "C" fn window(stream: u32, want: usize) -> *mut u8 {
    with(std::ptr::null_mut(), |instance| {
        let window = instance.engine.window(stream, want);
        instance.window = window.len();
        if window.is_empty() { std::ptr::null_mut() } else { window.as_mut_ptr() }
    })
}

/// How many bytes fit in the last [`window`].
#[unsafe(no_mangle)]
pub extern "C" fn window_len() -> usize {
    with(0, |instance| instance.window)
}

/// That `count` bytes of the window were written.
#[unsafe(no_mangle)]
pub extern "C" fn wrote(stream: u32, count: usize) {
    with((), |instance| {
        let count = count.min(instance.window);
        instance.engine.wrote(stream, count);
    });
}

/// A buffer of `len` bytes for an input of a run; its number, 0 when there is no memory left.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(len: usize) -> u32 {
    with(0, |instance| instance.engine.buffers().make(len).unwrap_or(0))
}

/// Where the bytes of a buffer lie: of an input that was made, or of an output.
#[unsafe(no_mangle)]
pub extern "C" fn buffer_ptr(id: u32) -> *const u8 {
    with(std::ptr::null(), |instance| instance.engine.buffers().bytes(id).as_ptr())
}

/// How many they are; 0 if there is no such buffer.
#[unsafe(no_mangle)]
pub extern "C" fn buffer_len(id: u32) -> usize {
    with(0, |instance| instance.engine.buffers().bytes(id).len())
}

/// Frees a buffer.
#[unsafe(no_mangle)]
pub extern "C" fn buffer_free(id: u32) {
    with((), |instance| instance.engine.buffers().free(id));
}

/// Memory for a pool thread: the top of its stack, above which its thread-local values go; null
/// when there is none left.
#[unsafe(no_mangle)]
pub extern "C" fn thread_block() -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(STACK + TLS, 64) else { return std::ptr::null_mut() };
    // SAFETY: the layout is not empty. It is never given back: threads live as long as the memory
    // they are in.
    let block = unsafe { heap_alloc(layout) };
    if block.is_null() { block } else { block.wrapping_add(STACK) }
}

/// Bytes there are for thread-local values.
#[unsafe(no_mangle)]
pub extern "C" fn thread_tls_len() -> usize {
    TLS
}

/// Serves as pool thread `index` until the pool is shut down.
#[unsafe(no_mangle)]
pub extern "C" fn pool_enter(index: u32) {
    if let Some(pool) = POOL.get() {
        sidestage_pool::worker_main(pool, index as usize);
    }
}

/// Says that a pool thread has trapped: it will never end its part of the work. Called by the thread's
/// host on its own instance, which shares the memory.
#[unsafe(no_mangle)]
pub extern "C" fn pool_broken() {
    if let Some(pool) = POOL.get() {
        // SAFETY: panics abort in wasm, and the host drops an instance that has trapped.
        unsafe { pool.fail() }
    }
}

/// Holds every kernel of this build against its scalar reference; the number of checks, or -1 and
/// a message in the log.
#[cfg(feature = "language")]
#[unsafe(no_mangle)]
pub extern "C" fn selftest() -> i32 {
    match sidestage_kernels::selftest() {
        Ok(checks) => checks as i32,
        Err(message) => {
            host::log(1, &message);
            -1
        }
    }
}

/// The mean negative log-likelihood of records of token ids (of each its length, then its ids) by the model
/// of a GGUF file; NaN and a message in the log if there is none.
///
/// # Safety
/// `len` bytes at `file` and `count` words at `records`, which is aligned to them, are initialised, and
/// nobody writes them during the call.
#[cfg(feature = "language")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loss(
    file: *const u8,
    len: usize,
    records: *const u32,
    count: usize,
) -> f64 {
    // SAFETY: the caller vouches for both.
    let (file, records) = unsafe { (bytes(file, len), std::slice::from_raw_parts(records, count)) };
    let inline = Arc::new(Pool::inline());
    let pool = POOL.get().unwrap_or(&inline);
    loss::mean(file, records, pool).unwrap_or_else(|message| {
        host::log(1, &message);
        f64::NAN
    })
}

/// # Safety
/// `len` bytes at `ptr` are initialised and nobody writes them for `'a`.
unsafe fn bytes<'a>(ptr: *const u8, len: usize) -> &'a [u8] {
    if ptr.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for the bytes.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}
