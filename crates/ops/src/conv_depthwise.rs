use crate::{Conv, DepthwiseConv, OpInfo};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueType, Work};
use sidestage_kernels::panels;
use sidestage_tensor::SharedOut;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "ConvDepthwise",
    summary: "convolution and then one of each channel by itself, some lines at a time",
};

pub(crate) const PASS: Pass = Pass {
    name: "lines",
    summary: "convolutions whose large result only one of each channel by itself reads",
    rule,
};

/// [`DepthwiseConv`] of the result of [`Conv`], of which there are never more than some lines. The operands
/// are those of the first, then those of the second without its `x`.
#[derive(Clone, Debug)]
pub struct ConvDepthwise {
    /// What comes first, of images of one plane.
    pub conv: Conv,
    /// What comes then.
    pub depthwise: DepthwiseConv,
}

/// Bytes of the result between, above which it is not written as a whole: what the second-level cache of
/// a core has. MobileNetV2 is 1.03 to 1.05 times as fast so.
const LEAST: usize = 1 << 20;

/// Bytes of the lines between that there are at once, if that is enough for a window: a quarter of that
/// cache, beside the image and the weights.
const ROOM: usize = 256 << 10;

impl ConvDepthwise {
    /// Operands of the first.
    fn operands(&self) -> usize {
        let finish = &self.conv.finish;
        2 + [finish.bias, finish.slopes, finish.add].map(usize::from).iter().sum::<usize>()
    }

    /// The lines between that a line of windows reads, of all images.
    fn reads(&self, line: usize) -> Range<usize> {
        let windows = &self.depthwise.windows;
        let (image, h) = (line / windows.output[1], line % windows.output[1]);
        let at = |place: usize| place.saturating_sub(windows.pad[1]).min(windows.input[1]);
        let start = h * windows.stride[1];
        let end = start + (windows.kernel[1] - 1) * windows.dilation[1] + 1;
        image * windows.input[1] + at(start)..image * windows.input[1] + at(end)
    }
}

