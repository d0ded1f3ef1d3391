use super::attend::{Attend, flat, heads};
use super::multi_head::{causal, of_keys};
use super::{CallInfo, biased, cast, joined, row, size, slice, without};
use crate::calls::matmul::matmul;
use sidestage_ir::{Scope, Stop, Traced};

/// Attention with the products before it, of one matrix (GPT-2, BERT).
fn attention(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    without(scope, &[(6, "past_sequence_length")])?;
    if scope.int("do_rotary") == Some(1) {
        return Err("do_rotary is not supported".into());
    }
    let (x, weight, bias) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let count = size(scope, "num_heads").ok_or("num_heads is missing")?;
    let all = matmul(scope, &x, &weight)?;
    let all = biased(scope, all, bias.as_ref())?;
    let [y, present] = attended(scope, &all, count, [3, 4, 5])?;
    let y = cast(scope, &y, x.dtype())?;
    scope.give_tensor(0, y);
    scope.give_tensor(1, present);
    Ok(())
}

/// Attention of `[n, s, queries + keys + values]`, with a mask of keys, a past and a bias of the scores
/// that are these operands. The result, and what is the next call's past.
pub(super) fn attended(
    scope: &mut Scope<'_, '_>,
    all: &Traced,
    count: usize,
    [mask, past, extra]: [usize; 3],
) -> Result<[Traced; 2], Stop> {
    let [n, s, width] = *all.dims() else { return Err("x needs three dimensions".into()) };
    let sizes = match scope.ints("qkv_hidden_sizes") {
        Some(sizes) => sizes.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect(),
        None => vec![width / 3; 3],
    };
    let [a, b, c] = *sizes else { return Err("qkv_hidden_sizes must be three".into()) };
    if a != b || a.checked_add(b).and_then(|sum| sum.checked_add(c)) != Some(width) {
        return Err(Stop::Refused(format!("queries, keys and values of {sizes:?} in {width}")));
    }
    let mut apart = Vec::new();
    for (from, size) in [(0, a), (a, b), (a + b, c)] {
        let part = slice(scope, all, 2, (from, size))?;
        apart.push(heads(scope, &part, count)?);
    }
    let [q, mut k, mut v] = <[Traced; 3]>::try_from(apart).map_err(|_| "")?;
    if let Some(old) = scope.optional_tensor(past)? {
        let [2, _, _, length, head] = *old.dims() else {
            return Err(Stop::Refused(format!("a past of {:?}", old.dims())));
        };
        for (at, x) in [&mut k, &mut v].into_iter().enumerate() {
            let old = slice(scope, &old, 0, (at, 1))?;
            let old = scope.view(&old, &[n, count, length, head])?;
            *x = joined(scope, &[old, x.clone()], 2)?;
        }
    }
    let total = k.dims()[2];
    let present = if k.dims() == v.dims() {
        let one = [&[1], k.dims()].concat();
        let (k, v) = (scope.view(&k, &one)?, scope.view(&v, &one)?);
        joined(scope, &[k, v], 0)?
    } else {
        k.clone()
    };
    let mut biases: Vec<Traced> = of_keys(scope, mask, (n, s, total))?.into_iter().collect();
    biases.extend(scope.optional_tensor(extra)?);
    biases.extend(causal(scope, (s, total))?);
    let scale = scope.float("scale").unwrap_or(1.0 / (q.dims()[3] as f32).sqrt());
    let attend = Attend { scale, softcap: None, biases, sink: None };
    let y = attend.apply(scope, &q, &k, &v)?;
    Ok([flat(scope, &y)?, present])
}

pub(crate) const CALLS: &[CallInfo] = &[row("com.microsoft::Attention", attention)];
