use super::proto;
use super::{External, OnnxError};
use sidestage_tensor::{AlignedBytes, DType, Extents, Tensor};
use std::sync::Arc;

pub(super) fn tensor(
    proto: &proto::Tensor<'_>,
    external: &mut dyn FnMut(&External) -> Option<Arc<AlignedBytes>>,
) -> Result<Tensor, OnnxError> {
    let Layout { dtype, dims, bits, size } = layout(proto)?;
    let wrong =
        |bytes| OnnxError::Shape { name: proto.name.into(), dims: proto.dims.clone(), bytes };
    let memory = |_| OnnxError::NoMemory { bytes: size };
    let (given, spelt);
    let bytes = if proto.external {
        let place = place(proto, size as u64)?;
        given = external(&place).ok_or_else(|| OnnxError::External {
            name: proto.name.to_owned(),
            location: place.location.clone(),
        })?;
        if bits == 8 && given.len() == size {
            return Ok(Tensor::from_bytes(dtype, &dims, given));
        }
        given.as_slice()
    } else if let Some(raw) = proto.raw {
        raw
    } else {
        spelt = spell(proto, dtype);
        &spelt
    };
    if bytes.len() != size {
        return Err(wrong(bytes.len()));
    }
    if bits == 8 {
        return Tensor::new(dtype, &dims, bytes).map_err(memory);
    }
    let unpacked = unpacked(bytes, dtype, bits as u32);
    let count = dims.iter().product();
    // The last byte may have room for more elements than there are.
    Tensor::new(dtype, &dims, &unpacked[..count]).map_err(memory)
}

/// Where a tensor's bytes lie, if elsewhere.
pub(super) fn elsewhere(proto: &proto::Tensor<'_>) -> Result<Option<External>, OnnxError> {
    if !proto.external {
        return Ok(None);
    }
    place(proto, layout(proto)?.size as u64).map(Some)
}

/// How a tensor's elements lie.
struct Layout {
    dtype: DType,
    dims: Vec<usize>,
    /// Bits of an element in the file, or 8 if it has whole bytes.
    bits: usize,
    /// Bytes in the file.
    size: usize,
}

fn layout(proto: &proto::Tensor<'_>) -> Result<Layout, OnnxError> {
    let name = || proto.name.to_owned();
    let unknown = || OnnxError::Type { name: name(), id: proto.dtype as i32 };
    let dtype = DType::from_onnx(proto.dtype).ok_or_else(unknown)?;
    let wrong = |bytes| OnnxError::Shape { name: name(), dims: proto.dims.clone(), bytes };
    let dims = proto.dims.iter().map(|&dim| usize::try_from(dim)).collect::<Result<Vec<_>, _>>();
    let dims = dims.map_err(|_| wrong(0))?;
    let elements = dims.iter().try_fold(1_u64, |all, &dim| all.checked_mul(dim as u64));
    // Elements of few bits lie together in a byte.
    let bits = match dtype {
        DType::I4 | DType::U4 | DType::F4E2M1 => 4,
        DType::I2 | DType::U2 => 2,
        _ => 8,
    };
    let size = elements.and_then(|elements| dtype.bytes_for(elements));
    let size = size.map(|size| if bits < 8 { size.div_ceil(8 / bits as u64) } else { size });
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| wrong(0))?;
    if dims.len() > Extents::MAX_RANK {
        return Err(wrong(size));
    }
    Ok(Layout { dtype, dims, bits, size })
}

/// A byte for each element, those in the lowest bits first.
fn unpacked(bytes: &[u8], dtype: DType, bits: u32) -> Vec<u8> {
    let element = |byte: u8, at: u32| {
        // Its bits as the highest of the byte, then down again: with the sign, if there is one.
        let high = byte << (8 - bits - at * bits);
        match dtype {
            DType::I4 | DType::I2 => ((high as i8) >> (8 - bits)) as u8,
            _ => high >> (8 - bits),
        }
    };
    bytes.iter().flat_map(|byte| (0..8 / bits).map(move |at| element(*byte, at))).collect()
}

/// Where a tensor's bytes lie.
fn place(proto: &proto::Tensor<'_>, size: u64) -> Result<External, OnnxError> {
    let find =
        |key: &str| proto.place.iter().find(|(known, _)| *known == key).map(|(_, value)| value);
    let location = find("location").map(|value| (*value).to_owned()).unwrap_or_default();
    let number = |key: &str, default: u64| match find(key) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| OnnxError::External {
            name: proto.name.into(),
            location: location.clone(),
        }),
    };
    Ok(External { offset: number("offset", 0)?, length: number("length", size)?, location })
}

/// The bytes of elements that are numbers of the message.
fn spell(proto: &proto::Tensor<'_>, dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F32 => proto.floats.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::F64 => proto.doubles.iter().flat_map(|value| value.to_le_bytes()).collect(),
        _ => {
            let size = dtype.block_bytes();
            let bytes = |value: &i64| value.to_le_bytes().into_iter().take(size);
            proto.ints.iter().flat_map(bytes).collect()
        }
    }
}
