//! An allocator that can be told to refuse.
#![allow(unsafe_code, reason = "an allocator is unsafe; this one refuses or passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Scarce;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[global_allocator]
static SCARCE: Scarce = Scarce;

// SAFETY: every call goes to the system's allocator with the arguments it came with, or is refused
// as that one may refuse it.
unsafe impl GlobalAlloc for Scarce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LARGEST.try_with(|largest| layout.size() > largest.get()).unwrap_or(false) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Does `work` while this thread gets no allocation of more than `largest` bytes.
pub(crate) fn with_at_most<T>(largest: usize, work: impl FnOnce() -> T) -> T {
    LARGEST.set(largest);
    let result = work();
    LARGEST.set(usize::MAX);
    result
}
