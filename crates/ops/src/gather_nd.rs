#![allow(unsafe_code, reason = "each thread writes the slices it was given")]

use crate::take::{index, is_index};
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "GatherND", summary: "slices by several indices each" };

/// `y[b, i…] = x[b, indices[b, i…, 0], indices[b, i…, 1], …]` (ONNX 13). An index below 0 counts from the
/// end; one that is not there takes the nearest.
#[derive(Debug)]
pub struct GatherNd {
    /// Leading dimensions that both operands have.
    pub batch: usize,
}

impl Operator for GatherNd {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, indices] = rules::operands(inputs)?;
        is_index(indices.dtype)?;
        let (dims, named) = (rules::dims("x", x)?, rules::dims("the indices", indices)?);
        let wrong = || format!("indices of {named:?} into {dims:?}");
        let (&depth, places) = named.split_last().ok_or_else(wrong)?;
        if self.batch > places.len() || self.batch + depth > dims.len() || !x.dtype.is_plain() {
            return Err(wrong());
        }
        if dims[..self.batch] != named[..self.batch] {
            return Err(wrong());
        }
        if dims[self.batch..self.batch + depth].contains(&0) && !places.contains(&0) {
            return Err("there is nothing to take".into());
        }
        Ok(vec![ValueType::fixed(x.dtype, &[places, &dims[self.batch + depth..]].concat())])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let indices = args.tensor(1).extents;
        let slices = indices.rows();
        let all = args.outputs[0].extents.elements();
        Work { units: slices, grain: 1, cost: all.checked_div(slices).unwrap_or(0) + 8 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, indices, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let (dims, depth) = (x.extents.dims(), indices.extents.inner());
        let (outer, inner) = dims.split_at(self.batch + depth);
        let slice = inner.iter().product::<usize>() * x.dtype.block_bytes();
        let per_batch = indices.extents.dims()[self.batch..indices.extents.dims().len() - 1]
            .iter()
            .product::<usize>();
        // SAFETY: units are whole slices, and no two threads have the same.
        let cells = unsafe { out.bytes.part(units.start * slice..units.end * slice) };
        for (i, unit) in units.enumerate() {
            let mut from = unit / per_batch.max(1);
            for (at, &dim) in outer[self.batch..].iter().enumerate() {
                from = from * dim + index(&indices, unit * depth + at, dim);
            }
            cells[i * slice..(i + 1) * slice].copy_from_slice(&x.bytes[from * slice..][..slice]);
        }
    }
}
