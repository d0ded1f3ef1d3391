use super::{CallInfo, cast, expand, row, scalar};
use crate::LinearAttention;
use sidestage_ir::{Scope, Stop};
use sidestage_tensor::DType;

fn linear_attention(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (gated, delta) = match scope.text("update_rule").unwrap_or("gated_delta") {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => return Err(Stop::Refused(format!("there is no update rule {other}"))),
    };
    let (query, value) = (scope.tensor(0)?, scope.tensor(2)?);
    let [heads, kv_heads] = ["q_num_heads", "kv_num_heads"]
        .map(|name| usize::try_from(scope.int(name).unwrap_or(0)).unwrap_or(0));
    let (&[n, _, width], &[.., values]) = (query.dims(), value.dims()) else {
        return Err(Stop::Refused(format!("queries of {:?}", query.dims())));
    };
    if heads == 0 || kv_heads == 0 {
        return Err("the number of heads is missing".into());
    }
    let (keys, values) = (width / heads, values / kv_heads);
    let dtype = query.dtype();
    let past = scope.optional_tensor(3)?;
    let of_state = past.as_ref().map_or(dtype, |past| past.dtype());
    let past = match past {
        Some(past) => past,
        None => {
            let zero = scalar(scope, DType::F32, 0.0)?;
            expand(scope, &zero, &[n, kv_heads, keys, values])?
        }
    };
    let mut operands = vec![query, scope.tensor(1)?, value, past];
    for index in [gated.then_some(4), delta.then_some(5)].into_iter().flatten() {
        operands.push(scope.tensor(index)?);
    }
    for operand in &mut operands {
        *operand = cast(scope, operand, DType::F32)?;
    }
    let scale = scope.float("scale").filter(|scale| *scale != 0.0);
    let scale = scale.unwrap_or_else(|| 1.0 / (keys as f32).sqrt());
    let op = LinearAttention { heads, kv_heads, scale, gated, delta };
    let results = scope.apply_all(op, &operands)?;
    for (index, (y, dtype)) in results.iter().zip([dtype, of_state]).enumerate() {
        let y = cast(scope, y, dtype)?;
        scope.give_tensor(index, y);
    }
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("LinearAttention", linear_attention)];
