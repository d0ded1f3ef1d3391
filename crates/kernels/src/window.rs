//! Windows that move over up to three dimensions: convolutions and pools.

use std::ops::Range;

/// How windows lie in `[depth, height, width]`; what lies outside counts as padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The operand's extents.
    pub input: [usize; 3],
    /// How many windows there are along each dimension.
    pub output: [usize; 3],
    /// The elements of a window along each dimension.
    pub kernel: [usize; 3],
    /// From one window to the next.
    pub stride: [usize; 3],
    /// From one element of a window to the next.
    pub dilation: [usize; 3],
    /// How much padding comes before the first element.
    pub pad: [usize; 3],
}

impl Windows {
    /// Windows in one channel.
    pub fn outputs(&self) -> usize {
        self.output.iter().product()
    }

    /// Elements of one channel.
    pub fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// Elements of a window.
    pub fn taps(&self) -> usize {
        self.kernel.iter().fold(1, |all, dim| all.saturating_mul(*dim))
    }

    /// Where the `tap`-th element of a window lies along one dimension; `None`: in the padding.
    #[inline]
    pub fn place(&self, axis: usize, window: usize, tap: usize) -> Option<usize> {
        let at = window * self.stride[axis] + tap * self.dilation[axis];
        at.checked_sub(self.pad[axis]).filter(|at| *at < self.input[axis])
    }

    /// Where the elements of a window lie along one dimension, without those in the padding.
    pub fn places(
        &self,
        axis: usize,
        window: usize,
    ) -> impl ExactSizeIterator<Item = usize> + Clone {
        let (start, step, pad) = (window * self.stride[axis], self.dilation[axis], self.pad[axis]);
        let first = pad.saturating_sub(start).div_ceil(step);
        let end = (self.input[axis] + pad).saturating_sub(start).div_ceil(step);
        (first..end.min(self.kernel[axis])).map(move |tap| start + tap * step - pad)
    }

    /// The window whose `tap`-th element lies at a place along one dimension; `None`: there is none.
    fn window(&self, axis: usize, at: usize, tap: usize) -> Option<usize> {
        let start = (at + self.pad[axis]).checked_sub(tap * self.dilation[axis])?;
        let window = start / self.stride[axis];
        let exact = start.is_multiple_of(self.stride[axis]) && window < self.output[axis];
        exact.then_some(window)
    }

    /// The windows of a row whose `tap`-th element lies inside, and where that of the first one lies.
    fn inside(&self, tap: usize) -> (Range<usize>, usize) {
        let (stride, offset) = (self.stride[2], tap * self.dilation[2]);
        let first = self.pad[2].saturating_sub(offset).div_ceil(stride);
        let end = (self.input[2] + self.pad[2]).saturating_sub(offset).div_ceil(stride);
        let end = end.min(self.output[2]);
        let first = first.min(end);
        (first..end, (first * stride + offset).saturating_sub(self.pad[2]))
    }
}

/// A row of an image (`[depth, height]` of the windows' operand) as the sum of what windows have
/// there: `columns` are `[tap…, window…]`. The way back of what a convolution takes apart.
pub fn fold_row(
    windows: &Windows,
    (depth, height): (usize, usize),
    columns: &[f32],
    out: &mut [f32],
) {
    out.fill(0.0);
    let [kernel_depth, kernel_height, kernel_width] = windows.kernel;
    for kd in 0..kernel_depth {
        let Some(d) = windows.window(0, depth, kd) else { continue };
        for kh in 0..kernel_height {
            let Some(h) = windows.window(1, height, kh) else { continue };
            for kw in 0..kernel_width {
                let tap = (kd * kernel_height + kh) * kernel_width + kw;
                let row =
                    ((tap * windows.output[0] + d) * windows.output[1] + h) * windows.output[2];
                let (inside, from) = windows.inside(kw);
                let row = &columns[row + inside.start..row + inside.end];
                if !row.is_empty() {
                    let out = out[from..].iter_mut().step_by(windows.stride[2]);
                    out.zip(row).for_each(|(out, x)| *out += x);
                }
            }
        }
    }
}
