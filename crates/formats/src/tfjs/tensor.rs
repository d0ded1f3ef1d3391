//! Tensors as attributes: TensorFlow's `TensorProto` as JSON.

use super::TfjsError;
use super::attributes::{bytes, computed, declared, shape, type_name};
use super::json::Json;
use sidestage_tensor::{AlignedBytes, DType, Extents, Tensor};

/// More elements are not made of one number.
const MOST: usize = 1 << 20;

/// In the type that is computed with.
pub(super) fn tensor(name: &str, json: &Json) -> Result<Tensor, TfjsError> {
    let dtype = type_name(json.get("dtype")).unwrap_or("none");
    let refusal = || TfjsError::Type { name: name.into(), dtype: dtype.into() };
    let wrong = || TfjsError::Shape { name: name.into() };
    if json == &Json::Null {
        return Err(wrong());
    }
    let from = declared(dtype).ok_or_else(refusal)?;
    let dims = shape(json.get("tensorShape")).unwrap_or_default().into_iter();
    let dims = dims.map(|dim| usize::try_from(dim).ok()).collect::<Option<Vec<usize>>>();
    let dims = dims.filter(|dims| dims.len() <= Extents::MAX_RANK).ok_or_else(wrong)?;
    let count = dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
    let count = count.filter(|count| *count <= MOST).ok_or_else(wrong)?;
    let to = computed(from);
    let numbers = match json.get("tensorContent") {
        Json::Null => listed(json, from).ok_or_else(wrong)?,
        content => {
            let content = bytes(content).ok_or_else(wrong)?;
            numbers(&content, from).filter(|list| list.len() == count).ok_or_else(wrong)?
        }
    };
    // Those that are missing are as the last one.
    let last = numbers.last().copied().unwrap_or(0.0);
    if numbers.len() > count {
        return Err(wrong());
    }
    let size = count * to.block_bytes();
    let room = AlignedBytes::zeroed(size);
    let mut room = room.map_err(|_| TfjsError::NoMemory { bytes: size })?;
    let all = numbers.into_iter().chain(std::iter::repeat(last)).take(count);
    for (number, out) in all.zip(room.as_mut_slice().chunks_exact_mut(to.block_bytes())) {
        match to {
            DType::Bool => out[0] = u8::from(number != 0.0),
            DType::I32 => out.copy_from_slice(&(number as i32).to_le_bytes()),
            _ => out.copy_from_slice(&(number as f32).to_le_bytes()),
        }
    }
    Ok(Tensor::from_bytes(to, &dims, room))
}

/// The elements as a list of the message.
fn listed(json: &Json, dtype: DType) -> Option<Vec<f64>> {
    let key = match dtype {
        DType::F32 => "floatVal",
        DType::F64 => "doubleVal",
        DType::I64 => "int64Val",
        DType::Bool => "boolVal",
        DType::F16 | DType::BF16 => "halfVal",
        _ => "intVal",
    };
    let number = |one: &Json| {
        let number = one.truth().map(f64::from).or_else(|| one.number())?;
        Some(match dtype {
            DType::F16 => half::f16::from_bits(number as u16).to_f64(),
            DType::BF16 => half::bf16::from_bits(number as u16).to_f64(),
            _ => number,
        })
    };
    json.get(key).list().iter().map(number).collect()
}

/// The elements as their bytes.
fn numbers(bytes: &[u8], dtype: DType) -> Option<Vec<f64>> {
    macro_rules! each {
        ($bytes:ident => $number:expr) => {{
            let (all, rest) = bytes.as_chunks();
            rest.is_empty().then(|| all.iter().map(|$bytes| $number).collect())
        }};
    }
    match dtype {
        DType::F32 => each!(four => f32::from_le_bytes(*four).into()),
        DType::F64 => each!(eight => f64::from_le_bytes(*eight)),
        DType::F16 => each!(two => half::f16::from_le_bytes(*two).to_f64()),
        DType::BF16 => each!(two => half::bf16::from_le_bytes(*two).to_f64()),
        DType::I64 => each!(eight => i64::from_le_bytes(*eight) as f64),
        DType::I32 => each!(four => i32::from_le_bytes(*four).into()),
        DType::U32 => each!(four => u32::from_le_bytes(*four).into()),
        DType::I16 => each!(two => i16::from_le_bytes(*two).into()),
        DType::U16 => each!(two => u16::from_le_bytes(*two).into()),
        DType::I8 => Some(bytes.iter().map(|byte| (*byte as i8).into()).collect()),
        _ => Some(bytes.iter().map(|byte| (*byte).into()).collect()),
    }
}
