//! Functions of integers with scales: each operand as numbers, the function, the result as integers.

use super::super::pool::{average, pooled};
use super::super::quantize::{dequantized, quantized, single};
use super::super::reduce::reduced;
use super::super::softmax::versioned;
use super::{CallInfo, Two, axis, joined, row, transpose, two};
use crate::{QLinearBinary, Unary};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Arithmetic, Reduction, Requantize, Unary as One};
use sidestage_tensor::DType;

/// One number, in whatever shape it comes.
fn number(scope: &mut Scope<'_, '_>, index: usize) -> Result<Option<Traced>, Stop> {
    let Some(of) = scope.optional_tensor(index)? else { return Ok(None) };
    scope.view(&of, &[]).map(Some)
}

/// The operand at `index` as numbers; scale and zero point are the next two.
fn taken(scope: &mut Scope<'_, '_>, index: usize) -> Result<(Traced, DType), Stop> {
    let x = scope.tensor(index)?;
    let scale = number(scope, index + 1)?.ok_or("a scale is missing")?;
    let zero = number(scope, index + 2)?;
    Ok((dequantized(scope, &x, &scale, zero.as_ref())?, x.dtype()))
}

/// Gives numbers as integers; their scale and zero point are the operands from `index` on.
fn give(scope: &mut Scope<'_, '_>, y: &Traced, index: usize, dtype: DType) -> Result<(), Stop> {
    let scale = number(scope, index)?.ok_or("the result's scale is missing")?;
    let zero = number(scope, index + 1)?;
    let dtype = zero.as_ref().map_or(dtype, |zero| zero.dtype());
    let y = quantized(scope, y, &scale, zero.as_ref(), dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The same of bytes of one type, whose scales are known.
fn of_bytes(scope: &mut Scope<'_, '_>, function: Two) -> Result<Option<Traced>, Stop> {
    let (a, b) = (scope.tensor(0)?, scope.tensor(3)?);
    let function = match function {
        Two::Add => Arithmetic::Sum,
        Two::Mul => Arithmetic::Product,
        _ => return Ok(None),
    };
    let mut known = Vec::new();
    for index in [0, 3, 6] {
        let scale = scope.optional_tensor(index + usize::from(index < 6))?;
        let zero = scope.optional_tensor(index + 1 + usize::from(index < 6))?;
        let Some(zero) = zero.filter(|zero| zero.dtype() == a.dtype()) else { return Ok(None) };
        let Some(one) = scale.and_then(|scale| single(&scale, &zero)) else { return Ok(None) };
        known.push(one);
    }
    let limits = match a.dtype() {
        DType::I8 => [-128, 127],
        DType::U8 => [0, 255],
        _ => return Ok(None),
    };
    let &[first, second, (scale, zero)] = &known[..] else { return Ok(None) };
    if b.dtype() != a.dtype() {
        return Ok(None);
    }
    let to = Requantize::new(vec![1.0], zero, limits, a.dtype() == DType::I8);
    let op = QLinearBinary { function, operands: [first, second], scale, to };
    scope.apply(op, &[a, b]).map(Some)
}

fn of_two(scope: &mut Scope<'_, '_>, function: Two) -> Result<(), Stop> {
    if let Some(y) = of_bytes(scope, function)? {
        scope.give_tensor(0, y);
        return Ok(());
    }
    let ((a, dtype), (b, _)) = (taken(scope, 0)?, taken(scope, 3)?);
    let y = two(scope, function, &a, &b)?;
    give(scope, &y, 6, dtype)
}

fn of_one(scope: &mut Scope<'_, '_>, function: One) -> Result<(), Stop> {
    let (x, dtype) = taken(scope, 0)?;
    let y = scope.apply(Unary { function }, &[x])?;
    give(scope, &y, 3, dtype)
}

fn softmax(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, dtype) = taken(scope, 0)?;
    let version = scope.int("opset").ok_or("opset is missing")?;
    let y = versioned(scope, &x, version, false)?;
    give(scope, &y, 3, dtype)
}

fn concat(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut parts = Vec::new();
    for index in (2..scope.count()).step_by(3) {
        parts.push(taken(scope, index)?);
    }
    let &[(ref first, dtype), ..] = &parts[..] else { return Err("there are no operands".into()) };
    let axis = axis(scope.int("axis").ok_or("the axis is missing")?, first.dims().len())?;
    let parts: Vec<Traced> = parts.into_iter().map(|(part, _)| part).collect();
    let y = joined(scope, &parts, axis)?;
    give(scope, &y, 0, dtype)
}

fn average_pool(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (mut x, dtype) = taken(scope, 0)?;
    let (rank, last) = (x.dims().len(), scope.int("channels_last") == Some(1));
    if rank < 3 {
        return Err(Stop::Refused(format!("x of {:?}", x.dims())));
    }
    if last {
        let order: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
        x = transpose(scope, &x, &order)?;
    }
    let mut y = pooled(scope, &x, false, average)?.swap_remove(0);
    if last {
        let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
        y = transpose(scope, &y, &order)?;
    }
    give(scope, &y, 3, dtype)
}

fn global_average_pool(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, dtype) = taken(scope, 0)?;
    let rank = x.dims().len();
    if rank < 3 {
        return Err(Stop::Refused(format!("x of {:?}", x.dims())));
    }
    let over = if scope.int("channels_last") == Some(1) { 1..rank - 1 } else { 2..rank };
    let y = reduced(scope, &x, &over.collect::<Vec<_>>(), Reduction::Mean, true)?;
    give(scope, &y, 3, dtype)
}

pub(crate) const CALLS: &[CallInfo] = &[
    row("com.microsoft::QLinearAdd", |scope| of_two(scope, Two::Add)),
    row("com.microsoft::QLinearAveragePool", average_pool),
    row("com.microsoft::QLinearConcat", concat),
    row("com.microsoft::QLinearGlobalAveragePool", global_average_pool),
    row("com.microsoft::QLinearLeakyRelu", |scope| {
        of_one(scope, One::LeakyRelu(scope.float("alpha").unwrap_or(0.01)))
    }),
    row("com.microsoft::QLinearMul", |scope| of_two(scope, Two::Mul)),
    row("com.microsoft::QLinearSigmoid", |scope| of_one(scope, One::Sigmoid)),
    row("com.microsoft::QLinearSoftmax", softmax),
];
