use crate::{OpInfo, ToBytes, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{DepthwiseInt8, Windows, depthwise_int8};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "DepthwiseQLinearConv",
    summary: "convolution of bytes with scales, each channel by itself",
};

/// `x[n, d, h, w, c]` of bytes, convolved channel by channel and rounded to the result's unit, as
/// [`QLinearConv`](crate::QLinearConv) does. The weights, whose zero is that of packed ones, are
/// what [`PackTaps`](crate::PackTaps) makes of `[taps, c]`. A bias of `i32`, a value for each channel, may
/// follow.
#[derive(Clone, Debug)]
pub struct DepthwiseQLinearConv {
    /// How the windows lie: see [`DepthwiseQLinearConv::takes`].
    pub windows: Windows,
    /// What becomes of a sum.
    pub to: ToBytes,
}

impl DepthwiseQLinearConv {
    /// Whether windows lie so that there is a kernel for them: of elements side by side in a line, and
    /// not far apart.
    pub fn takes(windows: &Windows) -> bool {
        let near = windows.stride[2] <= DepthwiseInt8::FURTHEST;
        near && windows.dilation[2] == 1 && !windows.kernel.contains(&0)
    }
}

/// Most lines of windows that are cut by channels: few lines are no even shares, and each share reads all
/// weights of its channels. With two threads 7 by 7 by 960 takes 33 µs for 75, 14 by 14 by 576 62 for 94.
const LINES: usize = 14;

/// Channels of a share then: two tiles.
const PART: usize = 2 * DepthwiseInt8::CHANNELS;

impl DepthwiseQLinearConv {
    /// Lines of windows, windows of each, and channels.
    fn lines(&self, args: &Args<'_>) -> [usize; 3] {
        let out = args.outputs[0].extents;
        let [n, d, h, w, channels] = *out.dims() else { unreachable!("five dimensions") };
        [n * d * h, w, channels]
    }

    /// In how many parts the channels are cut; 1: the lines are.
    fn parts(&self, args: &Args<'_>) -> usize {
        let [lines, _, channels] = self.lines(args);
        let whole = (1..=LINES).contains(&lines) && channels.is_multiple_of(PART);
        if whole { (channels / PART).max(1) } else { 1 }
    }
}

impl Operator for DepthwiseQLinearConv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let channels = inputs.first().and_then(|x| x.inner()).unwrap_or(0);
        let [n, ..] = self.to.images(inputs, &self.windows, channels)?;
        if !Self::takes(&self.windows) {
            return Err("windows that lie too far apart".into());
        }
        let [rows, room] = DepthwiseInt8::packed(self.windows.kernel, channels);
        let dims = [rows, room, 4];
        rules::dtype("the weights", inputs[1], DType::I8)?;
        if *inputs[1] != ValueType::fixed(DType::I8, &dims) {
            return Err(format!("the weights must be packed as {dims:?}"));
        }
        let [d, h, w] = self.windows.output;
        Ok(vec![ValueType::fixed(inputs[0].dtype, &[n, d, h, w, channels])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let [lines, w, channels] = self.lines(args);
        // A line of windows: products, and what is done once for each element.
        let cost = (self.windows.taps() / 4 + 4).saturating_mul(w * channels).max(1);
        match self.parts(args) {
            1 => Work { units: lines, grain: DepthwiseInt8::at_once(&self.windows), cost },
            parts => Work { units: parts, grain: 1, cost: cost * lines / parts },
        }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let conv = DepthwiseInt8 {
            windows: &self.windows,
            channels: args.tensor(0).extents.inner(),
            x: self.to.activations(args),
            weights: args.tensor(1).bytes,
            bias: (args.inputs.len() > 2).then(|| args.tensor(2).i32s()),
            results: &self.to.to,
            y: args.outputs[0].bytes,
        };
        let [lines, _, channels] = self.lines(args);
        match self.parts(args) {
            1 => depthwise_int8(&conv, units, 0..channels),
            parts => {
                let each = channels / parts;
                depthwise_int8(&conv, 0..lines, units.start * each..units.end * each);
            }
        }
    }
}
