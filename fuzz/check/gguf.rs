//! What must hold for any bytes taken as a GGUF file. The fuzz target runs it on new inputs, a test
//! of `crates/formats` on the corpus.

use crate::peak;
use sidestage_formats::gguf::{Gguf, GgufError, GgufReader, Progress};

/// An input is two bytes that choose the chunks, then the file.
pub(crate) fn check(input: &[u8]) {
    let Some((seed, file)) = input.split_first_chunk::<2>() else { return };
    let (whole, bytes) = peak::of(|| Gguf::parse(file));
    // A token of the vocabulary takes more room in memory than in a file, by a constant factor.
    assert!(bytes <= 32 * file.len() + 4096, "{bytes} bytes of memory for {}", file.len());
    let chunked = parse_in_chunks(file, u16::from_le_bytes(*seed));
    match (&whole, &chunked) {
        // Their text, in which a NaN equals a NaN.
        (Ok(whole), Ok(chunked)) => assert_eq!(format!("{whole:?}"), format!("{chunked:?}")),
        _ => assert_eq!(whole.as_ref().err(), chunked.as_ref().err()),
    }
    match whole {
        Ok(gguf) => consistent(&gguf, file.len()),
        Err(error) => assert!(error.code() != "OUT_OF_MEMORY" && !error.to_string().is_empty()),
    }
}

fn parse_in_chunks(mut file: &[u8], seed: u16) -> Result<Gguf, GgufError> {
    let mut reader = GgufReader::new();
    let mut state = u32::from(seed);
    // Large and small chunks, and single bytes for every eighth seed.
    let largest = 1 << (seed % 8);
    while !file.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = (1 + (state >> 16) as usize % largest).min(file.len());
        let (chunk, rest) = file.split_at(size);
        file = rest;
        match reader.push(chunk)? {
            Progress::Done { gguf, header_bytes } => {
                assert!(header_bytes <= gguf.data_offset && header_bytes <= gguf.end);
                return Ok(gguf);
            }
            Progress::NeedMore { at_least } => assert!(at_least > 0),
        }
    }
    Err(reader.truncated())
}

/// What the rest of the engine relies on without checking it again.
fn consistent(gguf: &Gguf, file: usize) {
    let mut last = 0;
    let mut tensors: Vec<_> = gguf.tensors.iter().collect();
    tensors.sort_by_key(|tensor| tensor.offset);
    for tensor in tensors {
        assert!(tensor.offset >= last.max(gguf.data_offset));
        assert_eq!((tensor.offset - gguf.data_offset) % gguf.alignment, 0);
        let elements = tensor.extents.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
        assert_eq!(elements.and_then(|n| tensor.dtype.bytes_for(n)), Some(tensor.bytes));
        last = tensor.offset.checked_add(tensor.bytes).expect("an end");
        assert!(last <= gguf.end);
        assert_eq!(gguf.tensors.get(&tensor.name), Some(tensor));
    }
    for (key, value) in gguf.metadata.iter() {
        assert_eq!(gguf.metadata.get(key).map(|v| v.to_string()), Some(value.to_string()));
    }
    assert!(!gguf.summary().to_string().is_empty());
    assert_eq!(gguf.check_length(file as u64).is_ok(), file as u64 >= gguf.end);
}
