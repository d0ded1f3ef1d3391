use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_kernels::{Act8Rows, Activations};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::Act8;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "ExpertLinear",
    summary: "x * transpose(weight) by the experts of each row (arXiv:1701.06538)",
};

/// For each of the experts that `chosen[rows, used]` names, `x * transpose(weight[expert])`, of
/// `weight[experts, n, k]`: `[rows, used * n]`.
///
/// `x` is `[rows, k]`, for all experts of a row, or `[rows, used * k]`, with a part for each; its
/// type is as for [`crate::Linear`]. An expert past the end is the last.
#[derive(Debug)]
pub struct ExpertLinear;

/// Columns done for all rows before the next: as many weight rows of an expert stay in the cache.
const COLUMNS: usize = 16;

impl Operator for ExpertLinear {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, weight, chosen] = rules::operands(inputs)?;
        if !sidestage_kernels::supports(weight.dtype) {
            return Err(format!("weights of type {} are not supported", weight.dtype));
        }
        rules::dtype("x", x, sidestage_kernels::activation_dtype(weight.dtype))?;
        rules::rank("x", x, 2)?;
        rules::rank("weight", weight, 3)?;
        rules::dtype("chosen", chosen, DType::I32)?;
        rules::rank("chosen", chosen, 2)?;
        let (width, k) = (rules::width("x", x)?, rules::width("weight", weight)?);
        let used = rules::width("chosen", chosen)?;
        if width != k {
            rules::equal("x's width", width, used * k)?;
        }
        if x.dims[0] != chosen.dims[0] {
            return Err("x and chosen must have the same rows".into());
        }
        match weight.dims[..] {
            [Dim::Fixed(1..), Dim::Fixed(n), _] => {
                let width = used.checked_mul(n).ok_or("the result is too wide")?;
                Ok(vec![ValueType::new(DType::F32, [x.dims[0], Dim::Fixed(width)])])
            }
            _ => Err("the weight must have a fixed shape and an expert".into()),
        }
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (weight, chosen) = (args.tensor(1).extents, args.tensor(2).extents);
        let cost = chosen.elements() * weight.inner();
        Work { units: weight.dims()[1], grain: COLUMNS, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weight, chosen) = (args.tensor(0), args.tensor(1), args.tensor(2));
        let &[experts, n, k] = weight.extents.dims() else { return };
        let used = chosen.extents.inner();
        let bytes = n * (k / weight.dtype.block_len() * weight.dtype.block_bytes());
        // All experts of a row take the same, or each its own part.
        let step = if x.extents.inner() == k { used } else { 1 };
        let y = args.outputs[0].cells::<f32>();
        // A single row reads no weight twice, and wants its streams far apart.
        let band = if chosen.extents.rows() == 1 { units.len().max(1) } else { COLUMNS };
        for start in units.clone().step_by(band) {
            let columns = start..(start + band).min(units.end);
            for (at, &expert) in chosen.i32s().iter().enumerate() {
                let expert = (expert.max(0) as usize).min(experts - 1);
                let from = at / step;
                let values = if x.dtype == DType::Act8 {
                    let blocks = bytemuck::cast_slice::<u8, Act8>(x.bytes);
                    let (per_row, part) = (x.extents.inner() / k, k / 32);
                    let row = Act8Rows::new(blocks, x.extents.rows()).row(from / per_row);
                    let start = from % per_row * part;
                    Activations::Act8Row(row.part(start..start + part))
                } else {
                    Activations::F32(&x.f32s()[from * k..(from + 1) * k])
                };
                let linear = sidestage_kernels::Linear {
                    weight: &weight.bytes[expert * bytes..(expert + 1) * bytes],
                    dtype: weight.dtype,
                    n,
                    k,
                    rows: 1,
                    x: values,
                    bias: None,
                    y: y.slice(at * n..(at + 1) * n),
                };
                sidestage_kernels::linear(&linear, columns.clone());
            }
        }
    }
}
