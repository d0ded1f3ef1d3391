use crate::gemm::Cut;
use crate::{Finish, OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{PANEL, Windows, panels};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Conv", summary: "convolution of one to three dimensions, in groups" };

/// `x[n, d, h, w, c]` convolved, in `f32`: `[n, d, h, w, outputs]`, channels last.
///
/// The weights are what [`Pack`](crate::Pack) makes of `[groups, taps * c / groups, outputs / groups]`
/// (or of its transpose), where the taps are those of `[kd, kh, kw]`: of TensorFlow's `[kh, kw, c, m]`
/// as it lies, of TFLite's `[m, kh, kw, c]` as it lies and transposed.
#[derive(Clone, Debug)]
pub struct Conv {
    /// Groups of channels that do not meet.
    pub groups: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// How the windows lie.
    pub windows: Windows,
    /// What becomes of a sum.
    pub finish: Finish,
}

/// The dimensions of `x` and of the result without its channels, if the windows fit.
pub(crate) fn images(x: &ValueType, windows: &Windows) -> Result<([usize; 5], [usize; 4]), String> {
    rules::dtype("x", x, DType::F32)?;
    let dims = rules::dims("x", x)?;
    let Ok(dims) = <[usize; 5]>::try_from(dims) else {
        return Err("x must have five dimensions".into());
    };
    if dims[1..4] != windows.input {
        return Err("the windows are those of another operand".into());
    }
    let [d, h, w] = windows.output;
    Ok((dims, [dims[0], d, h, w]))
}

impl Conv {
    fn cut(&self, args: &Args<'_>) -> Cut {
        let weights = args.tensor(1).extents;
        let [_, _, k, _] = *weights.dims() else { unreachable!("weights of four dimensions") };
        Cut {
            matrices: 1,
            rows: args.outputs[0].extents.rows(),
            panels: self.groups * panels(self.outputs / self.groups),
            cost: (k * PANEL).max(1),
            widened: false,
        }
    }
}

impl Operator for Conv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weights) = self.finish.split(inputs)?;
        let ([.., channels], [n, d, h, w]) = images(x, &self.windows)?;
        let whole = |count: usize| self.groups > 0 && count.is_multiple_of(self.groups);
        if !whole(channels) || !whole(self.outputs) {
            return Err(format!(
                "{channels} channels to {} in {} groups",
                self.outputs, self.groups
            ));
        }
        let k = self.windows.taps().saturating_mul(channels / self.groups);
        let packed = [self.groups, panels(self.outputs / self.groups), k, PANEL];
        if *weights != ValueType::fixed(DType::F32, &packed) {
            return Err(format!("the weights must be packed as {packed:?}"));
        }
        self.finish.result(inputs, &[n, d, h, w, self.outputs])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        self.cut(args).work()
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weights) = (args.tensor(0), args.tensor(1));
        let conv = sidestage_kernels::Conv {
            windows: &self.windows,
            groups: self.groups,
            channels: (x.extents.inner(), self.outputs),
            x: x.f32s(),
            weights: weights.f32s(),
            epilogue: self.finish.epilogue(args),
            y: args.outputs[0].cells(),
            before: 0,
        };
        let part = |_, rows, panels| sidestage_kernels::conv(&conv, rows, panels);
        self.cut(args).parts(units, part);
    }
}
