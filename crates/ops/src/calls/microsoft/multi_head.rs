use super::attend::{Attend, flat, heads, masked, seen};
use super::{CallInfo, biased, cast, joined, row, size, slice, unwanted, without};
use sidestage_ir::{Scope, Stop, Traced};

/// What is added to scores that nobody is to have.
pub(super) fn never(scope: &Scope<'_, '_>) -> f32 {
    scope.float("mask_filter_value").unwrap_or(-10000.0)
}

/// That a query sees only the positions up to its own.
pub(super) fn causal(
    scope: &Scope<'_, '_>,
    (s, total): (usize, usize),
) -> Result<Option<Traced>, Stop> {
    if scope.int("unidirectional") != Some(1) {
        return Ok(None);
    }
    let past = total.saturating_sub(s);
    let sees = (0..s).flat_map(|query| (0..total).map(move |key| key <= past + query));
    Ok(Some(seen(scope, &[1, 1, s, total], f32::NEG_INFINITY, sees)?))
}

/// The bias of a mask of keys: `[n]` (how many there are), `[n, total]` or `[n, s, total]`.
pub(super) fn of_keys(
    scope: &mut Scope<'_, '_>,
    index: usize,
    (n, s, total): (usize, usize, usize),
) -> Result<Option<Traced>, Stop> {
    let Some(mask) = scope.optional_tensor(index)? else { return Ok(None) };
    let never = never(scope);
    Ok(Some(match *mask.dims() {
        [count] if count == n || count == 2 * n => {
            // The ends of all sequences, then perhaps their beginnings.
            let list = scope.integers(index)?.unwrap_or_default();
            let begin = |image: usize| list.get(n + image).copied().unwrap_or(0);
            let sees = |image: usize, key: i64| key < list[image] && key >= begin(image);
            let all = (0..n).flat_map(|image| (0..total as i64).map(move |key| (image, key)));
            let all: Vec<bool> = all.map(|(image, key)| sees(image, key)).collect();
            seen(scope, &[n, 1, 1, total], never, all.into_iter())?
        }
        [m, t] if (m, t) == (n, total) => masked(scope, &mask, &[n, 1, 1, total], never)?,
        [m, r, t] if (m, r, t) == (n, s, total) => masked(scope, &mask, &[n, 1, s, total], never)?,
        _ => return Err(Stop::Refused(format!("a mask of {:?}", mask.dims()))),
    }))
}

fn multi_head(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    without(scope, &[(8, "past_sequence_length"), (9, "cache_indirection")])?;
    unwanted(scope, &[(3, "qk")])?;
    let count = size(scope, "num_heads").ok_or("num_heads is missing")?;
    let (query, bias) = (scope.tensor(0)?, scope.optional_tensor(3)?);
    let mut q = heads(scope, &query, count)?;
    let [mut k, mut v] = [scope.tensor(1)?, scope.tensor(2)?];
    for x in [&mut k, &mut v] {
        // They may come with their heads apart.
        if x.dims().len() != 4 {
            *x = heads(scope, x, count)?;
        }
    }
    if let Some(bias) = bias {
        let mut from = 0;
        for x in [&mut q, &mut k, &mut v] {
            let width = x.dims()[3];
            let part = slice(scope, &bias, 0, (from, count * width))?;
            let part = scope.view(&part, &[1, count, 1, width])?;
            *x = biased(scope, x.clone(), Some(&part))?;
            from += count * width;
        }
    }
    if let (Some(old_k), Some(old_v)) = (scope.optional_tensor(6)?, scope.optional_tensor(7)?) {
        k = joined(scope, &[old_k, k], 2)?;
        v = joined(scope, &[old_v, v], 2)?;
    }
    scope.give_tensor(1, k.clone());
    scope.give_tensor(2, v.clone());
    let (&[n, _, s, width], total) = (q.dims(), k.dims()[2]) else {
        return Err("q needs four dimensions".into());
    };
    let mut biases: Vec<Traced> = of_keys(scope, 4, (n, s, total))?.into_iter().collect();
    biases.extend(scope.optional_tensor(5)?);
    biases.extend(causal(scope, (s, total))?);
    let scale = scope.float("scale").unwrap_or(1.0 / (width as f32).sqrt());
    let attend = Attend { scale, softcap: None, biases, sink: None };
    let y = attend.apply(scope, &q, &k, &v)?;
    let y = cast(scope, &y, query.dtype())?;
    let y = flat(scope, &y)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[row("com.microsoft::MultiHeadAttention", multi_head)];
