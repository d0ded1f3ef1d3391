use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Softmax",
    summary: "rows whose exponentials add up to one, or their logarithm",
};

/// Of each row of an `f32` matrix `[rows, width]`.
#[derive(Debug)]
pub struct Softmax {
    /// Its logarithm.
    pub log: bool,
}

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, sidestage_tensor::DType::F32)?;
        rules::rank("x", x, 2)?;
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 12 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        let width = args.outputs[0].extents.inner().max(1);
        let x = args.tensor(0).f32s()[span].chunks_exact(width);
        let function =
            if self.log { sidestage_kernels::log_softmax } else { sidestage_kernels::softmax };
        x.zip(out.chunks_exact_mut(width)).for_each(|(x, out)| function(x, out));
    }
}
