#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use bytemuck::Pod;
use sidestage_ir::Args;
use std::ops::Range;

/// The part of the first result that belongs to these units, for operators whose units are rows:
/// where it lies among the elements (blocks, for a quantised result), and the part itself.
///
/// Only for [`sidestage_ir::Operator::run`], which gives no two threads the same units.
pub(crate) fn rows<'a, T: Pod>(
    args: &Args<'a>,
    units: Range<usize>,
) -> (Range<usize>, &'a mut [T]) {
    rows_of(args, 0, units)
}

/// As [`rows`], of any of the results.
pub(crate) fn rows_of<'a, T: Pod>(
    args: &Args<'a>,
    result: usize,
    units: Range<usize>,
) -> (Range<usize>, &'a mut [T]) {
    let out = args.outputs[result];
    let width = out.extents.inner() / out.dtype.block_len();
    let span = units.start * width..units.end * width;
    // SAFETY: units are whole rows, and no two threads have the same.
    (span.clone(), unsafe { out.cells::<T>().part(span) })
}
