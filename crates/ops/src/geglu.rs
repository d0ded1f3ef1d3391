use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "GeGLU", summary: "gelu(gate) * up (Shazeer, 2020, arXiv:2002.05202)" };

/// `gelu(gate) * up` (the approximation with `tanh`) of two `f32` matrices `[rows, width]`.
#[derive(Debug)]
pub struct GeGlu;

impl Operator for GeGlu {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [gate, up] = rules::operands(inputs)?;
        rules::matrix("gate", gate)?;
        if gate != up {
            return Err("gate and up must have the same shape".into());
        }
        Ok(vec![gate.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 12 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        let (gate, up) = (args.tensor(0).f32s(), args.tensor(1).f32s());
        sidestage_kernels::gelu_glu(&gate[span.clone()], &up[span], out);
    }
}
