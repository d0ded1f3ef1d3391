//! What the host gives the module.

use sidestage_text::Now;

mod imports {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) safe fn now() -> f64;
        pub(super) safe fn date() -> f64;
        pub(super) safe fn zone() -> f64;
        pub(super) fn text(op: u32, ptr: *const u8, len: usize) -> u32;
        pub(super) safe fn text_len() -> usize;
        pub(super) fn text_take(ptr: *mut u8);
        pub(super) fn log(level: u32, ptr: *const u8, len: usize);
    }
}

/// Milliseconds.
pub(crate) fn now() -> f64 {
    imports::now()
}

/// The time at the user's place.
pub(crate) fn date() -> Option<Now> {
    let (seconds, minutes) = (imports::date(), imports::zone());
    Some(Now { unix_seconds: seconds as i64, utc_offset_minutes: minutes as i32 })
}

/// Calls the text module.
pub(crate) fn text(op: u32, message: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    // SAFETY: the host reads the message during the call only.
    let status = unsafe { imports::text(op, message.as_ptr(), message.len()) };
    let mut result = vec![0; imports::text_len()];
    // SAFETY: the host writes exactly `text_len` bytes.
    unsafe { imports::text_take(result.as_mut_ptr()) };
    if status == 0 { Ok(result) } else { Err(result) }
}

/// A line for the log; level 0 is a panic.
pub(crate) fn log(level: u32, message: &str) {
    // SAFETY: the host reads the message during the call only.
    unsafe { imports::log(level, message.as_ptr(), message.len()) };
}
