//! Pools over images whose channels lie side by side.

use crate::window::Windows;
use std::ops::Range;

/// Windows of `x[n, d, h, w, channels]`.
pub struct ImagePool<'a> {
    /// How the windows lie.
    pub windows: &'a Windows,
    /// Channels.
    pub channels: usize,
    /// `[n, d, h, w, channels]`.
    pub x: &'a [f32],
    /// Whether the largest is wanted, not the mean.
    pub largest: bool,
    /// Of a mean: where padding that counts ends along each dimension; `None`: it does not count.
    pub ends: Option<[usize; 3]>,
}

/// Elements of a line of a window that are added up before they are added to the others.
const LINE: usize = 32;

/// Computes some windows, counted over all images; `out` has the channels of each.
///
/// # Panics
/// If a window is not there, or `out` is not as long as they are.
pub fn pool_windows(args: &ImagePool<'_>, range: Range<usize>, out: &mut [f32]) {
    let (windows, channels) = (args.windows, args.channels);
    let ([_, rows, columns], [depth, height, width]) = (windows.output, windows.input);
    let mut sums = vec![0.0; channels];
    for (window, out) in range.zip(out.chunks_exact_mut(channels.max(1))) {
        let image = window / windows.outputs();
        let at = [
            window / columns / rows % windows.output[0],
            window / columns % rows,
            window % columns,
        ];
        let element = |d: usize, h: usize, w: usize| {
            &args.x[(((image * depth + d) * height + h) * width + w) * channels..][..channels]
        };
        let mut count = 0;
        out.fill(if args.largest { f32::NEG_INFINITY } else { 0.0 });
        for d in windows.places(0, at[0]) {
            for h in windows.places(1, at[1]) {
                if args.largest {
                    for w in windows.places(2, at[2]) {
                        out.iter_mut().zip(element(d, h, w)).for_each(|(most, x)| {
                            *most = if *x > *most || x.is_nan() { *x } else { *most };
                        });
                    }
                    continue;
                }
                let line = windows.places(2, at[2]).enumerate();
                for (index, w) in line {
                    sums.iter_mut().zip(element(d, h, w)).for_each(|(sum, x)| *sum += x);
                    count += 1;
                    if index % LINE == LINE - 1 {
                        settle(&mut sums, out);
                    }
                }
                settle(&mut sums, out);
            }
        }
        if args.largest {
            continue;
        }
        if let Some(ends) = args.ends {
            let declared = |axis: usize| {
                let start = at[axis] * windows.stride[axis];
                let taps = ends[axis].saturating_sub(start).div_ceil(windows.dilation[axis]);
                taps.min(windows.kernel[axis])
            };
            count = declared(0) * declared(1) * declared(2);
        }
        out.iter_mut().for_each(|mean| *mean /= count as f32);
    }
}

/// Adds sums to others, and begins anew.
fn settle(sums: &mut [f32], to: &mut [f32]) {
    for (sum, to) in sums.iter_mut().zip(to) {
        *to += *sum;
        *sum = 0.0;
    }
}
