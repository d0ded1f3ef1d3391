#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::take::{index, is_index};
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "GatherElements", summary: "elements along an axis by an index for each" };

/// `y[i, j, k] = x[i, indices[i, j, k], k]` for axis 1, and so on (ONNX 13). An index below 0 counts from
/// the end; one that is not there takes the nearest.
#[derive(Debug)]
pub struct GatherElements {
    /// The axis.
    pub axis: usize,
}

impl Operator for GatherElements {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, indices] = rules::operands(inputs)?;
        is_index(indices.dtype)?;
        let (dims, named) = (rules::dims("x", x)?, rules::dims("the indices", indices)?);
        let fits = |axis: usize| axis == self.axis || named[axis] <= dims[axis];
        if dims.len() != named.len() || self.axis >= dims.len() || !(0..dims.len()).all(fits) {
            return Err(format!("indices of {named:?} into {dims:?} along {}", self.axis));
        }
        if dims[self.axis] == 0 && !named.contains(&0) || !x.dtype.is_plain() {
            return Err("there is nothing to take".into());
        }
        Ok(vec![ValueType::fixed(x.dtype, &named)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 8 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, indices, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let (dims, named) = (x.extents.dims(), indices.extents.dims());
        let size = x.dtype.block_bytes();
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        for (unit, cell) in units.zip(cells.chunks_exact_mut(size)) {
            let (mut rest, mut from, mut step) = (unit, 0, 1);
            for axis in (0..dims.len()).rev() {
                let mut at = rest % named[axis];
                rest /= named[axis];
                if axis == self.axis {
                    at = index(&indices, unit, dims[axis]);
                }
                from += at * step;
                step *= dims[axis];
            }
            cell.copy_from_slice(&x.bytes[from * size..][..size]);
        }
    }
}
