use crate::gemm::Cut;
use crate::pack_int8::packed;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{
    ConvInt8, Int8, Int8Results, PANEL, Requantize, Windows, conv_int8, panels,
};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QLinearConv",
    summary: "convolution of bytes with scales, in groups, channels last",
};

/// From sums of products of bytes to bytes.
#[derive(Clone, Debug)]
pub struct ToBytes {
    /// What stands for 0 in `x`.
    pub x_zero: i32,
    /// What becomes of a sum.
    pub to: Requantize,
}

impl ToBytes {
    /// The operands' dimensions, and whether there is a bias, if `x` and the other operands are those of
    /// a result with so many channels.
    pub(crate) fn images(
        &self,
        inputs: &[&ValueType],
        windows: &Windows,
        outputs: usize,
    ) -> Result<[usize; 5], String> {
        let (x, bias) = match *inputs {
            [x, _] => (x, None),
            [x, _, bias] => (x, Some(bias)),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        let zeros = match x.dtype {
            DType::I8 => -128..128,
            DType::U8 => 0..256,
            other => return Err(format!("is not defined for {other}")),
        };
        if !zeros.contains(&self.x_zero) {
            return Err(format!("{} stands for 0 in {}", self.x_zero, x.dtype));
        }
        let dims = rules::dims("x", x)?;
        let Ok(dims) = <[usize; 5]>::try_from(dims) else {
            return Err("x must have five dimensions".into());
        };
        if dims[1..4] != windows.input {
            return Err("the windows are those of another operand".into());
        }
        let scales = self.to.factors().len();
        if scales != 1 && scales != outputs || scales == 0 {
            return Err(format!("{scales} scales of {outputs} channels"));
        }
        if self.to.signed() != (x.dtype == DType::I8) {
            return Err(format!("results of another type than {}", x.dtype));
        }
        match bias {
            Some(bias) if *bias != ValueType::fixed(DType::I32, &[outputs]) => {
                Err(format!("the bias must have {outputs} values of I32"))
            }
            _ => Ok(dims),
        }
    }

    pub(crate) fn activations<'a>(&self, args: &Args<'a>) -> Int8<'a> {
        let x = args.tensor(0);
        Int8 { bytes: x.bytes, signed: x.dtype == DType::I8, zero: self.x_zero }
    }
}

/// `x[n, d, h, w, c]` of bytes, convolved with weights of bytes and rounded to the result's unit:
/// `[n, d, h, w, outputs]` of the type of `x`, as XNNPACK and ONNX Runtime do.
///
/// The weights are what [`PackInt8`](crate::PackInt8) makes of `[groups, outputs / groups, taps * c /
/// groups]`, transposed. A bias of `i32`, a value for each output, may follow.
#[derive(Clone, Debug)]
pub struct QLinearConv {
    /// Groups of channels that do not meet.
    pub groups: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// How the windows lie.
    pub windows: Windows,
    /// What stands for 0 in packed weights: one for each output or for all, or none that is not 0.
    pub zeros: Vec<i32>,
    /// What becomes of a sum.
    pub to: ToBytes,
}

impl QLinearConv {
    fn cut(&self, args: &Args<'_>) -> Cut {
        let k = self.windows.taps() * (args.tensor(0).extents.inner() / self.groups);
        Cut {
            matrices: 1,
            rows: args.outputs[0].extents.rows(),
            panels: self.groups * panels(self.outputs / self.groups),
            // Four products of bytes take the time of one of floats; then a result is rounded.
            cost: k * PANEL / 4 + 2 * PANEL,
            // Though both sides are: with two threads convolutions of 7 by 7 and 14 by 14 are 1.05 times
            // as fast so.
            widened: false,
        }
    }
}

impl Operator for QLinearConv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [n, .., channels] = self.to.images(inputs, &self.windows, self.outputs)?;
        let whole = |count: usize| self.groups > 0 && count.is_multiple_of(self.groups);
        if !whole(channels) || !whole(self.outputs) {
            return Err(format!(
                "{channels} channels to {} in {} groups",
                self.outputs, self.groups
            ));
        }
        if self.zeros.len() > 1 && self.zeros.len() != self.outputs {
            return Err(format!("{} zeros of {} channels", self.zeros.len(), self.outputs));
        }
        let k = self.windows.taps().saturating_mul(channels / self.groups);
        let packed = packed(&[self.groups], k, self.outputs / self.groups);
        if *inputs[1] != ValueType::fixed(DType::I8, &packed) {
            return Err(format!("the weights must be packed as {packed:?}"));
        }
        let [d, h, w] = self.windows.output;
        Ok(vec![ValueType::fixed(inputs[0].dtype, &[n, d, h, w, self.outputs])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        self.cut(args).work()
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let x = self.to.activations(args);
        let conv = ConvInt8 {
            windows: &self.windows,
            groups: self.groups,
            channels: (args.tensor(0).extents.inner(), self.outputs),
            x,
            weights: args.tensor(1).bytes,
            zeros: &self.zeros,
            bias: (args.inputs.len() > 2).then(|| args.tensor(2).i32s()),
            results: Int8Results::Bytes(&self.to.to, args.outputs[0].bytes),
        };
        self.cut(args).parts(units, |_, rows, panels| conv_int8(&conv, rows, panels));
    }
}
