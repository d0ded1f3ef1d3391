use super::matmul::matmul;
use super::softmax::along;
use super::{CallInfo, cast, expand, row, scalar, transpose};
use crate::{Binary, Concat, Unary, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Unary as One};
use sidestage_tensor::{DType, Tensor};

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

/// `[n, s, heads * width]` as `[n, heads, s, width]`; `[n, heads, s, width]` as it is.
fn split(scope: &mut Scope<'_, '_>, x: Traced, name: &str) -> Result<Traced, Stop> {
    let [n, s, all] = *x.dims() else { return Ok(x) };
    let heads = scope.int(name).and_then(|heads| usize::try_from(heads).ok()).unwrap_or(0);
    if heads == 0 || all % heads != 0 {
        return Err(Stop::Refused(format!("{heads} heads of {all}")));
    }
    let x = scope.view(&x, &[n, s, heads, all / heads])?;
    transpose(scope, &x, &[0, 2, 1, 3])
}

/// Each key head for the query heads that share it.
fn shared(scope: &mut Scope<'_, '_>, x: &Traced, heads: usize) -> Result<Traced, Stop> {
    let [n, own, s, width] = *x.dims() else { return Err("four dimensions are needed".into()) };
    if own == heads {
        return Ok(x.clone());
    }
    if own == 0 || !heads.is_multiple_of(own) {
        return Err(Stop::Refused(format!("{heads} query heads of {own} key heads")));
    }
    let grouped = scope.view(x, &[n, own, 1, s, width])?;
    let all = expand(scope, &grouped, &[n, own, heads / own, s, width])?;
    scope.view(&all, &[n, heads, s, width])
}

