use super::reduce::reduced;
use super::softmax::along;
use super::{CallInfo, row, scalar};
use crate::{Binary, Cast, GatherElements, Unary, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Reduction, Unary as One};
use sidestage_tensor::DType;

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

/// Of `[n, c, …]` logarithms the wanted class's, negative and weighted (ONNX 13,
/// "NegativeLogLikelihoodLoss").
fn likelihood(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    target: &Traced,
    weight: Option<Traced>,
) -> Result<Traced, Stop> {
    let [n, _, ..] = *x.dims() else { return Err("x must have classes".into()) };
    let dtype = x.dtype();
    let target = match target.dtype() {
        DType::I64 => target.clone(),
        _ => scope.apply(Cast { to: DType::I64 }, std::slice::from_ref(target))?,
    };
    let dims: Vec<usize> =
        [n, 1].iter().chain(target.dims().get(1..).unwrap_or_default()).copied().collect();
    let ignored = match scope.int("ignore_index") {
        Some(index) => {
            let index = scope.list(&[index])?;
            let index = scope.view(&index, &[])?;
            Some(two(scope, Two::Equal, &target, &index)?)
        }
        None => None,
    };
    // What is ignored may be no class at all.
    let named = match &ignored {
        Some(ignored) => {
            let first = scalar(scope, DType::I64, 0.0)?;
            scope.apply(Where, &[ignored.clone(), first, target.clone()])?
        }
        None => target.clone(),
    };
    let one_each = scope.view(&named, &dims)?;
    let picked = scope.apply(GatherElements { axis: 1 }, &[x.clone(), one_each])?;
    let picked = scope.view(&picked, target.dims())?;
    let loss = scope.apply(Unary { function: One::Neg }, &[picked])?;
    let weights = match weight {
        Some(weight) => scope.apply(crate::Take { axis: 0 }, &[weight, named])?,
        None => {
            let one = scalar(scope, dtype, 1.0)?;
            super::expand(scope, &one, target.dims())?
        }
    };
    let weights = match ignored {
        Some(ignored) => {
            let zero = scalar(scope, dtype, 0.0)?;
            scope.apply(Where, &[ignored, zero, weights])?
        }
        None => weights,
    };
    let loss = two(scope, Two::Mul, &loss, &weights)?;
    let all: Vec<usize> = (0..loss.dims().len()).collect();
    match scope.text("reduction").unwrap_or("mean") {
        "none" => Ok(loss),
        "sum" => reduced(scope, &loss, &all, Reduction::Sum, false),
        _ => {
            let sum = reduced(scope, &loss, &all, Reduction::Sum, false)?;
            let weights = reduced(scope, &weights, &all, Reduction::Sum, false)?;
            two(scope, Two::Div, &sum, &weights)
        }
    }
}

fn negative_log_likelihood(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, target, weight) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let loss = likelihood(scope, &x, &target, weight)?;
    scope.give_tensor(0, loss);
    Ok(())
}

fn softmax_cross_entropy(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, target, weight) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    if x.dims().len() < 2 {
        return Err("x must have classes".into());
    }
    let logarithms = along(scope, &x, 1, true)?;
    let loss = likelihood(scope, &logarithms, &target, weight)?;
    scope.give_tensor(0, loss);
    scope.give_tensor(1, logarithms);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("NegativeLogLikelihoodLoss", negative_log_likelihood),
    row("SoftmaxCrossEntropyLoss", softmax_cross_entropy),
];
