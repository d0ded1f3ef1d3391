use crate::layer_normalization::{
    all_ones, by_root_mean_square, operands, row_by_row, rows_and_ones,
};
use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueType, Work};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "RMSNormalization",
    summary: "x / rms(x) * weight over groups of the weight's length (ONNX 23)",
};

pub(crate) const PASS: Pass = Pass {
    name: "rms-normalization",
    summary: "squares, mean, root and quotient, with a weight, to one norm",
    rule,
};

/// Divides each group of `weight.len()` values of `x[rows, width]` by its root mean square and
/// multiplies by the weight. A group is a row, or one head of it.
#[derive(Debug)]
pub struct RmsNormalization {
    /// Added to the mean square.
    pub epsilon: f32,
}

impl Operator for RmsNormalization {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, weight] = rules::operands(inputs)?;
        let (_, width) = rules::matrix("x", x)?;
        rules::dtype("weight", weight, DType::F32)?;
        rules::rank("weight", weight, 1)?;
        let group = rules::width("weight", weight)?;
        rules::equal("the rest of the width by the weight's length", width % group, 0)?;
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 3 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        let (x, weight) = (args.tensor(0).f32s(), args.tensor(1).f32s());
        sidestage_kernels::rms_norm(&x[span], weight, self.epsilon, out);
    }
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    if let Some((mut inputs, vector)) = row_by_row::<RmsNormalization>(site, Two::Mul) {
        let [a, b] = operands(site, site.output()?, Two::Mul)?;
        let of = |value| Some(site.made::<RmsNormalization>(value)?.0.epsilon);
        let epsilon = of(a).or_else(|| of(b))?;
        if !all_ones(site, inputs[1]) {
            return None;
        }
        inputs[1] = vector;
        return Some(Made::new(RmsNormalization { epsilon }, inputs));
    }
    let (x, width, epsilon) = by_root_mean_square(site, site.output()?)?;
    let operands = rows_and_ones(site, x, width)?;
    Some(Made::new(RmsNormalization { epsilon }, operands))
}
