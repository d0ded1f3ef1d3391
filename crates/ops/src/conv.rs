#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Windows;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Conv", summary: "convolution of one to three dimensions, in groups" };

/// `x[n, c, d, h, w]` convolved with `weight[m, c / groups, kd, kh, kw]`, and `bias[m]` (which may be
/// missing), in `f32` (ONNX 11, "Conv").
#[derive(Debug)]
pub struct Conv {
    /// Groups of channels that do not meet.
    pub groups: usize,
    /// How the windows lie.
    pub windows: Windows,
}

impl Operator for Conv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weight, bias) = match *inputs {
            [x, weight] => (x, weight, None),
            [x, weight, bias] => (x, weight, Some(bias)),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        for (what, ty) in [("x", x), ("the weight", weight)] {
            rules::dtype(what, ty, DType::F32)?;
            rules::rank(what, ty, 5)?;
        }
        let (x, weight) = (rules::dims("x", x)?, rules::dims("the weight", weight)?);
        if x[2..] != self.windows.input || weight[2..] != self.windows.kernel {
            return Err("the windows are those of other operands".into());
        }
        let whole = |count: usize| self.groups > 0 && count.is_multiple_of(self.groups);
        if !whole(x[1]) || !whole(weight[0]) || weight[1] * self.groups != x[1] {
            return Err(format!(
                "{} channels, weights of {weight:?}, {} groups",
                x[1], self.groups
            ));
        }
        if let Some(bias) = bias {
            rules::dtype("the bias", bias, DType::F32)?;
            rules::rank("the bias", bias, 1)?;
            rules::equal("the bias's length", rules::dims("the bias", bias)?[0], weight[0])?;
        }
        let [d, h, w] = self.windows.output;
        Ok(vec![ValueType::fixed(DType::F32, &[x[0], weight[0], d, h, w])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let taps: usize = args.tensor(1).extents.dims()[1..].iter().product();
        let out = args.outputs[0].extents;
        Work { units: out.rows(), grain: 1, cost: taps * out.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weight, out) = (args.tensor(0), args.tensor(1), args.outputs[0].cells::<f32>());
        let bias = (args.inputs.len() > 2).then(|| args.tensor(2).f32s());
        let (channels, all) = (weight.extents.dims()[0], x.extents.dims()[1]);
        let per_group = channels / self.groups;
        let (x, weight) = (x.f32s(), weight.f32s());
        let taps = weight.len() / channels.max(1);
        let [depth, height, width] = self.windows.output;
        let inputs = self.windows.inputs();
        for unit in units {
            let (row, channel) = (unit % (depth * height), unit / (depth * height));
            let (image, channel) = (channel / channels, channel % channels);
            let group = channel / per_group;
            let from = (image * all + group * (all / self.groups)) * inputs;
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.part(unit * width..(unit + 1) * width) };
            sidestage_kernels::convolve_row(
                &self.windows,
                (row / height, row % height),
                &x[from..from + all / self.groups * inputs],
                &weight[channel * taps..][..taps],
                bias.map_or(0.0, |bias| bias[channel]),
                cells,
            );
        }
    }
}
