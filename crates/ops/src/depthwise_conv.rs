use crate::conv::images;
use crate::{Finish, OpInfo};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Windows;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "DepthwiseConv", summary: "convolution of each channel by itself" };

/// `x[n, d, h, w, c]` convolved channel by channel with `weights[taps, c]`, in `f32`: channels last. The
/// taps are those of `[kd, kh, kw]`: TFLite's and TensorFlow's weights as they lie, where each channel
/// gives one.
#[derive(Clone, Debug)]
pub struct DepthwiseConv {
    /// How the windows lie.
    pub windows: Windows,
    /// What becomes of a sum.
    pub finish: Finish,
}

impl Operator for DepthwiseConv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weights) = self.finish.split(inputs)?;
        let ([.., channels], [n, d, h, w]) = images(x, &self.windows)?;
        let dims = [self.windows.taps(), channels];
        if *weights != ValueType::fixed(DType::F32, &dims) {
            return Err(format!("the weights must be {dims:?} of F32"));
        }
        self.finish.result(inputs, &[n, d, h, w, channels])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let out = args.outputs[0].extents;
        let [n, d, h, w, channels] = *out.dims() else { unreachable!("five dimensions") };
        // A line of windows. Each product loads more than those of a tile of a matrix.
        let cost = self.windows.taps().saturating_mul(2 * w * channels).max(1);
        Work { units: n * d * h, grain: 1, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weights) = (args.tensor(0), args.tensor(1));
        let conv = sidestage_kernels::Depthwise {
            windows: &self.windows,
            channels: x.extents.inner(),
            x: x.f32s(),
            before: 0,
            weights: weights.f32s(),
            epilogue: self.finish.epilogue(args),
            y: args.outputs[0].cells(),
        };
        sidestage_kernels::depthwise_lines(&conv, units);
    }
}
