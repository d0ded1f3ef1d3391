//! Calls that no file has: those of a decoder whose past lies in the KV cache
//! ([`super::decoder_lowering`]).

use super::{CallInfo, cast, row, transpose};
use crate::{Attention, AttentionParts, KvWrite, MergeAttention, Take};
use sidestage_ir::{Attribute, Scope, Stop, Traced};
use sidestage_kernels::{KV_CHUNK, KV_PAGE, kv_elements};
use sidestage_tensor::DType;

fn size(scope: &Scope<'_, '_>, name: &str) -> Result<usize, Stop> {
    let size = scope.int(name).and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| Stop::Refused(format!("the attribute {name} is missing")))
}

/// `[1, heads, rows, width]`, or `[1, rows, heads * width]`, as `[rows, heads * width]`; and the heads.
fn rows(scope: &mut Scope<'_, '_>, x: &Traced, name: &str) -> Result<(Traced, usize), Stop> {
    let x = cast(scope, x, DType::F32)?;
    match *x.dims() {
        [1, heads, rows, width] => {
            let x = transpose(scope, &x, &[0, 2, 1, 3])?;
            Ok((scope.view(&x, &[rows, heads * width])?, heads))
        }
        [1, rows, all] => Ok((scope.view(&x, &[rows, all])?, size(scope, name)?)),
        _ => Err(Stop::Refused(format!("queries or keys of {:?}", x.dims()))),
    }
}

/// Attention over what the cache holds, and what is new. Operands: queries, keys and values of the new
/// positions, `positions`, `slots`, `sequences` and `tables` ([`Attention`], [`KvWrite`]).
fn attention(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let query = scope.tensor(0)?;
    let (q, heads) = rows(scope, &query, "heads")?;
    let mut new = Vec::new();
    for index in [1, 2] {
        let x = scope.tensor(index)?;
        new.push(rows(scope, &x, "kv_heads")?);
    }
    let [positions, slots, sequences, tables] = [3, 4, 5, 6].map(|index| scope.tensor(index));
    let (positions, slots, sequences, tables) = (positions?, slots?, sequences?, tables?);
    let [(k, kv_heads), (v, _)] = <[(Traced, usize); 2]>::try_from(new).map_err(|_| "")?;
    let dtype = match scope.call().attribute("kv_type") {
        Some(Attribute::Type(dtype)) => *dtype,
        _ => return Err("the cache's type is missing".into()),
    };
    if heads == 0 || kv_heads == 0 || heads % kv_heads != 0 {
        return Err(Stop::Refused(format!("{heads} query heads of {kv_heads} key heads")));
    }
    let head_dim = q.dims()[1] / heads;
    let elements = kv_elements(dtype, head_dim);
    let elements = elements
        .ok_or_else(|| format!("a cache of {dtype} cannot have heads of {head_dim} values"))?;
    let layer = size(scope, "layer")?;
    let keys = scope.state(&format!("keys.{layer}"), dtype, &[kv_heads, elements])?;
    let values = scope.state(&format!("values.{layer}"), dtype, &[kv_heads, elements])?;
    let write = KvWrite { head_dim, dtype };
    scope.effect(write, &[k, v, slots, keys.clone(), values.clone()])?;
    let pages = tables.dims().last().copied().unwrap_or(0);
    let parts = q.dims()[0].max((pages * KV_PAGE).div_ceil(KV_CHUNK));
    let window = scope.int("window").and_then(|window| usize::try_from(window).ok());
    let parts = AttentionParts { room: heads * parts, window };
    let scale = scope.float("scale").unwrap_or(1.0 / (head_dim as f32).sqrt());
    let softcap = scope.float("softcap");
    let attention = Attention { heads, kv_heads, head_dim, dtype, scale, softcap, parts };
    let operands = [q, keys, values, positions.clone(), sequences, tables];
    let attended = scope.apply(attention, &operands)?;
    let mut y = scope.apply(MergeAttention { heads, head_dim, parts }, &[attended, positions])?;
    if let [1, heads, rows, width] = *query.dims() {
        y = scope.view(&y, &[1, rows, heads, width])?;
        y = transpose(scope, &y, &[0, 2, 1, 3])?;
    }
    let y = scope.view(&y, query.dims())?;
    let y = cast(scope, &y, query.dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The rows of `x[1, rows, …]` whose results are wanted.
fn wanted(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, wanted) = (scope.tensor(0)?, scope.tensor(1)?);
    if x.dims().len() < 2 {
        return Err(Stop::Refused(format!("rows of {:?}", x.dims())));
    }
    let y = scope.apply(Take { axis: 1 }, &[x, wanted])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A list `[rows]` as one of another type, `[1, rows]` if a batch is asked for.
fn list(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let dtype = match scope.call().attribute("to") {
        Some(Attribute::Type(dtype)) => *dtype,
        _ => DType::I64,
    };
    let y = cast(scope, &x, dtype)?;
    let dims = if scope.int("batch") == Some(1) { vec![1, x.dims()[0]] } else { x.dims().to_vec() };
    let y = scope.view(&y, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("sidestage::CachedAttention", attention),
    row("sidestage::Wanted", wanted),
    row("sidestage::List", list),
    row("sidestage::BlockWeight", super::microsoft::blocks::weight_alone),
    row("sidestage::Linear", super::microsoft::blocks::linear_alone),
];
