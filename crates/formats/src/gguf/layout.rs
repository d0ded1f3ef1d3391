//! The tensor directory: its entries, and where they put the tensors.

use super::cursor::{Cursor, Stop};
use super::header::name;
use super::limits::{MAX_NAME_BYTES, MAX_RANK};
use super::{GgufError, Metadata};
use crate::TensorInfo;
use sidestage_tensor::DType;

/// The alignment where the file names none.
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;

/// One entry, with its offset in the data section.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<TensorInfo, Stop> {
    let name_bytes = cursor.string("length of a tensor's name", MAX_NAME_BYTES)?;
    let rank = cursor.u32()?;
    if rank > MAX_RANK {
        return Err(GgufError::Rank { tensor: name("tensor name", name_bytes)?, rank }.into());
    }
    let mut extents = Vec::with_capacity(rank as usize);
    for _ in 0..rank {
        extents.push(cursor.u64()?);
    }
    let (id, offset) = (cursor.u32()?, cursor.u64()?);
    extents.reverse();
    let name = name("tensor name", name_bytes)?;
    let Some(dtype) = DType::from_ggml(id) else {
        return Err(GgufError::UnknownTensorType { tensor: name, id }.into());
    };
    let bytes = bytes(&name, dtype, &extents)?;
    Ok(TensorInfo { name, dtype, extents, offset, bytes })
}

/// The length of a tensor, in bytes.
pub(super) fn bytes(name: &str, dtype: DType, extents: &[u64]) -> Result<u64, GgufError> {
    let impossible = || GgufError::Extents { tensor: name.into(), extents: extents.into() };
    let mut elements = 1_u64;
    for &extent in extents {
        elements = elements.checked_mul(extent).ok_or_else(impossible)?;
    }
    // GGML counts elements in an `i64`.
    if elements == 0 || i64::try_from(elements).is_err() {
        return Err(impossible());
    }
    let (inner, block) = (extents.last().copied().unwrap_or(1), dtype.block_len());
    if inner % block as u64 != 0 {
        return Err(GgufError::PartialBlock { tensor: name.into(), inner, block });
    }
    dtype.bytes_for(elements).ok_or_else(impossible)
}

/// The file's alignment: `general.alignment`, or 32.
///
/// The specification asks for a multiple of 8, llama.cpp for a power of two; either will do.
pub(super) fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
    let alignment = metadata.get_u64("general.alignment")?.unwrap_or(DEFAULT_ALIGNMENT);
    let plausible = alignment <= u64::from(u32::MAX);
    if plausible && alignment != 0 && (alignment % 8 == 0 || alignment.is_power_of_two()) {
        Ok(alignment)
    } else {
        Err(GgufError::BadAlignment { alignment })
    }
}

/// Turns the offsets into offsets in the file and checks that tensors are aligned and share no
/// bytes. Returns the first byte after the last tensor, or `None` if there are no tensors.
pub(super) fn place(
    tensors: &mut [TensorInfo],
    data_offset: u64,
    alignment: u64,
) -> Result<Option<u64>, GgufError> {
    for tensor in tensors.iter_mut() {
        let offset = tensor.offset;
        if offset % alignment != 0 {
            let tensor = tensor.name.clone();
            return Err(GgufError::Unaligned { tensor, offset, alignment });
        }
        let start = offset.checked_add(data_offset);
        let Some(start) = start.filter(|start| start.checked_add(tensor.bytes).is_some()) else {
            return Err(GgufError::OutOfRange { tensor: tensor.name.clone(), offset });
        };
        tensor.offset = start;
    }
    let mut order: Vec<&TensorInfo> = tensors.iter().collect();
    order.sort_by_key(|tensor| tensor.offset);
    for pair in order.windows(2) {
        if pair[0].end() > pair[1].offset {
            let (first, second) = (pair[0].name.clone(), pair[1].name.clone());
            return Err(GgufError::Overlap { first, second });
        }
    }
    Ok(order.last().map(|tensor| tensor.end()))
}
