use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "CombineExperts", summary: "the experts' results times their weights, summed" };

/// The sum of the parts of `x[rows, used * width]`, each times its weight in `weights[rows, used]`:
/// `[rows, width]`.
#[derive(Debug)]
pub struct CombineExperts;

impl Operator for CombineExperts {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, weights] = rules::operands(inputs)?;
        let (rows, width) = rules::matrix("x", x)?;
        let (weight_rows, used) = rules::matrix("weights", weights)?;
        rules::equal("the rest of the width by the weights", width % used, 0)?;
        if rows != weight_rows {
            return Err("x and weights must have the same rows".into());
        }
        Ok(vec![ValueType::new(DType::F32, [rows, Dim::Fixed(width / used)])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.tensor(0).extents;
        Work { units: extents.rows(), grain: 1, cost: 2 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weights) = (args.tensor(0), args.tensor(1));
        let (width, used) = (x.extents.inner(), weights.extents.inner());
        for unit in units {
            let (_, out) = rows::<f32>(args, unit..unit + 1);
            let parts = &x.f32s()[unit * width..(unit + 1) * width];
            let weights = &weights.f32s()[unit * used..(unit + 1) * used];
            sidestage_kernels::weighted_sum(parts, weights, out);
        }
    }
}
