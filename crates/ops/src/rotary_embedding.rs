use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
pub use sidestage_kernels::RopeStyle;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "RotaryEmbedding",
    summary: "rotates pairs of each head by its position (ONNX 23; Su et al., arXiv:2104.09864)",
};

/// Rotates the first `2 * pairs` values of each head of `x[rows, heads * head_dim]` by
/// `angles[rows, 2 * pairs]` of [`crate::RotaryAngles`]; the rest of a head is copied.
#[derive(Debug)]
pub struct RotaryEmbedding {
    /// Values of one head.
    pub head_dim: usize,
    /// Which values are a pair.
    pub style: RopeStyle,
}

impl Operator for RotaryEmbedding {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, angles] = rules::operands(inputs)?;
        let (rows, width) = rules::matrix("x", x)?;
        let (angle_rows, angle_width) = rules::matrix("angles", angles)?;
        rules::equal("the rest of the width by the head", width % self.head_dim.max(1), 0)?;
        if angle_width > self.head_dim || angle_width % 2 != 0 {
            return Err(format!(
                "{angle_width} values cannot be rotated in a head of {}",
                self.head_dim
            ));
        }
        if rows != angle_rows {
            return Err("x and angles must have the same rows".into());
        }
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 4 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, angles) = (args.tensor(0).f32s(), args.tensor(1));
        let rotated = angles.extents.inner();
        for unit in units {
            let (span, out) = rows::<f32>(args, unit..unit + 1);
            out.copy_from_slice(&x[span]);
            let row = &angles.f32s()[unit * rotated..(unit + 1) * rotated];
            let (cos, sin) = row.split_at(rotated / 2);
            sidestage_kernels::rope(out, self.head_dim, rotated, cos, sin, self.style);
        }
    }
}
