//! What tells of shapes, and makes tensors of them.

use super::{CallInfo, expand, row, scalar};
use sidestage_ir::{Attribute, Scope, Stop};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_tensor::{DType, Tensor};

fn shape(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len() as i64;
    let at = |value: i64| (if value < 0 { value + rank } else { value }).clamp(0, rank) as usize;
    let (start, end) = (at(scope.int("start").unwrap_or(0)), at(scope.int("end").unwrap_or(rank)));
    let dims: Vec<i64> =
        x.dims().get(start..end).unwrap_or(&[]).iter().map(|dim| *dim as i64).collect();
    let list = scope.list(&dims)?;
    scope.give_tensor(0, list);
    Ok(())
}

fn size(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let count = scope.tensor(0)?.dims().iter().product::<usize>();
    let list = scope.list(&[count as i64])?;
    let size = scope.view(&list, &[])?;
    scope.give_tensor(0, size);
    Ok(())
}

fn constant_of_shape(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let shape = scope.integers(0)?.ok_or("the shape is missing")?;
    let dims = shape.iter().map(|&dim| usize::try_from(dim).map_err(|_| "a dimension below 0"));
    let dims = dims.collect::<Result<Vec<_>, _>>()?;
    let value = match scope.call().attribute("value") {
        Some(Attribute::Tensor(value)) if value.len() == 1 => {
            let value = scope.constant(value.clone());
            scope.view(&value, &[])?
        }
        None => scalar(scope, DType::F32, 0.0)?,
        _ => return Err("the value must be one number".into()),
    };
    let y = expand(scope, &value, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `start, start + delta, …` up to `limit`, which is left out.
pub(super) fn range(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let given = [scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?];
    let dtype = given[0].dtype();
    let mut known = Vec::new();
    for tensor in &given {
        known.push(scope.known(tensor)?);
    }
    let wrong = "start, limit and delta must be one number each, of one type";
    if known.iter().any(|one| one.len() != 1 || one.dtype() != dtype) {
        return Err(wrong.into());
    }
    let mut bytes = Vec::new();
    let too_large = "the range is too large";
    match wide_kind(dtype) {
        Some(WideKind::Float) => {
            let load = f64::load(dtype).ok_or(wrong)?;
            let [start, limit, delta] = [0, 1, 2].map(|i| load(known[i].bytes(), 0));
            let count = ((limit - start) / delta).ceil().max(0.0);
            if count.is_nan() || count >= (1_u64 << 31) as f64 {
                return Err(too_large.into());
            }
            bytes.resize(count as usize * dtype.block_bytes(), 0);
            let store = f64::store(dtype).ok_or(wrong)?;
            (0..count as usize).for_each(|i| store(&mut bytes, i, start + i as f64 * delta));
        }
        _ => {
            let integers: Option<Vec<_>> = known.iter().map(Tensor::integers).collect();
            let integers = integers.ok_or(wrong)?;
            let [start, limit, delta] = [0, 1, 2].map(|i| i128::from(integers[i][0]));
            if delta == 0 {
                return Err("a delta of 0".into());
            }
            let reach = if delta > 0 { limit - start } else { start - limit };
            let count = (reach.max(0) as u128).div_ceil(delta.unsigned_abs());
            if count >= 1 << 31 {
                return Err(too_large.into());
            }
            for i in 0..count as i128 {
                let value = (start + i * delta) as i64;
                bytes.extend(value.to_le_bytes().into_iter().take(dtype.block_bytes()));
            }
        }
    }
    let count = bytes.len() / dtype.block_bytes();
    let tensor = Tensor::new(dtype, &[count], &bytes).map_err(|_| too_large)?;
    let range = scope.constant(tensor);
    scope.give_tensor(0, range);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("ConstantOfShape", constant_of_shape),
    row("Range", range),
    row("Shape", shape),
    row("Size", size),
];
