#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{PANEL, panels};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "ConvWeights",
    summary: "weights of convolutions from ONNX's order to that in which they are read",
};

/// `weights[m, c / groups, taps]` in `f32` as [`Conv`](crate::Conv) reads them,
/// `[groups, panels, taps * c / groups, 8]`; those of a channel each as
/// [`DepthwiseConv`](crate::DepthwiseConv) does, `[taps, m]`. Where they are known a trace does it once.
#[derive(Clone, Copy, Debug)]
pub struct ConvWeights {
    /// Groups of channels that do not meet.
    pub groups: usize,
}

impl ConvWeights {
    /// Whether weights of these dimensions are those of channels by themselves.
    pub(crate) fn depthwise(self, outputs: usize, per: usize) -> bool {
        per == 1 && self.groups == outputs
    }
}

impl Operator for ConvWeights {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [weights] = rules::operands(inputs)?;
        rules::dtype("the weights", weights, DType::F32)?;
        let dims = rules::dims("the weights", weights)?;
        let [outputs, per, taps] = dims[..] else {
            return Err("the weights must have three dimensions".into());
        };
        if self.groups == 0 || !outputs.is_multiple_of(self.groups) {
            return Err(format!("{outputs} outputs in {} groups", self.groups));
        }
        let steps = taps.checked_mul(per).ok_or("weights that are too large")?;
        let packed = [self.groups, panels(outputs / self.groups), steps, PANEL];
        let dims = if self.depthwise(outputs, per) { &[taps, outputs][..] } else { &packed };
        Ok(vec![ValueType::fixed(DType::F32, dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let out = args.outputs[0].extents;
        match *out.dims() {
            // Panels.
            [groups, panels, steps, _] => {
                Work { units: groups * panels, grain: 1, cost: (4 * steps * PANEL).max(1) }
            }
            _ => Work { units: out.rows(), grain: 1, cost: 4 * out.inner().max(1) },
        }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (weights, out) = (args.tensor(0), args.outputs[0]);
        let [outputs, per, taps] = *weights.extents.dims() else { return };
        let (weights, cells) = (weights.f32s(), out.cells::<f32>());
        for unit in units {
            if self.depthwise(outputs, per) {
                // SAFETY: units are whole rows, and no two threads have the same.
                let row = unsafe { cells.part(unit * outputs..(unit + 1) * outputs) };
                row.iter_mut()
                    .zip(weights[unit..].iter().step_by(taps))
                    .for_each(|(to, from)| *to = *from);
                continue;
            }
            let (n, size) = (outputs / self.groups, taps * per);
            let (group, panel) = (unit / panels(n), unit % panels(n));
            // SAFETY: units are whole panels, and no two threads have the same.
            let part = unsafe { cells.part(unit * size * PANEL..(unit + 1) * size * PANEL) };
            let weights = &weights[group * n * size..][..n * size];
            sidestage_kernels::pack_taps(weights, (n, per, taps), panel..panel + 1, part);
        }
    }
}
