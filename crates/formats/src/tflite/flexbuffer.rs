//! Options of operators that are not in the schema: a map of FlexBuffers
//! (<https://flatbuffers.dev/flexbuffers/>), of which the numbers are read.

use sidestage_ir::Attribute;

/// An unsigned number of so many bytes.
fn unsigned(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
}

/// The place to which the offset at a place leads: backwards.
fn follow(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    at.checked_sub(usize::try_from(unsigned(bytes, at, width)?).ok()?)
}

/// The numbers of a map by their keys; `None`: it is none.
pub(super) fn numbers(bytes: &[u8]) -> Option<Vec<(String, Attribute)>> {
    let (&width, rest) = bytes.split_last()?;
    let (&kind, rest) = rest.split_last()?;
    let root = rest.len().checked_sub(width.into())?;
    // A map whose own numbers have 2 to the power of the lowest bits bytes.
    let (map, width) = (follow(bytes, root, width.into())?, 1_usize << (kind & 3));
    if kind >> 2 != 9 {
        return None;
    }
    let count = usize::try_from(unsigned(bytes, map.checked_sub(width)?, width)?).ok()?;
    let keys = follow(bytes, map.checked_sub(width.checked_mul(3)?)?, width)?;
    let keys_width = usize::try_from(unsigned(bytes, map.checked_sub(2 * width)?, width)?).ok()?;
    let types = map.checked_add(count.checked_mul(width)?)?;
    if count > 64 || !matches!(keys_width, 1 | 2 | 4 | 8) {
        return None;
    }
    let mut all = Vec::new();
    for index in 0..count {
        let key = bytes.get(follow(bytes, keys + index * keys_width, keys_width)?..)?;
        let key = &key[..key.iter().take(64).position(|byte| *byte == 0)?];
        let at = map + index * width;
        let raw = unsigned(bytes, at, width)?;
        let shift = 64 - 8 * width as u32;
        let value = match bytes.get(types + index)? >> 2 {
            1 => Attribute::Int((raw << shift).cast_signed() >> shift),
            2 | 26 => Attribute::Int(raw.cast_signed()),
            3 if width == 4 => Attribute::Float(f32::from_bits(raw as u32)),
            3 if width == 8 => Attribute::Float(f64::from_bits(raw) as f32),
            _ => continue,
        };
        all.push((std::str::from_utf8(key).ok()?.to_owned(), value));
    }
    Some(all)
}
