//! Norms, of simpler operators.

use super::reduce::reduced;
use super::{CallInfo, axis, row, scalar};
use crate::{Binary, Unary};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Reduction, Unary as One};

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

/// `1 / sqrt(x + epsilon)`, with epsilon an attribute.
fn inverse_root(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let epsilon = scope.float("epsilon").unwrap_or(1e-5);
    let epsilon = scalar(scope, x.dtype(), epsilon.into())?;
    let sum = two(scope, Two::Add, x, &epsilon)?;
    let root = scope.apply(Unary { function: One::Sqrt }, &[sum])?;
    scope.apply(Unary { function: One::Reciprocal }, &[root])
}

/// A vector of channels, to be broadcast over `[n, c, …]`.
fn channels(scope: &mut Scope<'_, '_>, of: &Traced, rank: usize) -> Result<Traced, Stop> {
    let mut dims = vec![1; rank.saturating_sub(1)];
    if let Some(first) = dims.first_mut() {
        *first = of.dims().iter().product();
    }
    scope.view(of, &dims)
}

fn batch(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    if scope.int("training_mode") == Some(1) {
        return Err("training is not supported".into());
    }
    let x = scope.tensor(0)?;
    let (weight, bias) = (scope.tensor(1)?, scope.tensor(2)?);
    let (mean, variance) = (scope.tensor(3)?, scope.tensor(4)?);
    let root = inverse_root(scope, &variance)?;
    let factor = two(scope, Two::Mul, &weight, &root)?;
    let shift = two(scope, Two::Mul, &mean, &factor)?;
    let shift = two(scope, Two::Sub, &bias, &shift)?;
    let rank = x.dims().len();
    let (factor, shift) = (channels(scope, &factor, rank)?, channels(scope, &shift, rank)?);
    let y = two(scope, Two::Mul, &x, &factor)?;
    let y = two(scope, Two::Add, &y, &shift)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `(x - mean) / sqrt(variance + epsilon)` over some axes, and mean and inverse root.
fn standard(scope: &mut Scope<'_, '_>, x: &Traced, over: &[usize]) -> Result<[Traced; 3], Stop> {
    let mean = reduced(scope, x, over, Reduction::Mean, true)?;
    let centered = two(scope, Two::Sub, x, &mean)?;
    let squares = two(scope, Two::Mul, &centered, &centered)?;
    let variance = reduced(scope, &squares, over, Reduction::Mean, true)?;
    let root = inverse_root(scope, &variance)?;
    Ok([two(scope, Two::Mul, &centered, &root)?, mean, root])
}

fn layer(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let over: Vec<usize> = (axis(scope.int("axis").unwrap_or(-1), rank)?..rank).collect();
    let [mut y, mean, root] = standard(scope, &x, &over)?;
    let weight = scope.tensor(1)?;
    y = two(scope, Two::Mul, &y, &weight)?;
    if let Some(bias) = scope.optional_tensor(2)? {
        y = two(scope, Two::Add, &y, &bias)?;
    }
    [y, mean, root].into_iter().enumerate().for_each(|(index, one)| scope.give_tensor(index, one));
    Ok(())
}

fn rms(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let over: Vec<usize> = (axis(scope.int("axis").unwrap_or(-1), rank)?..rank).collect();
    let squares = two(scope, Two::Mul, &x, &x)?;
    let mean = reduced(scope, &squares, &over, Reduction::Mean, true)?;
    let root = inverse_root(scope, &mean)?;
    let y = two(scope, Two::Mul, &x, &root)?;
    let weight = scope.tensor(1)?;
    let y = two(scope, Two::Mul, &y, &weight)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn instance(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let over: Vec<usize> = (2..rank).collect();
    let [y, ..] = standard(scope, &x, &over)?;
    let (weight, bias) = (scope.tensor(1)?, scope.tensor(2)?);
    let (weight, bias) = (channels(scope, &weight, rank)?, channels(scope, &bias, rank)?);
    let y = two(scope, Two::Mul, &y, &weight)?;
    let y = two(scope, Two::Add, &y, &bias)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("BatchNormalization", batch),
    row("InstanceNormalization", instance),
    row("LayerNormalization", layer),
    row("RMSNormalization", rms),
];