/// ONNX 24, "Attention".
fn attention(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (q, k, v) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let (flat, dtype) = (q.dims().len() == 3, q.dtype());
    let q = split(scope, q, "q_num_heads")?;
    let mut k = split(scope, k, "kv_num_heads")?;
    let mut v = split(scope, v, "kv_num_heads")?;
    let mut past = 0;
    if let (Some(old_k), Some(old_v)) = (scope.optional_tensor(4)?, scope.optional_tensor(5)?) {
        past = old_k.dims().get(2).copied().unwrap_or(0);
        k = scope.apply(Concat { axis: 2 }, &[old_k, k])?;
        v = scope.apply(Concat { axis: 2 }, &[old_v, v])?;
    }
    scope.give_tensor(1, k.clone());
    scope.give_tensor(2, v.clone());
    let [n, heads, rows, width] = *q.dims() else { return Err("q needs four dimensions".into()) };
    let (k, v) = (shared(scope, &k, heads)?, shared(scope, &v, heads)?);
    let total = k.dims()[2];
    // As ONNX's own function: both sides by the scale's root.
    let scale = scope.float("scale").map_or(1.0 / (width as f64).sqrt(), f64::from);
    let root = scalar(scope, dtype, scale.sqrt())?;
    let q = two(scope, Two::Mul, &q, &root)?;
    let k = two(scope, Two::Mul, &k, &root)?;
    let k = transpose(scope, &k, &[0, 1, 3, 2])?;
    let mut scores = matmul(scope, &q, &k)?;
    let wanted = scope.int("qk_matmul_output_mode").unwrap_or(0);
    if wanted == 0 {
        scope.give_tensor(3, scores.clone());
    }
    let cap = |scope: &mut Scope<'_, '_>, scores: Traced| {
        let cap = scope.float("softcap").filter(|cap| *cap != 0.0);
        let Some(cap) = cap else { return Ok(scores) };
        let cap = scalar(scope, dtype, cap.into())?;
        let scores = two(scope, Two::Div, &scores, &cap)?;
        let scores = scope.apply(Unary { function: One::Tanh }, &[scores])?;
        two(scope, Two::Mul, &scores, &cap)
    };
    scores = cap(scope, scores)?;
    if wanted == 1 {
        scope.give_tensor(3, scores.clone());
    }
    let mask = mask(scope, dtype, (n, rows, total, past))?;
    if let Some(mask) = mask {
        scores = two(scope, Two::Add, &scores, &mask)?;
    }
    if wanted == 2 {
        scope.give_tensor(3, scores.clone());
    }
    let precise = cast(scope, &scores, DType::F32)?;
    let shares = along(scope, &precise, 3, false)?;
    // A row of which everything is masked has no shares.
    let shares = {
        let odd = scope.apply(Unary { function: One::IsNaN }, std::slice::from_ref(&shares))?;
        let zero = scalar(scope, DType::F32, 0.0)?;
        scope.apply(Where, &[odd, zero, shares])?
    };
    let shares = cast(scope, &shares, dtype)?;
    if wanted == 3 {
        scope.give_tensor(3, shares.clone());
    }
    let v = cast(scope, &v, dtype)?;
    let mut y = matmul(scope, &shares, &v)?;
    if flat {
        let wide = y.dims()[3];
        y = transpose(scope, &y, &[0, 2, 1, 3])?;
        y = scope.view(&y, &[n, rows, heads * wide])?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

/// What is added to the scores: minus infinity where a query must not look.
fn mask(
    scope: &mut Scope<'_, '_>,
    dtype: DType,
    (n, rows, total, past): (usize, usize, usize, usize),
) -> Result<Option<Traced>, Stop> {
    let mut all: Option<Traced> = None;
    let never = scalar(scope, dtype, f64::NEG_INFINITY)?;
    let zero = scalar(scope, dtype, 0.0)?;
    let mut add = |scope: &mut Scope<'_, '_>, more: Traced| -> Result<(), Stop> {
        all = Some(match all.take() {
            Some(known) => two(scope, Two::Add, &known, &more)?,
            None => more,
        });
        Ok(())
    };
    if let Some(given) = scope.optional_tensor(3)? {
        let mut given = if given.dtype() == DType::Bool {
            scope.apply(Where, &[given, zero.clone(), never.clone()])?
        } else {
            given
        };
        // A mask that is too short hides the rest.
        let width = given.dims().last().copied().unwrap_or(total);
        if width < total && width != 1 {
            let mut dims = given.dims().to_vec();
            let axis = dims.len() - 1;
            dims[axis] = total - width;
            let hidden = expand(scope, &never, &dims)?;
            given = scope.apply(Concat { axis }, &[given, hidden])?;
        }
        add(scope, given)?;
    }
    let lengths = scope.integers(6)?;
    let truth = |kept: Vec<u8>, dims: &[usize]| {
        Tensor::new(DType::Bool, dims, &kept).map_err(|_| Stop::Refused("no memory".into()))
    };
    if let Some(lengths) = &lengths {
        let kept = lengths
            .iter()
            .flat_map(|length| (0..total as i64).map(move |at| u8::from(at < *length)));
        let kept = scope.constant(truth(kept.collect(), &[n, 1, 1, total])?);
        let hidden = scope.apply(Where, &[kept, zero.clone(), never.clone()])?;
        add(scope, hidden)?;
    }
    // How far a query looks to the left and to the right; ahead of it, if it must not.
    let reach = |name: &str| scope.int(name).filter(|reach| *reach >= 0);
    let left = reach("left_window_size");
    let right = match reach("right_window_size") {
        _ if scope.int("is_causal") == Some(1) => Some(0),
        right => right,
    };
    if left.is_some() || right.is_some() {
        let seen = |query: i64, key: i64| {
            left.is_none_or(|left| query.saturating_sub(key) <= left)
                && right.is_none_or(|right| key.saturating_sub(query) <= right)
        };
        let from = |image: usize| match &lengths {
            Some(lengths) => lengths.get(image).copied().unwrap_or(0).saturating_sub(rows as i64),
            None => past as i64,
        };
        let images = if lengths.is_some() { n } else { 1 };
        let mut kept = Vec::with_capacity(images * rows * total);
        for image in 0..images {
            for row in 0..rows as i64 {
                let query = row.saturating_add(from(image));
                kept.extend((0..total as i64).map(|key| u8::from(seen(query, key))));
            }
        }
        let kept = scope.constant(truth(kept, &[images, 1, rows, total])?);
        let hidden = scope.apply(Where, &[kept, zero, never])?;
        add(scope, hidden)?;
    }
    Ok(all)
}

pub(super) const CALLS: &[CallInfo] = &[row("Attention", attention)];
