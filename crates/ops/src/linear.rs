use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_kernels::{Act8Rows, Activations, GROUP};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::Act8;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Linear", summary: "x * transpose(weight) + bias, weights of any type" };

/// `x[rows, k] * transpose(weight[n, k]) + bias[n]` (the bias may be missing).
///
/// `x` has the type that [`sidestage_kernels::activation_dtype`] names for the weight's: `f32` for
/// float weights, [`DType::Act8`] for quantised ones.
///
/// `ALL`: for weights of any type; else of those that [`sidestage_kernels::supports_graphs`] names, so
/// that a build with graphs alone has their kernels alone.
#[derive(Clone, Debug, Default)]
pub struct Linear<const ALL: bool> {
    /// The rows of weight and bias to use: a part of a layer that was fused; `None`: all. It begins
    /// and ends where a group of rows does ([`sidestage_kernels::grouped_rows`]), or at the end.
    pub outputs: Option<Range<usize>>,
}

impl<const ALL: bool> Linear<ALL> {
    /// Rows of a weight that has `n`.
    fn outputs(&self, n: usize) -> Range<usize> {
        self.outputs.clone().unwrap_or(0..n)
    }
}

impl<const ALL: bool> Operator for Linear<ALL> {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weight, bias) = match *inputs {
            [x, weight] => (x, weight, None),
            [x, weight, bias] => (x, weight, Some(bias)),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        if !rules::weights::<ALL>(weight.dtype) {
            return Err(format!("weights of type {} are not supported", weight.dtype));
        }
        rules::dtype("x", x, sidestage_kernels::activation_dtype(weight.dtype))?;
        rules::rank("x", x, 2)?;
        rules::rank("weight", weight, 2)?;
        rules::equal("x's width", rules::width("x", x)?, rules::width("weight", weight)?)?;
        let Dim::Fixed(n) = weight.dims[0] else {
            return Err("the weight must have a fixed shape".into());
        };
        if let Some(bias) = bias {
            rules::dtype("bias", bias, DType::F32)?;
            rules::rank("bias", bias, 1)?;
            rules::equal("the bias's length", rules::width("bias", bias)?, n)?;
        }
        let outputs = self.outputs(n);
        if outputs.is_empty() || outputs.end > n {
            return Err(format!("rows {outputs:?} are not in a weight of {n}"));
        }
        let grouped = sidestage_kernels::grouped_rows(weight.dtype, n);
        let cuts = |row: usize| row < grouped && !row.is_multiple_of(GROUP);
        if cuts(outputs.start) || cuts(outputs.end) {
            return Err(format!("rows {outputs:?} are not whole groups of {GROUP}"));
        }
        Ok(vec![ValueType::new(DType::F32, [x.dims[0], Dim::Fixed(outputs.len())])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let x = args.tensor(0).extents;
        let n = args.outputs[0].extents.inner();
        // Sixteen columns: a thread writes whole cache lines and reads several weight rows at once.
        Work { units: n, grain: 16, cost: x.rows() * x.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weight) = (args.tensor(0), args.tensor(1));
        if x.extents.rows() == 0 {
            // A chunk of a prompt of which no row wants logits.
            return;
        }
        let values = if x.dtype == DType::Act8 {
            let blocks = bytemuck::cast_slice::<u8, Act8>(x.bytes);
            Activations::Act8(Act8Rows::new(blocks, x.extents.rows()))
        } else {
            Activations::F32(x.f32s())
        };
        let (outputs, k) = (self.outputs(weight.extents.rows()), weight.extents.inner());
        let row = k / weight.dtype.block_len() * weight.dtype.block_bytes();
        let linear = sidestage_kernels::Linear {
            weight: &weight.bytes[outputs.start * row..outputs.end * row],
            dtype: weight.dtype,
            n: outputs.len(),
            k,
            rows: x.extents.rows(),
            x: values,
            bias: (args.inputs.len() > 2).then(|| &args.tensor(2).f32s()[outputs]),
            y: args.outputs[0].cells(),
        };
        match ALL {
            true => sidestage_kernels::linear(&linear, units),
            false => sidestage_kernels::linear_graphs(&linear, units),
        }
    }
}
