use super::attend::{Attend, flat, seen};
use super::norm::normalized;
use super::rotary::{Caches, turned};
use super::{CallInfo, cast, expand, joined, row, scalar, size, slice, transpose};
use super::{unwanted, without};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// Where the new positions of a sequence begin, and how many there are with them.
#[derive(Clone, Copy, PartialEq)]
struct Span {
    past: usize,
    end: usize,
}

/// The spans of the sequences: `seqlens_k` is the last position of each.
fn spans(scope: &Scope<'_, '_>, n: usize, s: usize) -> Result<(Vec<Span>, usize), Stop> {
    let lengths = scope.integers(5)?.ok_or("seqlens_k is missing")?;
    let total = scope.integers(6)?.and_then(|list| list.first().copied());
    let total = total.and_then(|total| usize::try_from(total).ok());
    let total = total.ok_or("total_sequence_length is missing")?;
    if lengths.len() != n {
        return Err(Stop::Refused(format!("{} lengths of {n} sequences", lengths.len())));
    }
    let span = |last: &i64| {
        // A prompt begins at 0; what it has less than others stands behind its end.
        let end = usize::try_from(*last).ok().and_then(|last| last.checked_add(1))?;
        let past = if total == s { 0 } else { end.checked_sub(s)? };
        (end <= total).then_some(Span { past, end })
    };
    let all: Option<Vec<Span>> = lengths.iter().map(span).collect();
    let all = all.ok_or_else(|| format!("lengths {lengths:?} of {total}"))?;
    Ok((all, total))
}

/// The past with what is new, as long as the longest: of `[n, heads, …, width]`.
fn present(
    scope: &mut Scope<'_, '_>,
    past: Option<&Traced>,
    new: &Traced,
    spans: &[Span],
    total: usize,
) -> Result<Traced, Stop> {
    let s = new.dims()[2];
    let Some(past) = past else {
        return if total == s { Ok(new.clone()) } else { Err("the past is missing".into()) };
    };
    let room = past.dims().get(2).copied().unwrap_or(0);
    if past.dims().len() != 4 || spans.iter().any(|span| span.past > room) {
        return Err(Stop::Refused(format!("a past of {:?}", past.dims())));
    }
    if total == room + s && spans.iter().all(|span| span.past == room) {
        return joined(scope, &[past.clone(), new.clone()], 2);
    }
    let length = room.max(total);
    let zero = scalar(scope, new.dtype(), 0.0)?;
    let mut all = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        let (old, new) = (slice(scope, past, 0, (at, 1))?, slice(scope, new, 0, (at, 1))?);
        let mut parts = vec![slice(scope, &old, 2, (0, span.past))?];
        let fits = s.min(length - span.past);
        parts.push(slice(scope, &new, 2, (0, fits))?);
        let behind = span.past + fits;
        if behind < room {
            parts.push(slice(scope, &old, 2, (behind, room - behind))?);
        }
        if room.max(behind) < length {
            let dims = [1, new.dims()[1], length - room.max(behind), new.dims()[3]];
            parts.push(expand(scope, &zero, &dims)?);
        }
        all.push(joined(scope, &parts, 2)?);
    }
    joined(scope, &all, 0)
}

