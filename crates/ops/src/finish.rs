//! What stands behind a product or a convolution becomes a part of it.

use crate::layer_normalization::operands;
use crate::{Binary, Conv, DepthwiseConv, Finish, Gemm, Unary};
use sidestage_ir::{Made, Pass, Site, ValueId};
use sidestage_kernels::{Activation, Binary as Two, PANEL, Unary as One};
use sidestage_tensor::{DType, Tensor};

pub(crate) const PASS: Pass = Pass {
    name: "finish",
    summary: "factors, biases, sums and activations behind products and convolutions, into them",
    rule,
};

/// An operator with a [`Finish`].
#[derive(Clone)]
enum Product {
    Gemm(Gemm),
    Conv(Conv),
    Depthwise(DepthwiseConv),
}

impl Product {
    /// What makes a value that nobody else reads, and its operands.
    fn of(site: &Site<'_>, value: ValueId) -> Option<(Self, Vec<ValueId>)> {
        if !site.only_here(value) {
            return None;
        }
        if let Some((op, inputs)) = site.made::<Gemm>(value) {
            return Some((Self::Gemm(op.clone()), inputs.to_vec()));
        }
        if let Some((op, inputs)) = site.made::<Conv>(value) {
            return Some((Self::Conv(op.clone()), inputs.to_vec()));
        }
        let (op, inputs) = site.made::<DepthwiseConv>(value)?;
        Some((Self::Depthwise(op.clone()), inputs.to_vec()))
    }

    fn finish(&mut self) -> &mut Finish {
        match self {
            Self::Gemm(op) => &mut op.finish,
            Self::Conv(op) => &mut op.finish,
            Self::Depthwise(op) => &mut op.finish,
        }
    }

    fn made(self, inputs: Vec<ValueId>) -> Made {
        match self {
            Self::Gemm(op) => Made::new(op, inputs),
            Self::Conv(op) => Made::new(op, inputs),
            Self::Depthwise(op) => Made::new(op, inputs),
        }
    }
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    if let Some(unary) = site.op::<Unary>() {
        let function = unary.function;
        let (mut product, inputs) = Product::of(site, site.inputs()[0])?;
        let finish = product.finish();
        if finish.activation != Activation::None || finish.slopes {
            return None;
        }
        finish.activation = match function {
            One::Relu => Activation::Clip(0.0, f32::INFINITY),
            function => Activation::Unary(function),
        };
        return Some(product.made(inputs));
    }
    let function = site.op::<Binary>()?.function;
    let [a, b] = operands(site, site.output()?, function)?;
    let made = behind(site, function, a, b);
    // The slopes of a product are no product's.
    if function == Two::PRelu { made } else { made.or_else(|| behind(site, function, b, a)) }
}

/// A function of a product and something else.
fn behind(site: &mut Site<'_>, function: Two, of: ValueId, other: ValueId) -> Option<Made> {
    let output = site.output()?;
    let (mut product, mut inputs) = Product::of(site, of)?;
    let all = site.dims(output)?;
    let (whole, root) = (site.dims(of)?, site.root(of));
    if whole != all || site.ty(other).dtype != DType::F32 || site.root(other) == root {
        return None;
    }
    let result = site.dims(root)?;
    let columns = *result.last()?;
    let vector = vector(site, other, &all, columns);
    let finish = product.finish();
    let plain = finish.activation == Activation::None && !finish.slopes;
    match function {
        Two::Add if plain && site.dims(other)? == all && !finish.add && vector.is_none() => {
            finish.add = true;
            inputs.push(site.view(other, &result)?);
        }
        Two::Add if plain && !finish.add => {
            let vector = vector?;
            let more = if finish.bias { sum(site, inputs[2], vector)? } else { vector };
            if finish.bias {
                inputs[2] = more;
            } else {
                finish.bias = true;
                inputs.insert(2, more);
            }
        }
        Two::Mul if plain && !finish.add => {
            let factors = site.known(vector?)?;
            let biased = finish.bias;
            inputs[1] = scaled(site, &product, inputs[1], factors.elements())?;
            if biased {
                inputs[2] = times(site, inputs[2], vector?)?;
            }
        }
        Two::PRelu if plain => {
            finish.slopes = true;
            let at = 2 + usize::from(finish.bias);
            inputs.insert(at, vector?);
        }
        Two::Max | Two::Min if !finish.slopes => {
            let limit = site.number(other)?;
            let (least, most) = match finish.activation {
                Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
                Activation::Clip(least, most) => (least, most),
                Activation::Unary(_) => return None,
            };
            // As one limit after the other: the last one counts, if they cross.
            finish.activation = match function {
                Two::Max if limit <= most => Activation::Clip(least.max(limit), most),
                Two::Min if limit >= least => Activation::Clip(least, most.min(limit)),
                _ => return None,
            };
        }
        _ => return None,
    }
    Some(product.made(inputs))
}

/// A value for each column of a result of these dimensions, or one for all of which the number is known.
pub(crate) fn vector(
    site: &mut Site<'_>,
    of: ValueId,
    all: &[usize],
    columns: usize,
) -> Option<ValueId> {
    if let Some(number) = site.number(of) {
        let bytes: Vec<u8> = number.to_le_bytes().repeat(columns);
        return Some(site.constant(Tensor::new(DType::F32, &[columns], &bytes).ok()?));
    }
    let dims = site.dims(of)?;
    let inner = dims.iter().skip_while(|dim| **dim == 1).count();
    let fits = all.last() == Some(&columns) && dims[dims.len() - inner..] == [columns];
    fits.then(|| site.view(of, &[columns])).flatten()
}

fn sum(site: &mut Site<'_>, a: ValueId, b: ValueId) -> Option<ValueId> {
    site.folded(&Binary { function: Two::Add }, &[a, b])
}

fn times(site: &mut Site<'_>, a: ValueId, b: ValueId) -> Option<ValueId> {
    site.folded(&Binary { function: Two::Mul }, &[a, b])
}

/// Known weights, each column multiplied by its factor.
fn scaled(
    site: &mut Site<'_>,
    product: &Product,
    weights: ValueId,
    factors: &[f32],
) -> Option<ValueId> {
    let dims = site.dims(weights)?;
    let (groups, panels) = match (product, dims.as_slice()) {
        (Product::Depthwise(_), _) => {
            let bytes: Vec<u8> = factors.iter().flat_map(|factor| factor.to_le_bytes()).collect();
            let factors = Tensor::new(DType::F32, &[factors.len()], &bytes).ok()?;
            let factors = site.constant(factors);
            return times(site, weights, factors);
        }
        (Product::Conv(op), [groups, panels, _, PANEL]) if op.groups == *groups => {
            (*groups, *panels)
        }
        (Product::Gemm(_), [one @ .., panels, _, PANEL]) if one.iter().all(|dim| *dim == 1) => {
            (1, *panels)
        }
        _ => return None,
    };
    // In the places where the columns lie.
    let each = factors.len().checked_div(groups)?;
    let mut packed = vec![0.0_f32; groups * panels * PANEL];
    for (to, from) in packed.chunks_mut(panels * PANEL).zip(factors.chunks(each.max(1))) {
        to.get_mut(..from.len())?.copy_from_slice(from);
    }
    let bytes: Vec<u8> = packed.iter().flat_map(|factor| factor.to_le_bytes()).collect();
    let factors = Tensor::new(DType::F32, &[groups, panels, 1, PANEL], &bytes).ok()?;
    let factors = site.constant(factors);
    let shaped = site.view(factors, &[&dims[..dims.len() - 3], &[panels, 1, PANEL]].concat())?;
    times(site, weights, shaped)
}
