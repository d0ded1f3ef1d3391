//! The border to the page's script: numbers, and lines of JSON.
#![allow(unsafe_code, reason = "the border to the host is raw memory")]

use crate::{Options, measure};
use sidestage_pool::Pool;
use std::alloc::{Layout, alloc as heap_alloc};
use std::sync::OnceLock;

mod imports {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) safe fn now() -> f64;
        pub(super) fn line(ptr: *const u8, len: usize);
    }
}

static POOL: OnceLock<Pool> = OnceLock::new();

/// Bytes of a thread's stack, and of its thread-local values above it.
const STACK: usize = 1 << 20;
const TLS: usize = 64 << 10;

fn say(text: &str) {
    // SAFETY: the host reads the text during the call only.
    unsafe { imports::line(text.as_ptr(), text.len()) };
}

/// Makes the pool; the host brings all threads but one.
#[unsafe(no_mangle)]
pub extern "C" fn start(threads: u32) {
    std::panic::set_hook(Box::new(|panic| say(&panic.to_string())));
    let _ = POOL.set(Pool::external(threads as usize));
}

/// Memory for `len` bytes, for a filter or the stack of a thread: null when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(len: usize) -> *mut u8 {
    match Layout::from_size_align(len.max(1), 64) {
        // SAFETY: the layout is at least one byte long. What is taken lives as long as the page.
        Ok(layout) => unsafe { heap_alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// The top of a new thread's stack, above which its thread-local values go.
#[unsafe(no_mangle)]
pub extern "C" fn thread_block() -> *mut u8 {
    let block = alloc(STACK + TLS);
    if block.is_null() { block } else { block.wrapping_add(STACK) }
}

/// Serves as thread `index`.
#[unsafe(no_mangle)]
pub extern "C" fn pool_enter(index: u32) {
    if let Some(pool) = POOL.get() {
        sidestage_pool::worker_main(pool, index as usize);
    }
}

/// Whether all threads have come.
#[unsafe(no_mangle)]
pub extern "C" fn ready() -> u32 {
    u32::from(POOL.get().is_some_and(Pool::ready))
}

/// Measures the cases that the filter names.
///
/// # Safety
/// `len` bytes at `filter` are initialised and nobody writes them during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run(filter: *const u8, len: usize, rounds: u32) {
    // SAFETY: the caller vouches for the bytes.
    let bytes = unsafe { std::slice::from_raw_parts(filter, len) };
    let options = Options {
        filter: std::str::from_utf8(bytes).unwrap_or_default(),
        rounds: rounds as usize,
        now: &|| imports::now(),
    };
    if let Some(pool) = POOL.get() {
        measure(pool, &options, &mut say);
    }
}

/// Says what the machine allows a model of so many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn allowed(bytes: usize, rounds: u32) {
    let options = Options { filter: "", rounds: rounds as usize, now: &|| imports::now() };
    if let Some(pool) = POOL.get() {
        say(&crate::allowed(bytes, pool, &options));
    }
}
