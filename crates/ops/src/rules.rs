//! What shape rules have in common: sentences on operands that do not fit.

use sidestage_ir::{Dim, ValueType};
use sidestage_tensor::DType;

/// The operands, if there are exactly `N`.
pub(crate) fn operands<'a, const N: usize>(
    inputs: &[&'a ValueType],
) -> Result<[&'a ValueType; N], String> {
    inputs.try_into().map_err(|_| format!("takes {N} operands, got {}", inputs.len()))
}

/// That an operand has this element type.
pub(crate) fn dtype(what: &str, ty: &ValueType, expected: DType) -> Result<(), String> {
    if ty.dtype == expected {
        return Ok(());
    }
    Err(format!("{what} must be {expected}, not {}", ty.dtype))
}

/// That an operand has this many dimensions.
pub(crate) fn rank(what: &str, ty: &ValueType, expected: usize) -> Result<(), String> {
    if ty.dims.len() == expected {
        return Ok(());
    }
    Err(format!("{what} must have {expected} dimensions, not {}", ty.dims.len()))
}

/// Whether there are kernels for weights of this type: of all types, or of graphs'.
pub(crate) fn weights<const ALL: bool>(dtype: DType) -> bool {
    if ALL { sidestage_kernels::supports(dtype) } else { sidestage_kernels::supports_graphs(dtype) }
}

/// The innermost dimension, which must be fixed and not 0.
pub(crate) fn width(what: &str, ty: &ValueType) -> Result<usize, String> {
    match ty.inner() {
        Some(width) if width > 0 => Ok(width),
        _ => Err(format!("{what} must have a fixed innermost dimension")),
    }
}

/// That two numbers which must be equal are.
pub(crate) fn equal(what: &str, found: usize, expected: usize) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found}, must be {expected}"))
}

/// A matrix `[rows, width]` of `f32`: its rows and width.
pub(crate) fn matrix(what: &str, ty: &ValueType) -> Result<(Dim, usize), String> {
    dtype(what, ty, DType::F32)?;
    rank(what, ty, 2)?;
    Ok((ty.dims[0], width(what, ty)?))
}

/// A list of `i32`, one for each row.
pub(crate) fn list(what: &str, ty: &ValueType, rows: Dim) -> Result<(), String> {
    dtype(what, ty, DType::I32)?;
    rank(what, ty, 1)?;
    if ty.dims[0] != rows {
        return Err(format!("{what} must have the same rows as the other operands"));
    }
    Ok(())
}

/// A page of a cache with this many heads of this many values.
pub(crate) fn kv_page(
    ty: &ValueType,
    expected: DType,
    kv_heads: usize,
    head_dim: usize,
) -> Result<(), String> {
    let elements = sidestage_kernels::kv_elements(expected, head_dim)
        .ok_or_else(|| format!("a cache of {expected} cannot have heads of {head_dim} values"))?;
    dtype("the cache", ty, expected)?;
    if *ty != ValueType::fixed(expected, &[kv_heads, elements]) {
        return Err(format!("a page must have {kv_heads} heads of {elements} elements"));
    }
    Ok(())
}

/// The dimensions of an operand that has no symbols.
pub(crate) fn dims(what: &str, ty: &ValueType) -> Result<Vec<usize>, String> {
    let fixed = ty.dims.iter().map(|dim| match dim {
        Dim::Fixed(dim) => Some(*dim),
        Dim::Symbol(_) => None,
    });
    fixed.collect::<Option<_>>().ok_or_else(|| format!("{what} must have fixed dimensions"))
}

/// The dimensions of a result of two operands that are broadcast.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], axis: usize| {
        (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis])
    };
    let both = (0..rank).map(|axis| match (dim(a, axis), dim(b, axis)) {
        (a, b) if a == b => Ok(a),
        (1, b) => Ok(b),
        (a, 1) => Ok(a),
        _ => Err(format!("{a:?} and {b:?} cannot be broadcast")),
    });
    both.collect()
}
