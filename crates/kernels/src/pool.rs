//! Pools over images whose channels lie side by side.

use crate::epilogue::{load, store};
use crate::lanes::{Lanes, Native};
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

/// Channels whose results stay in registers.
const CHANNELS: usize = 8;

/// Computes some windows, counted over all images; `out` has the channels of each.
///
/// # Panics
/// If a window is not there, or `out` is not as long as they are.
pub fn pool_windows(args: &ImagePool<'_>, range: Range<usize>, out: &mut [f32]) {
    let (windows, channels) = (args.windows, args.channels);
    let ([_, rows, columns], [depth, height, width]) = (windows.output, windows.input);
    // Of the line of windows that is computed: where the lines of the image begin that it reaches.
    let (mut last, mut lines) = (None, Vec::new());
    for (window, out) in range.zip(out.chunks_exact_mut(channels.max(1))) {
        let line = window / columns;
        let at = [line / rows % windows.output[0], line % rows, window % columns];
        if last != Some(line) {
            last = Some(line);
            lines.clear();
            let image = line / rows / windows.output[0];
            for d in windows.places(0, at[0]) {
                let start = (image * depth + d) * height;
                lines.extend(windows.places(1, at[1]).map(|h| (start + h) * width));
            }
        }
        let taps = windows.places(2, at[2]);
        let inside = lines.len() * taps.len();
        for channel in (0..channels).step_by(CHANNELS) {
            // The last ones are computed again: they come out the same.
            let channel = channel.min(channels.saturating_sub(CHANNELS));
            let part = channel..channels.min(channel + CHANNELS);
            let of = |line: usize, w: usize| {
                load::<Native>(&args.x[(line + w) * channels..][part.clone()])
            };
            let result = match args.largest {
                true => largest::<Native>(&lines, taps.clone(), of),
                false => sum::<Native>(&lines, taps.clone(), of),
            };
            store::<Native>(result, &mut out[part]);
        }
        if args.largest {
            continue;
        }
        let count = args.ends.map_or(inside, |ends| {
            let declared = |axis: usize| {
                let start = at[axis] * windows.stride[axis];
                let taps = ends[axis].saturating_sub(start).div_ceil(windows.dilation[axis]);
                taps.min(windows.kernel[axis])
            };
            declared(0) * declared(1) * declared(2)
        });
        out.iter_mut().for_each(|mean| *mean /= count as f32);
    }
}

/// The largest of some channels.
#[inline(always)]
fn largest<L: Lanes>(
    lines: &[usize],
    taps: impl Iterator<Item = usize> + Clone,
    of: impl Fn(usize, usize) -> [L::F; 2],
) -> [L::F; 2] {
    let mut most = [L::splat(f32::NEG_INFINITY); 2];
    for &line in lines {
        for w in taps.clone() {
            let x = of(line, w);
            most = [L::largest(most[0], x[0]), L::largest(most[1], x[1])];
        }
    }
    most
}

/// The sum of some channels.
#[inline(always)]
fn sum<L: Lanes>(
    lines: &[usize],
    taps: impl Iterator<Item = usize> + Clone,
    of: impl Fn(usize, usize) -> [L::F; 2],
) -> [L::F; 2] {
    let mut all = [L::splat(0.0); 2];
    for &line in lines {
        let mut part = [L::splat(0.0); 2];
        for (index, w) in taps.clone().enumerate() {
            let x = of(line, w);
            part = [L::add(part[0], x[0]), L::add(part[1], x[1])];
            if index % LINE == LINE - 1 {
                all = [L::add(all[0], part[0]), L::add(all[1], part[1])];
                part = [L::splat(0.0); 2];
            }
        }
        all = [L::add(all[0], part[0]), L::add(all[1], part[1])];
    }
    all
}
