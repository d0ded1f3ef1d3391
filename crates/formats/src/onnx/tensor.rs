use super::proto;
use super::{External, OnnxError};
use sidestage_tensor::{DType, Extents, Tensor};

/// The type with this number (`TensorProto.DataType`).
pub(super) fn dtype(id: i64) -> Option<DType> {
    Some(match id {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        4 => DType::U16,
        5 => DType::I16,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool,
        10 => DType::F16,
        11 => DType::F64,
        12 => DType::U32,
        13 => DType::U64,
        16 => DType::BF16,
        17 => DType::F8E4M3,
        18 => DType::F8E4M3UZ,
        19 => DType::F8E5M2,
        20 => DType::F8E5M2UZ,
        21 => DType::U4,
        22 => DType::I4,
        23 => DType::F4E2M1,
        24 => DType::F8E8M0,
        25 => DType::U2,
        26 => DType::I2,
        _ => return None,
    })
}

pub(super) fn tensor(
    proto: &proto::Tensor<'_>,
    external: &mut dyn FnMut(&External) -> Option<Vec<u8>>,
) -> Result<Tensor, OnnxError> {
    let name = || proto.name.to_owned();
    let unknown = || OnnxError::Type { name: name(), id: proto.dtype as i32 };
    let dtype = dtype(proto.dtype).ok_or_else(unknown)?;
    let wrong = |bytes: usize| OnnxError::Shape { name: name(), dims: proto.dims.clone(), bytes };
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
    let size = size.map(|size| if bits < 8 { size.div_ceil(8 / bits) } else { size });
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| wrong(0))?;
    if dims.len() > Extents::MAX_RANK {
        return Err(wrong(size));
    }
    let mut given;
    let bytes = if proto.external {
        let place = place(proto, size as u64)?;
        given = external(&place).ok_or_else(|| OnnxError::External {
            name: name(),
            location: place.location.clone(),
        })?;
        &given
    } else if let Some(raw) = proto.raw {
        raw
    } else {
        given = Vec::new();
        spell(proto, dtype, &mut given);
        &given
    };
    if bytes.len() != size {
        return Err(wrong(bytes.len()));
    }
    let memory = |_| OnnxError::NoMemory { bytes: size };
    if bits == 8 {
        return Tensor::new(dtype, &dims, bytes).map_err(memory);
    }
    let unpacked = unpacked(bytes, dtype, bits as u32);
    let count = dims.iter().product();
    // The last byte may have room for more elements than there are.
    Tensor::new(dtype, &dims, &unpacked[..count]).map_err(memory)
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
fn spell(proto: &proto::Tensor<'_>, dtype: DType, to: &mut Vec<u8>) {
    match dtype {
        DType::F32 => to.extend(proto.floats.iter().flat_map(|value| value.to_le_bytes())),
        DType::F64 => to.extend(proto.doubles.iter().flat_map(|value| value.to_le_bytes())),
        _ => {
            let size = dtype.block_bytes();
            to.extend(
                proto.ints.iter().flat_map(|value| value.to_le_bytes().into_iter().take(size)),
            );
        }
    }
}
