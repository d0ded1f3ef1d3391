//! The text room as a wasm module without imports.
//!
//! The host writes a message into memory from [`alloc`], makes a [`call`], reads the result at
//! [`result_ptr`] and gives the message back with [`free`]. Calls and messages are those of
//! [`sidestage_text::wire`]. One instance holds one vocabulary; it is used from one thread.

#![allow(unsafe_code, reason = "the border to the host is raw memory")]

use sidestage_text::wire::Server;
use std::alloc::{self as heap, Layout};
use std::cell::RefCell;
use std::ptr;

struct Instance {
    server: Server,
    result: Vec<u8>,
}

thread_local! {
    static INSTANCE: RefCell<Instance> =
        RefCell::new(Instance { server: Server::new(), result: Vec::new() });
}

fn layout(len: usize) -> Option<Layout> {
    Layout::array::<u8>(len.max(1)).ok()
}

/// Memory for a message of `len` bytes; null when there is none left.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(len: usize) -> *mut u8 {
    let Some(layout) = layout(len) else { return ptr::null_mut() };
    // SAFETY: the layout is at least one byte long.
    unsafe { heap::alloc(layout) }
}

/// Gives memory back.
///
/// # Safety
///
/// `ptr` comes from [`alloc`] with the same `len` and was not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(ptr: *mut u8, len: usize) {
    if let Some(layout) = layout(len).filter(|_| !ptr.is_null()) {
        // SAFETY: the caller vouches that `alloc` made this pointer with this layout.
        unsafe { heap::dealloc(ptr, layout) }
    }
}

/// Makes call `op` with the message at `ptr`: 0 when it succeeds, 1 when the result is an error.
///
/// # Safety
///
/// `len` bytes at `ptr` are initialised and nobody writes them during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn call(op: u32, ptr: *const u8, len: usize) -> u32 {
    let message = if len == 0 {
        &[][..]
    } else {
        // SAFETY: the caller vouches for the bytes; they are not null because there are some.
        unsafe { std::slice::from_raw_parts(ptr, len) }
    };
    INSTANCE.with_borrow_mut(|instance| {
        let (result, failed) = match instance.server.call(op, message) {
            Ok(result) => (result, 0),
            Err(error) => (error, 1),
        };
        instance.result = result;
        failed
    })
}

/// Where the result of the last call lies, until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn result_ptr() -> *const u8 {
    INSTANCE.with_borrow(|instance| instance.result.as_ptr())
}

/// How many bytes the result of the last call has.
#[unsafe(no_mangle)]
pub extern "C" fn result_len() -> usize {
    INSTANCE.with_borrow(|instance| instance.result.len())
}
