use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "LayerNormalization",
    summary: "(x - mean) / deviation * weight + bias over groups (ONNX 17; arXiv:1607.06450)",
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
