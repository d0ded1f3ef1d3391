//! Walks over tensors whose neighbours are not next to each other.

use sidestage_tensor::Extents;
use std::ops::Range;

/// Where the elements of a result come from in `N` operands: dimensions, outermost first, with the
/// steps that each operand makes along each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides<const N: usize> {
    rank: usize,
    dims: [usize; Extents::MAX_RANK],
    steps: [[isize; Extents::MAX_RANK]; N],
    /// The operands' elements that belong to the first one.
    starts: [isize; N],
}

impl<const N: usize> Strides<N> {
    /// Dimensions of one are left out, and those joined that every operand walks through in one go.
    ///
    /// # Panics
    /// If there are more than [`Extents::MAX_RANK`] dimensions.
    pub fn new(dims: &[usize], steps: [&[isize]; N], starts: [isize; N]) -> Self {
        let mut joined = Self {
            rank: 0,
            dims: [1; Extents::MAX_RANK],
            steps: [[0; Extents::MAX_RANK]; N],
            starts,
        };
        for (axis, &dim) in dims.iter().enumerate() {
            if dim == 1 {
                continue;
            }
            let rank = joined.rank;
            let continues = rank > 0
                && (0..N).all(|n| joined.steps[n][rank - 1] == steps[n][axis] * dim as isize);
            let at = if continues { rank - 1 } else { rank };
            joined.dims[at] = if continues { joined.dims[at] * dim } else { dim };
            for (to, from) in joined.steps.iter_mut().zip(steps) {
                to[at] = from[axis];
            }
            joined.rank = at + 1;
        }
        joined.rank = joined.rank.max(1);
        joined
    }

    /// Of operands whose dimensions of one stand for any (ONNX, "Multidirectional broadcasting").
    ///
    /// # Panics
    /// If the operands do not fit.
    pub fn broadcast(dims: &[usize], operands: [&[usize]; N]) -> Self {
        let mut steps = [[0_isize; Extents::MAX_RANK]; N];
        for (steps, operand) in steps.iter_mut().zip(operands) {
            let missing = dims.len() - operand.len();
            let mut step = 1;
            for (axis, &dim) in operand.iter().enumerate().rev() {
                assert!(dim == 1 || dim == dims[missing + axis], "{operand:?} in {dims:?}");
                steps[missing + axis] = if dim == 1 { 0 } else { step };
                step *= dim as isize;
            }
        }
        Self::new(dims, steps.each_ref().map(|steps| &steps[..dims.len()]), [0; N])
    }

    /// After how many elements the operands' begin anew, if they do so with each row.
    pub(crate) fn period(&self) -> Option<usize> {
        let outer = self.steps.iter().all(|steps| steps[..self.rank - 1].iter().all(|s| *s == 0));
        outer.then_some(self.dims[self.rank - 1]).filter(|period| *period > 0)
    }

    /// Calls `row` with the part of each row that lies in `span`, of the result's elements: where it
    /// begins in the result and in the operands, how long it is, and the operands' steps in it.
    pub fn rows(
        &self,
        span: Range<usize>,
        mut row: impl FnMut(usize, [usize; N], usize, [isize; N]),
    ) {
        let inner = self.dims[self.rank - 1];
        let step: [isize; N] = self.steps.map(|steps| steps[self.rank - 1]);
        if span.is_empty() {
            return;
        }
        // The place of the row in which the span begins.
        let (mut at, mut rest) = ([0; Extents::MAX_RANK], span.start / inner);
        for axis in (0..self.rank - 1).rev() {
            at[axis] = rest % self.dims[axis];
            rest /= self.dims[axis];
        }
        let mut starts = self.starts;
        for (start, steps) in starts.iter_mut().zip(&self.steps) {
            *start += (0..self.rank - 1).map(|axis| at[axis] as isize * steps[axis]).sum::<isize>();
        }
        let mut done = span.start;
        while done < span.end {
            let skipped = done % inner;
            let count = (inner - skipped).min(span.end - done);
            let mut from = [0; N];
            for n in 0..N {
                from[n] = (starts[n] + skipped as isize * step[n]) as usize;
            }
            row(done, from, count, step);
            done += count;
            for axis in (0..self.rank - 1).rev() {
                at[axis] += 1;
                let along = starts.iter_mut().zip(&self.steps);
                along.for_each(|(start, steps)| *start += steps[axis]);
                if at[axis] < self.dims[axis] {
                    break;
                }
                let dim = self.dims[axis] as isize;
                let along = starts.iter_mut().zip(&self.steps);
                along.for_each(|(start, steps)| *start -= dim * steps[axis]);
                at[axis] = 0;
            }
        }
    }
}

/// Copies elements of `size` bytes to `out`, which are the result's from `first` on.
pub fn copy_strided(strides: &Strides<1>, size: usize, from: &[u8], first: usize, out: &mut [u8]) {
    match size {
        1 => copy::<[u8; 1]>(strides, from, first, out),
        2 => copy::<[u8; 2]>(strides, from, first, out),
        4 => copy::<[u8; 4]>(strides, from, first, out),
        _ => copy::<[u8; 8]>(strides, from, first, out),
    }
}

fn copy<T: bytemuck::Pod>(strides: &Strides<1>, from: &[u8], first: usize, out: &mut [u8]) {
    let from: &[T] = bytemuck::cast_slice(from);
    let out: &mut [T] = bytemuck::cast_slice_mut(out);
    strides.rows(first..first + out.len(), |at, [start], count, [step]| {
        let out = &mut out[at - first..][..count];
        match step {
            1 => out.copy_from_slice(&from[start..start + count]),
            0 => out.fill(from[start]),
            _ => {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = from[(start as isize + i as isize * step) as usize];
                }
            }
        }
    });
}