impl Operator for ConvDepthwise {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let windows = &self.depthwise.windows;
        if (windows.input[0], windows.output[0], windows.kernel[0]) != (1, 1, 1) {
            return Err("images must have one plane".into());
        }
        let first = self.operands().min(inputs.len());
        let between = self.conv.infer(&inputs[..first])?;
        let second: Vec<&ValueType> =
            between.iter().chain(inputs[first..].iter().copied()).collect();
        self.depthwise.infer(&second)
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let windows = &self.depthwise.windows;
        let [.., k, panel] = *args.tensor(1).extents.dims() else { unreachable!("packed weights") };
        let first = windows.stride[1] * windows.input[2] * panels(self.conv.outputs) * panel * k;
        let second = 2 * windows.taps() * windows.output[2] * self.conv.outputs;
        // Each grain computes the lines again that it shares with the last one: a seventh of its own at
        // most.
        let shared = windows.kernel[1].saturating_sub(windows.stride[1]);
        let grain = windows.output[1].div_ceil(8).max(7 * shared / windows.stride[1]);
        let units = args.outputs[0].extents.rows() / windows.output[2].max(1);
        Work { units, grain, cost: first.saturating_add(second).max(1) }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let Self { conv, depthwise } = self;
        let (x, weights) = (args.tensor(0), args.tensor(1));
        let count = self.operands();
        let (first, second) = (&args.inputs[..count], &args.inputs[count - 1..]);
        let of = |inputs| Args { inputs, outputs: args.outputs };
        let width = depthwise.windows.input[2];
        let size = width * conv.outputs;
        let strip = (ROOM / 4 / size.max(1) / depthwise.windows.stride[1]).max(1);
        // The lines there are.
        let (mut room, mut there) = (Vec::new(), 0..0);
        let mut line = units.start;
        while line < units.end {
            let end = units.end.min(line + strip);
            let wanted = self.reads(line).start..self.reads(end - 1).end;
            let kept = wanted.start.clamp(there.start, there.end)..there.end;
            let places = (kept.start - there.start) * size..(kept.end - there.start) * size;
            room.copy_within(places, 0);
            let from = if kept.is_empty() { wanted.start } else { kept.end };
            let lines = from..wanted.end.max(from);
            room.resize((lines.end - wanted.start) * size, 0.0_f32);
            let part = sidestage_kernels::Conv {
                windows: &conv.windows,
                groups: conv.groups,
                channels: (x.extents.inner(), conv.outputs),
                x: x.f32s(),
                weights: weights.f32s(),
                epilogue: conv.finish.epilogue(&of(first)),
                y: SharedOut::new(&mut room[(from - wanted.start) * size..]),
                before: lines.start * width,
            };
            let panels = conv.groups * panels(conv.outputs / conv.groups);
            sidestage_kernels::conv(&part, 0..lines.len() * width, 0..panels);
            let part = sidestage_kernels::Depthwise {
                windows: &depthwise.windows,
                channels: conv.outputs,
                x: &room,
                before: wanted.start,
                weights: args.tensor(count).f32s(),
                epilogue: depthwise.finish.epilogue(&of(second)),
                y: args.outputs[0].cells(),
            };
            sidestage_kernels::depthwise_lines(&part, line..end);
            (there, line) = (wanted.start..lines.end, end);
        }
    }
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    let depthwise = site.op::<DepthwiseConv>()?.clone();
    let second = site.inputs().to_vec();
    let (conv, first) = site.made::<Conv>(second[0])?;
    let (conv, first) = (conv.clone(), first.to_vec());
    // What is added lies as the whole result does.
    let large = site.ty(second[0]).bytes(&[])? > LEAST && !conv.finish.add;
    let same = site.dims(second[0]) == site.dims(site.root(second[0]));
    (large && same && site.only_here(second[0]))
        .then(|| Made::new(ConvDepthwise { conv, depthwise }, [&first, &second[1..]].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finish;
    use sidestage_ir::Operand;
    use sidestage_kernels::{Activation, PANEL, Windows};
    use sidestage_tensor::{AlignedBytes, DType, Tensor, TensorOut};

    /// What an operator makes of tensors, its units cut at some places.
    fn run(op: &dyn Operator, inputs: &[&Tensor], cuts: &[usize]) -> Tensor {
        let types: Vec<ValueType> =
            inputs.iter().map(|input| ValueType::fixed(input.dtype(), input.dims())).collect();
        let ty = op.infer(&types.iter().collect::<Vec<_>>()).expect("operands that fit").remove(0);
        let mut room = AlignedBytes::zeroed(ty.bytes(&[]).expect("a size")).expect("memory");
        let bytes = SharedOut::new(room.as_mut_slice());
        let outputs = [TensorOut { dtype: ty.dtype, extents: ty.extents(&[]), bytes }];
        let inputs: Vec<Operand<'_>> =
            inputs.iter().map(|input| Operand::Tensor(input.view())).collect();
        let args = Args { inputs: &inputs, outputs: &outputs };
        let units = op.work(&args).units;
        let mut start = 0;
        for end in cuts.iter().copied().chain([units]) {
            op.run(&args, start..end.min(units));
            start = end.min(units);
        }
        Tensor::from_bytes(ty.dtype, ty.extents(&[]).dims(), room)
    }

    fn tensor(dims: &[usize], seed: usize) -> Tensor {
        let value = |at: usize| ((at + seed) * 7919 % 1013) as f32 / 1013.0 - 0.4;
        let count = dims.iter().product::<usize>();
        let bytes: Vec<u8> = (0..count).flat_map(|at| value(at).to_le_bytes()).collect();
        Tensor::new(DType::F32, dims, &bytes).expect("memory")
    }

    #[test]
    fn lines_give_what_the_whole_gives_however_the_work_is_cut() {
        // Images, side, channels, between, windows of the first and of the second and their stride.
        let shapes = [
            (1, 30, 3, 24, (3, 2), (3, 1)),
            (2, 21, 16, 96, (1, 1), (3, 2)),
            (1, 24, 8, 40, (1, 1), (5, 1)),
            (3, 9, 5, 12, (1, 1), (5, 2)),
            // One line fills the room.
            (1, 40, 8, 2048, (1, 1), (3, 1)),
            // Windows that leave lines out.
            (2, 17, 4, 8, (1, 1), (1, 2)),
        ];
        for (images, side, channels, between, first, second) in shapes {
            let windows = |side: usize, (kernel, stride): (usize, usize)| Windows {
                input: [1, side, side],
                output: [1, side.div_ceil(stride), side.div_ceil(stride)],
                kernel: [1, kernel, kernel],
                stride: [1, stride, stride],
                dilation: [1; 3],
                pad: [0, kernel / 2, kernel / 2],
            };
            let finish = |activation| Finish { bias: true, activation, ..Finish::default() };
            let conv = Conv {
                groups: 1,
                outputs: between,
                windows: windows(side, first),
                finish: finish(Activation::Clip(0.0, 6.0)),
            };
            let depthwise = DepthwiseConv {
                windows: windows(conv.windows.output[1], second),
                finish: finish(Activation::None),
            };
            let x = tensor(&[images, 1, side, side, channels], 1);
            let k = channels * conv.windows.taps();
            let weights = tensor(&[1, panels(between), k, PANEL], 2);
            let taps = tensor(&[depthwise.windows.taps(), between], 3);
            let bias = tensor(&[between], 4);
            let middle = run(&conv, &[&x, &weights, &bias], &[]);
            let expected = run(&depthwise, &[&middle, &taps, &bias], &[]);
            let op = ConvDepthwise { conv, depthwise };
            for cuts in [&[][..], &[1], &[4, 5], &[7, 13, 14, 20]] {
                let found = run(&op, &[&x, &weights, &bias, &taps, &bias], cuts);
                assert_eq!(found.bytes(), expected.bytes(), "{op:?} cut at {cuts:?}");
            }
        }
    }
}
