use super::{CallInfo, cast, row, steps};
use crate::{Binary, Concat, StridedCopy, Take};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;

/// Elements of the last axis: `count` from `first` on, each `by`-th.
fn part(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    first: usize,
    count: usize,
    by: usize,
) -> Result<Traced, Stop> {
    let (mut dims, mut steps) = (x.dims().to_vec(), steps(x.dims()));
    if let (Some(dim), Some(step)) = (dims.last_mut(), steps.last_mut()) {
        (*dim, *step) = (count, by as isize);
    }
    scope.apply(StridedCopy { dims, start: first, steps }, std::slice::from_ref(x))
}

/// Pairs of elements turned by the angles of their positions (ONNX 23, "RotaryEmbedding").
fn rotary(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let given = scope.tensor(0)?;
    let [heads, turned] = ["num_heads", "rotary_embedding_dim"]
        .map(|name| usize::try_from(scope.int(name).unwrap_or(0)).unwrap_or(0));
    // Positions are the second axis of a tensor whose heads are not apart, else the third.
    let (x, flat) = match *given.dims() {
        [_, _, _, _] => (given.clone(), false),
        [n, s, all] => {
            if heads == 0 || all % heads != 0 {
                return Err(Stop::Refused(format!("{heads} heads of {all}")));
            }
            (scope.view(&given, &[n, s, heads, all / heads])?, true)
        }
        _ => return Err(Stop::Refused(format!("x of {:?}", given.dims()))),
    };
    let [n, middle, third, width] = *x.dims() else { return Err("x has no heads".into()) };
    let positions = if flat { middle } else { third };
    let turned = match turned {
        0 => width,
        turned => turned,
    };
    if turned > width || turned % 2 != 0 {
        return Err(Stop::Refused(format!("{turned} elements of {width} cannot be turned")));
    }
    let half = turned / 2;
    let ids = scope.optional_tensor(3)?;
    let angles = |scope: &mut Scope<'_, '_>, index: usize| -> Result<Traced, Stop> {
        let mut angles = scope.tensor(index)?;
        if let Some(ids) = &ids {
            angles = scope.apply(Take { axis: 0 }, &[angles, ids.clone()])?;
        }
        let dims = if flat { [n, positions, 1, half] } else { [n, 1, positions, half] };
        let angles = scope.view(&angles, &dims)?;
        cast(scope, &angles, x.dtype())
    };
    let (cos, sin) = (angles(scope, 1)?, angles(scope, 2)?);
    let interleaved = scope.int("interleaved") == Some(1);
    let (second, by) = if interleaved { (1, 2) } else { (half, 1) };
    let a = part(scope, &x, 0, half, by)?;
    let b = part(scope, &x, second, half, by)?;
    let two = |scope: &mut Scope<'_, '_>, function, a: &Traced, b: &Traced| {
        scope.apply(Binary { function }, &[a.clone(), b.clone()])
    };
    let (ac, bs) = (two(scope, Two::Mul, &a, &cos)?, two(scope, Two::Mul, &b, &sin)?);
    let (as_, bc) = (two(scope, Two::Mul, &a, &sin)?, two(scope, Two::Mul, &b, &cos)?);
    let (mut a, mut b) = (two(scope, Two::Sub, &ac, &bs)?, two(scope, Two::Add, &as_, &bc)?);
    if interleaved {
        let pairs = [n, middle, third, half, 1];
        (a, b) = (scope.view(&a, &pairs)?, scope.view(&b, &pairs)?);
        let both = scope.apply(Concat { axis: 4 }, &[a, b])?;
        a = scope.view(&both, &[n, middle, third, turned])?;
    } else {
        a = scope.apply(Concat { axis: 3 }, &[a, b])?;
    }
    if turned < width {
        let rest = part(scope, &x, turned, width - turned, 1)?;
        a = scope.apply(Concat { axis: 3 }, &[a, rest])?;
    }
    let y = scope.view(&a, given.dims())?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("RotaryEmbedding", rotary)];