fn group_query(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    without(scope, &[(12, "k_scale"), (13, "v_scale")])?;
    unwanted(scope, &[(3, "output_qk")])?;
    if scope.int("sliding_window_cache") == Some(1) {
        return Err("sliding_window_cache is not supported".into());
    }
    let (count, own) = (size(scope, "num_heads"), size(scope, "kv_num_heads"));
    let (count, own) =
        (count.ok_or("num_heads is missing")?, own.ok_or("kv_num_heads is missing")?);
    let query = scope.tensor(0)?;
    let [n, s, all] = *query.dims() else {
        return Err(Stop::Refused(format!("a query of {:?}", query.dims())));
    };
    let (key, value) = (scope.optional_tensor(1)?, scope.optional_tensor(2)?);
    let (spans, total) = spans(scope, n, s)?;
    let (heads, width) = match key {
        Some(_) => (count, all / count),
        None => (count + 2 * own, all / (count + 2 * own)),
    };
    if width == 0 || all % heads != 0 || count % own != 0 {
        return Err(Stop::Refused(format!("{count} heads, {own} of keys, of {all}")));
    }
    let packed = scope.view(&query, &[n, s, heads, width])?;
    let [mut q, mut k, v] = match (key, value) {
        (Some(key), Some(value)) => {
            let dims = [n, s, own, width];
            [packed, scope.view(&key, &dims)?, scope.view(&value, &dims)?]
        }
        _ => [
            slice(scope, &packed, 2, (0, count))?,
            slice(scope, &packed, 2, (count, own))?,
            slice(scope, &packed, 2, (count + own, own))?,
        ],
    };
    for (index, x) in [(14, &mut q), (15, &mut k)] {
        if let Some(weight) = scope.optional_tensor(index)? {
            let epsilon = scope.float("qk_norm_epsilon").unwrap_or(1e-6);
            *x = normalized(scope, x, &weight, None, (true, epsilon))?;
        }
    }
    if scope.int("do_rotary") == Some(1) {
        let interleaved = scope.int("rotary_interleaved") == Some(1);
        let caches = Caches { cos: scope.tensor(7)?, sin: scope.tensor(8)?, interleaved };
        let positions = match scope.optional_tensor(9)? {
            Some(ids) => scope.view(&ids, &[n, s])?,
            None => {
                let all = spans.iter().flat_map(|span| span.past..span.past + s);
                let all: Vec<i64> = all.map(|at| at as i64).collect();
                let all = scope.list(&all)?;
                scope.view(&all, &[n, s])?
            }
        };
        q = turned(scope, &q, &positions, &caches)?;
        k = turned(scope, &k, &positions, &caches)?;
    }
    let q = transpose(scope, &q, &[0, 2, 1, 3])?;
    let mut new = Vec::new();
    for (index, x) in [(3, k), (4, v)] {
        let x = transpose(scope, &x, &[0, 2, 1, 3])?;
        let past = scope.optional_tensor(index)?;
        new.push(present(scope, past.as_ref(), &x, &spans, total)?);
    }
    let [k, v] = <[Traced; 2]>::try_from(new).map_err(|_| "")?;
    scope.give_tensor(1, k.clone());
    scope.give_tensor(2, v.clone());

    let (length, causal) = (k.dims()[2], scope.int("causal") != Some(0));
    let window = scope.int("local_window_size").and_then(|size| usize::try_from(size).ok());
    let sees = |span: &Span, query: usize, key: usize| {
        let at = span.past + query;
        let near = window.is_none_or(|window| key + window > at);
        near && if causal { key <= at } else { key < span.end }
    };
    let same = spans.windows(2).all(|pair| pair[0] == pair[1]);
    let images = &spans[..if same { 1 } else { n }];
    let keys = |(span, query)| (0..length).map(move |key| (span, query, key));
    let all = images.iter().flat_map(|span| (0..s).map(move |query| (span, query))).flat_map(keys);
    let sees = all.map(|(span, query, key)| sees(span, query, key));
    let mut biases = vec![seen(scope, &[images.len(), 1, s, length], f32::NEG_INFINITY, sees)?];
    if let Some(bias) = scope.optional_tensor(10)? {
        let mut bias = cast(scope, &bias, DType::F32)?;
        let [.., given] = *bias.dims() else { return Err("a bias without dimensions".into()) };
        if given < length {
            // Nobody sees the positions behind.
            let zero = scalar(scope, DType::F32, 0.0)?;
            let mut dims = bias.dims().to_vec();
            dims[3] = length - given;
            let rest = expand(scope, &zero, &dims)?;
            bias = joined(scope, &[bias, rest], 3)?;
        }
        biases.push(bias);
    }
    let sink = match scope.optional_tensor(11)? {
        None if scope.int("smooth_softmax") == Some(1) => {
            let zero = scalar(scope, DType::F32, 0.0)?;
            Some(expand(scope, &zero, &[count])?)
        }
        sink => sink,
    };
    let scale = scope.float("scale").filter(|scale| *scale != 0.0);
    let scale = scale.unwrap_or(1.0 / (width as f32).sqrt());
    let softcap = scope.float("softcap").filter(|cap| *cap > 0.0);
    let y = Attend { scale, softcap, biases, sink }.apply(scope, &q, &k, &v)?;
    let y = cast(scope, &y, query.dtype())?;
    let y = flat(scope, &y)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[row("com.microsoft::GroupQueryAttention", group_query)];
