use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "TakeRows", summary: "the rows of a matrix that a list names" };

/// Rows `index[n]` of `x[rows, width]`, in the list's order. An index past the end takes the last
/// row.
#[derive(Debug)]
pub struct TakeRows;

impl Operator for TakeRows {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, index] = rules::operands(inputs)?;
        rules::matrix("x", x)?;
        rules::dtype("index", index, DType::I32)?;
        rules::rank("index", index, 1)?;
        Ok(vec![ValueType::new(DType::F32, [index.dims[0], x.dims[1]])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 2 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let width = args.outputs[0].extents.inner();
        let (x, index) = (args.tensor(0), args.tensor(1).i32s());
        let last = x.extents.rows().saturating_sub(1);
        for unit in units {
            let (_, out) = rows::<f32>(args, unit..unit + 1);
            let row = (index[unit].max(0) as usize).min(last);
            out.copy_from_slice(&x.f32s()[row * width..(row + 1) * width]);
        }
    }
}
