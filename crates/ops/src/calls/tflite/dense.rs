//! Products of matrices.

use super::conv::{exact, scales};
use super::{activated, activation, cast, float, give, hybrid, optional_float, real, two};
use crate::calls::matmul::matmul;
use crate::calls::{CallInfo, row, transpose};
use crate::{Finish, Gemm, Pack};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Windows};
use sidestage_tensor::DType;

/// `x[…, k]` times the transposed `weight[m, k]`.
fn fully_connected(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let &[m, k] = weight.dims() else {
        return Err(Stop::Refused(format!("weights of {:?}", weight.dims())));
    };
    if scope.int("weights_format").is_some_and(|format| format != 0) {
        return Err("weights in another order than rows".into());
    }
    let all: usize = x.dims().iter().product();
    let rows = all.checked_div(k).filter(|rows| rows * k == all);
    let rows = rows.ok_or_else(|| Stop::Refused(format!("{:?} in rows of {k}", x.dims())))?;
    let mut dims = vec![rows, m];
    if scope.int("keep_num_dims") == Some(1) && x.dims().last() == Some(&k) {
        dims = x.dims()[..x.dims().len() - 1].to_vec();
        dims.push(m);
    }
    if let Some(scales) = scales(scope, 0, 1)? {
        // A convolution of places of one element.
        let x = scope.view(&x, &[rows, 1, 1, k])?;
        let weight = scope.view(&weight, &[m, 1, 1, k])?;
        let bias = scope.optional_tensor(2)?;
        let one = [1; 3];
        let windows = Windows {
            input: one,
            output: one,
            kernel: one,
            stride: one,
            dilation: one,
            pad: [0; 3],
        };
        let y = exact(scope, [&x, &weight], bias, &scales, (windows, [1; 2], 1))?;
        let y = scope.view(&y, &dims)?;
        scope.give_tensor(0, y);
        return Ok(());
    }
    let of_weights = hybrid::weights(scope, 0, 1)?;
    let x = float(scope, 0)?;
    let mut x = scope.view(&x, &[rows, k])?;
    let mut scale = None;
    let weight = match &of_weights {
        None => float(scope, 1)?,
        Some(_) => {
            let both = scope.int("asymmetric_quantize_inputs") == Some(1);
            let [values, each] = hybrid::levels(scope, &x, rows, both)?;
            (x, scale) = (values, Some(each));
            cast(scope, &weight, DType::F32)?
        }
    };
    let activation = activation(scope)?;
    let mut bias = optional_float(scope, 2)?;
    if let Some(bias) = &mut bias {
        *bias = scope.view(bias, &[m])?;
    }
    let weight = scope.apply(Pack { transposed: true }, &[weight])?;
    let Some((of, scale)) = of_weights.zip(scale) else {
        let finish = Finish { bias: bias.is_some(), activation, ..Finish::default() };
        let operands: Vec<Traced> = [x, weight].into_iter().chain(bias).collect();
        let y = scope.apply(Gemm { n: m, finish }, &operands)?;
        let y = scope.view(&y, &dims)?;
        return give(scope, 0, y);
    };
    let y = scope.apply(Gemm { n: m, finish: Finish::default() }, &[x, weight])?;
    let mut y = hybrid::numbers(scope, &y, &scale, &of)?;
    if let Some(bias) = bias {
        y = two(scope, Two::Add, &y, &bias)?;
    }
    let y = scope.view(&y, &dims)?;
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

/// Matrices, each perhaps transposed; the dimensions before them are broadcast.
fn batch_matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut sides = [real(scope, 0)?, real(scope, 1)?];
    for (side, name) in sides.iter_mut().zip(["adj_x", "adj_y"]) {
        let rank = side.dims().len();
        if rank < 2 {
            return Err(Stop::Refused(format!("{:?} is no matrix", side.dims())));
        }
        if scope.int(name) == Some(1) {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rank - 1, rank - 2);
            *side = transpose(scope, side, &order)?;
        }
    }
    let dtype = sides[0].dtype();
    if sides[1].dtype() != dtype {
        sides[1] = cast(scope, &sides[1], dtype)?;
    }
    let wanted = super::result_type(scope, 0).unwrap_or(dtype);
    if dtype == DType::I8 {
        for side in &mut sides {
            *side = cast(scope, side, wanted)?;
        }
    }
    let y = matmul(scope, &sides[0], &sides[1])?;
    give(scope, 0, y)
}

pub(in crate::calls) const CALLS: &[CallInfo] =
    &[row("TFLITE::BATCH_MATMUL", batch_matmul), row("TFLITE::FULLY_CONNECTED", fully_connected)];
