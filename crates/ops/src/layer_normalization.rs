use crate::rows::rows;
use crate::{Binary, OpInfo, Reduce, Unary, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueId, ValueType, Work};
use sidestage_kernels::{Binary as Two, Reduction, Unary as One};
use sidestage_tensor::{DType, Tensor};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "LayerNormalization",
    summary: "(x - mean) / deviation * weight + bias over groups (ONNX 17; arXiv:1607.06450)",
};

pub(crate) const PASS: Pass = Pass {
    name: "layer-normalization",
    summary: "mean, difference, squares, root and quotient, with weight and bias, to one norm",
    rule,
};

/// Brings each group of `x[rows, width]` to mean 0 and variance 1, multiplies by the weight and
/// adds the bias, which may be missing. A group is a row, or one head of it; the weight may hold
/// one group or those of all heads.
#[derive(Debug)]
pub struct LayerNormalization {
    /// Values of a group.
    pub group: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Operator for LayerNormalization {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weight, bias) = match *inputs {
            [x, weight] => (x, weight, None),
            [x, weight, bias] => (x, weight, Some(bias)),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        let (_, width) = rules::matrix("x", x)?;
        rules::dtype("weight", weight, DType::F32)?;
        rules::rank("weight", weight, 1)?;
        let length = rules::width("weight", weight)?;
        rules::equal("the rest of the width by the weight's length", width % length, 0)?;
        rules::equal("the rest of the weight by a group", length % self.group.max(1), 0)?;
        if bias.is_some_and(|bias| bias != weight) {
            return Err("weight and bias must have the same shape".into());
        }
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 4 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        let (x, weight) = (args.tensor(0).f32s(), args.tensor(1).f32s());
        let bias = (args.inputs.len() > 2).then(|| args.tensor(2).f32s());
        let (group, epsilon) = (self.group.max(1), self.epsilon);
        sidestage_kernels::layer_norm(&x[span], group, weight, bias, epsilon, out);
    }
}

/// The two operands of a function of two elements.
pub(crate) fn operands(site: &Site<'_>, value: ValueId, function: Two) -> Option<[ValueId; 2]> {
    let (_, inputs) = site.made::<Binary>(value).filter(|(op, _)| op.function == function)?;
    inputs.try_into().ok()
}

/// The operand of a function of one element.
pub(crate) fn operand(site: &Site<'_>, value: ValueId, function: One) -> Option<ValueId> {
    let (_, inputs) = site.made::<Unary>(value).filter(|(op, _)| op.function == function)?;
    inputs.first().copied()
}

/// `x / sqrt(y)`, or `x * (1 / sqrt(y))`: x and y.
fn by_root(site: &Site<'_>, value: ValueId) -> Option<[ValueId; 2]> {
    let root = |value| operand(site, value, One::Sqrt);
    if let Some([x, by]) = operands(site, value, Two::Div) {
        return Some([x, root(by)?]);
    }
    let inverse = |value| {
        let one_by = || {
            let [one, by] = operands(site, value, Two::Div)?;
            (site.number(one)? == 1.0).then_some(by)
        };
        operand(site, value, One::Reciprocal).or_else(one_by).and_then(root)
    };
    let [a, b] = operands(site, value, Two::Mul)?;
    inverse(b).map(|y| [a, y]).or_else(|| inverse(a).map(|y| [b, y]))
}

/// The mean over the last dimensions of `x`, in a shape in which it is broadcast to them: how many
/// elements each is of.
fn mean_over(site: &Site<'_>, mean: ValueId, x: ValueId) -> Option<usize> {
    let (op, inputs) = site.made::<Reduce>(mean)?;
    let [_, width] = site.dims(inputs[0])?[..] else { return None };
    let (dims, of) = (site.dims(mean)?, site.dims(x)?);
    let spread = dims.len() == of.len()
        && (0..=dims.len()).any(|rows| {
            dims[..rows] == of[..rows]
                && dims[rows..].iter().all(|dim| *dim == 1)
                && of[rows..].iter().product::<usize>() == width
        });
    let whole = op.reduction == Reduction::Mean && site.root(inputs[0]) == site.root(x);
    (whole && spread && width > 1).then_some(width)
}

