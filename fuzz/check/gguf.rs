//! What must hold for any bytes taken as a GGUF file. The fuzz target runs it on new inputs, a test
//! of `crates/formats` on the corpus.

use crate::peak;
use sidestage_formats::Manifest;
use sidestage_formats::gguf::{Gguf, GgufError, GgufReader, GgufWriter, Metadata, Progress};

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
        Ok(gguf) => {
            consistent(&gguf, file.len());
            gguf.metadata.iter().for_each(|(key, _)| one_kind(&gguf.metadata, key));
            written(&gguf);
            manifest(gguf);
        }
        Err(error) => {
            assert!(error.code() != "OUT_OF_MEMORY" && !error.to_string().is_empty());
            assert!(error.hint() != Some(""));
        }
    }
}

fn parse_in_chunks(mut file: &[u8], seed: u16) -> Result<Gguf, GgufError> {
    let mut reader = GgufReader::default();
    let mut state = u32::from(seed);
    // Large and small chunks, and single bytes for every eighth seed.
    let largest = 1 << (seed % 8);
    while !file.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = (1 + (state >> 16) as usize % largest).min(file.len());
        let (chunk, rest) = file.split_at(size);
        file = rest;
        match reader.push(chunk) {
            Ok(Progress::Done { gguf, header_bytes }) => {
                assert!(header_bytes <= gguf.data_offset && header_bytes <= gguf.end);
                assert_eq!(reader.push(file).err(), Some(GgufError::Ended));
                return Ok(gguf);
            }
            Ok(Progress::NeedMore { at_least }) => assert!(at_least > 0),
            Err(error) => {
                assert_eq!(reader.push(file).err().as_ref(), Some(&error));
                return Err(error);
            }
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

/// Each value is of one kind only, whatever is asked of it.
fn one_kind(meta: &Metadata, key: &str) {
    let errors = [
        meta.get_u32(key).err().and(meta.get_u64(key).err()).and(meta.get_i32(key).err()),
        meta.get_f32(key).err(),
        meta.get_bool(key).err(),
        meta.get_str(key).err(),
        meta.get_strings(key).map(|list| list.map(|list| list.iter().count())).err(),
        meta.get_f32s(key).err(),
        meta.get_i32s(key).err().and(meta.get_u32s(key).err()),
        meta.get_bools(key).err(),
    ];
    assert!(errors.iter().filter(|error| error.is_none()).count() <= 1, "{key}");
    for error in errors.into_iter().flatten() {
        assert!(matches!(&error, GgufError::WrongType { key: named, .. } if named == key));
        assert!(!error.to_string().is_empty());
    }
    let absent = format!("{key}?");
    assert!(meta.contains(key) && (meta.contains(&absent) || meta.need_u32(&absent).is_err()));
}

/// What was read can be written, and reads as the same.
fn written(gguf: &Gguf) {
    // The header is filled up to the alignment, which may be 4 GB.
    if gguf.alignment > 4096 {
        return;
    }
    let mut writer = GgufWriter::new().version(gguf.version);
    for (key, value) in gguf.metadata.iter() {
        writer = writer.metadata(key, value.clone());
    }
    for tensor in &gguf.tensors {
        writer = writer.tensor(&*tensor.name, tensor.dtype, &tensor.extents);
    }
    let mut file = Vec::new();
    // Tensors with gaps between them may be all that the numbers hold; one behind the other, and
    // aligned, they may be too many.
    if writer.begin(&mut file).is_err() {
        return;
    }
    let again = Gguf::parse(&file).expect("what was written");
    assert_eq!(format!("{:?}", again.metadata), format!("{:?}", gguf.metadata));
    for (again, tensor) in again.tensors.iter().zip(&gguf.tensors) {
        let same = (&again.name, again.dtype, &again.extents, again.bytes);
        assert_eq!(same, (&tensor.name, tensor.dtype, &tensor.extents, tensor.bytes));
    }
}

/// The file by itself, and twice.
fn manifest(gguf: Gguf) {
    let twice = Manifest::gguf(vec![gguf.clone(), gguf.clone()]);
    let error = twice.expect_err("a file twice");
    assert!(!error.code().is_empty() && !error.to_string().is_empty());
    let (tensors, end) = (gguf.tensors.len(), gguf.end);
    match Manifest::gguf(vec![gguf]) {
        Ok(manifest) => {
            assert_eq!((manifest.parts.len(), manifest.weights.len()), (tensors, tensors));
            for part in &manifest.parts {
                assert!(part.offset.checked_add(part.bytes).is_some_and(|part| part <= end));
                let weight = &manifest.weights.as_slice()[part.weight as usize];
                assert_eq!(part.rows.checked_mul(part.width), Some(weight.elements()));
            }
            assert_eq!(manifest.ends, [end]);
            assert_eq!(manifest.main_type().is_some(), tensors > 0);
            assert!(manifest.parameters() >= tensors as u64);
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}
