use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{PANEL, WINOGRAD};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "WinogradWeights",
    summary: "weights of convolutions of 3 × 3 as those by fewer products read them",
};

/// What [`Conv`](crate::Conv) reads, `[1, panels, 9 * c, 8]`, as [`WinogradConv`](crate::WinogradConv)
/// does: `[16, panels, c, 8]`, in `f32`.
#[derive(Clone, Copy, Debug)]
pub struct WinogradWeights;

impl Operator for WinogradWeights {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [weights] = rules::operands(inputs)?;
        rules::dtype("the weights", weights, DType::F32)?;
        match rules::dims("the weights", weights)?[..] {
            [1, panels, steps, PANEL] if panels > 0 && steps > 0 && steps.is_multiple_of(9) => {
                Ok(vec![ValueType::fixed(DType::F32, &[WINOGRAD, panels, steps / 9, PANEL])])
            }
            ref other => Err(format!("{other:?} are no packed weights of nine taps")),
        }
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let [_, panels, channels, _] = *args.outputs[0].extents.dims() else {
            unreachable!("weights of four dimensions")
        };
        Work { units: panels, grain: 1, cost: 64 * channels * PANEL }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (weights, out) = (args.tensor(0), args.outputs[0]);
        let [_, _, channels, _] = *out.extents.dims() else { return };
        sidestage_kernels::winograd_weights(weights.f32s(), channels, units, &out.cells());
    }
}