/// `x` by the root of the mean of its squares, with a little added: x, the width over which the mean
/// is, and what is added.
pub(crate) fn by_root_mean_square(
    site: &Site<'_>,
    value: ValueId,
) -> Option<(ValueId, usize, f32)> {
    let [x, sum] = by_root(site, value)?;
    let [a, b] = operands(site, sum, Two::Add)?;
    let (mean, epsilon) = match (site.number(a), site.number(b)) {
        (_, Some(epsilon)) => (a, epsilon),
        (Some(epsilon), _) => (b, epsilon),
        _ => return None,
    };
    let (_, inputs) = site.made::<Reduce>(mean)?;
    let squares = site.root(inputs[0]);
    let [a, b] = operands(site, squares, Two::Mul)?;
    if site.root(a) != site.root(x) || site.root(b) != site.root(x) {
        return None;
    }
    // The squares lie as x does, and have its shape: means of the one are over the same rows.
    if site.dims(squares) != site.dims(x) || site.ty(x).dtype != DType::F32 {
        return None;
    }
    Some((x, mean_over(site, mean, squares)?, epsilon))
}

/// `value` as rows of a width, and ones.
pub(crate) fn rows_and_ones(site: &mut Site<'_>, x: ValueId, width: usize) -> Option<[ValueId; 2]> {
    let all: usize = site.dims(x)?.iter().product();
    let rows = site.view(x, &[all.checked_div(width)?, width])?;
    let ones: Vec<u8> = std::iter::repeat_n(1.0_f32.to_le_bytes(), width).flatten().collect();
    let ones = site.constant(Tensor::new(DType::F32, &[width], &ones).ok()?);
    Some([rows, ones])
}

/// A norm with a weight of ones, or without a bias, and what it is multiplied with, or to be added: a
/// value for each element of a row. The norm's operands, and the other as a vector.
pub(crate) fn row_by_row<T: Operator>(
    site: &mut Site<'_>,
    function: Two,
) -> Option<(Vec<ValueId>, ValueId)> {
    let [a, b] = operands(site, site.output()?, function)?;
    let (norm, other) = if site.made::<T>(a).is_some() { (a, b) } else { (b, a) };
    let inputs = site.made::<T>(norm)?.1.to_vec();
    let width = site.dims(inputs[1])?.iter().product::<usize>();
    let of = site.dims(other)?;
    let all = site.dims(site.output()?)?;
    let inner = of.iter().skip_while(|dim| **dim == 1).count();
    let same = of.iter().product::<usize>() == width && all.ends_with(&of[of.len() - inner..]);
    if !same
        || site.dims(norm)? != all
        || !site.only_here(norm)
        || site.ty(other).dtype != DType::F32
    {
        return None;
    }
    Some((inputs, site.view(other, &[width])?))
}

/// Whether all of a value is known to be 1.
pub(crate) fn all_ones(site: &Site<'_>, value: ValueId) -> bool {
    let known = site.known(value);
    known.is_some_and(|known| known.elements::<f32>().iter().all(|one| *one == 1.0))
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    let of = |site: &Site<'_>, norm: ValueId| {
        let (op, _) = site.made::<LayerNormalization>(norm)?;
        Some((op.group, op.epsilon))
    };
    for function in [Two::Mul, Two::Add] {
        let Some((mut inputs, vector)) = row_by_row::<LayerNormalization>(site, function) else {
            continue;
        };
        let [a, b] = operands(site, site.output()?, function)?;
        let (group, epsilon) = of(site, a).or_else(|| of(site, b))?;
        // One weight for all heads, and nothing behind it.
        if site.dims(inputs[1])? != [group] || inputs.len() > 2 {
            return None;
        }
        if function == Two::Add {
            inputs.push(vector);
        } else if all_ones(site, inputs[1]) {
            inputs[1] = vector;
        } else {
            return None;
        }
        return Some(Made::new(LayerNormalization { group, epsilon }, inputs));
    }
    let (centered, group, epsilon) = by_root_mean_square(site, site.output()?)?;
    let [x, mean] = operands(site, centered, Two::Sub)?;
    if mean_over(site, mean, x)? != group || site.dims(x) != site.dims(centered) {
        return None;
    }
    let operands = rows_and_ones(site, x, group)?;
    Some(Made::new(LayerNormalization { group, epsilon }, operands))
}
