#![allow(unsafe_code, reason = "each thread writes the slices it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Wide;
use sidestage_tensor::{DType, TensorRef};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Take", summary: "slices along an axis by their indices: Gather" };

/// `[outer…, indices…, inner…]`: slices of the first operand along an axis, which the second one names
/// with `i32` or `i64`. An index below 0 counts from the end; one that is not there takes the nearest.
#[derive(Debug)]
pub struct Take {
    /// The axis.
    pub axis: usize,
}

/// Reads an index into `dim`.
pub(crate) fn index(indices: &TensorRef<'_>, at: usize, dim: usize) -> usize {
    let load = i64::load(indices.dtype);
    let index = load.map_or(0, |load| load(indices.bytes, at));
    let index = if index < 0 { index.saturating_add(dim as i64) } else { index };
    index.clamp(0, dim as i64 - 1) as usize
}

/// That indices may have this type.
pub(crate) fn is_index(dtype: DType) -> Result<(), String> {
    if matches!(dtype, DType::I32 | DType::I64) {
        return Ok(());
    }
    Err(format!("indices must be I32 or I64, not {dtype}"))
}

impl Operator for Take {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, indices] = rules::operands(inputs)?;
        is_index(indices.dtype)?;
        if !x.dtype.is_plain() {
            return Err(format!("is not defined for {}", x.dtype));
        }
        let (dims, named) = (rules::dims("x", x)?, rules::dims("the indices", indices)?);
        if self.axis >= dims.len() {
            return Err(format!("axis {} of {dims:?}", self.axis));
        }
        if dims[self.axis] == 0 && !named.contains(&0) {
            return Err("there is nothing to take".into());
        }
        let (outer, inner) = (&dims[..self.axis], &dims[self.axis + 1..]);
        Ok(vec![ValueType::fixed(x.dtype, &[outer, &named, inner].concat())])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (x, indices) = (args.tensor(0).extents, args.tensor(1).extents);
        let outer: usize = x.dims()[..self.axis].iter().product();
        let inner: usize = x.dims()[self.axis + 1..].iter().product();
        Work { units: outer * indices.elements(), grain: 1, cost: inner + 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, indices, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let dims = x.extents.dims();
        let (dim, count) = (dims[self.axis], indices.extents.elements());
        let inner = dims[self.axis + 1..].iter().product::<usize>() * x.dtype.block_bytes();
        // SAFETY: units are whole slices, and no two threads have the same.
        let cells = unsafe { out.bytes.part(units.start * inner..units.end * inner) };
        for (i, unit) in units.enumerate() {
            let from = unit / count * dim + index(&indices, unit % count, dim);
            cells[i * inner..(i + 1) * inner]
                .copy_from_slice(&x.bytes[from * inner..(from + 1) * inner]);
        }
    }
}
