#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Reduction;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Reduce", summary: "rows to one element each: ReduceSum, ReduceMax, …" };

/// `[rows, width]` to `[rows]`.
#[derive(Debug)]
pub struct Reduce {
    /// What becomes of a row.
    pub reduction: Reduction,
}

impl Operator for Reduce {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 2)?;
        if !self.reduction.takes(x.dtype) {
            return Err(format!("is not defined for {}", x.dtype));
        }
        Ok(vec![ValueType::new(x.dtype, [x.dims[0]])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let x = args.tensor(0).extents;
        Work { units: x.rows(), grain: 1, cost: 2 * x.inner() + 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let (width, size) = (x.extents.inner(), out.dtype.block_bytes());
        let rows = &x.bytes[units.start * width * size..units.end * width * size];
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        self.reduction.run(x.dtype, width, rows, cells);
    }
}
