use super::conv::Fused;
use super::elementwise::clipped;
use super::norm::by_channel;
use super::{CallInfo, Done, One, S, Two, matched, one, row, transpose, two};
use crate::calls::matmul::product;
use sidestage_ir::{Stop, Traced};
use sidestage_kernels::Activation;

/// The last two dimensions exchanged, if an attribute says so.
fn side(scope: &mut S<'_, '_>, x: &Traced, names: [&str; 2]) -> Result<Traced, Stop> {
    let rank = x.dims().len();
    if rank < 2 {
        return Err(Stop::Refused(format!("a matrix of {:?}", x.dims())));
    }
    if names.iter().all(|name| scope.int(name) != Some(1)) {
        return Ok(x.clone());
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    transpose(scope, x, &order)
}

fn matmul(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let [a, b] = matched(scope, &a, &b)?;
    let a = side(scope, &a, ["transpose_a", "adj_x"])?;
    let b = side(scope, &b, ["transpose_b", "adj_y"])?;
    let Fused { bias, slopes, activation } = Fused::read(scope)?;
    let mut y = product(scope, &a, &b)?;
    if let Some(bias) = bias {
        y = by_channel(scope, Two::Add, &y, &bias)?;
    }
    if let Some(slopes) = slopes {
        y = two(scope, Two::PRelu, &y, &slopes)?;
    }
    y = match activation {
        Activation::None => y,
        Activation::Clip(least, most) if most.is_finite() => {
            clipped(scope, &y, least.into(), most.into())?
        }
        Activation::Clip(..) => one(scope, One::Relu, &y)?,
        Activation::Unary(function) => one(scope, function, &y)?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::BatchMatMul", matmul),
    row("TF::BatchMatMulV2", matmul),
    row("TF::BatchMatMulV3", matmul),
    row("TF::Einsum", crate::calls::einsum::einsum),
    row("TF::MatMul", matmul),
    row("TF::_FusedMatMul", matmul),
];
