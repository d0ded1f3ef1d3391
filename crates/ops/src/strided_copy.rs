#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Strides;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "StridedCopy",
    summary: "elements in another order, some of them, or several times: Transpose, Slice, Expand, …",
};

/// Elements of a tensor, found by steps: result `[i, j, …]` is element
/// `start + i * steps[0] + j * steps[1] + …`.
#[derive(Debug)]
pub struct StridedCopy {
    /// The result's dimensions.
    pub dims: Vec<usize>,
    /// The operand's element that is the result's first.
    pub start: usize,
    /// Elements of the operand from one to the next along each dimension.
    pub steps: Vec<isize>,
}

impl Operator for StridedCopy {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let elements: usize = rules::dims("x", x)?.iter().product();
        if self.dims.len() != self.steps.len() || !x.dtype.is_plain() {
            return Err(format!("cannot copy {} with {} steps", x.dtype, self.steps.len()));
        }
        let (mut least, mut most) = (self.start as i128, self.start as i128);
        for (&dim, &step) in self.dims.iter().zip(&self.steps) {
            let reach = dim.saturating_sub(1) as i128 * step as i128;
            least += reach.min(0);
            most += reach.max(0);
        }
        let empty = self.dims.contains(&0);
        if !empty && (least < 0 || most >= elements as i128) {
            return Err("the steps lead out of the operand".into());
        }
        Ok(vec![ValueType::fixed(x.dtype, &self.dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let strides = Strides::new(&self.dims, [&self.steps], [self.start as isize]);
        let size = out.dtype.block_bytes();
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        sidestage_kernels::copy_strided(&strides, size, x.bytes, units.start, cells);
    }
}
