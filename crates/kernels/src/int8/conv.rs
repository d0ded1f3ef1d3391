//! Convolutions of bytes as products of matrices: see [`crate::Conv`].

use super::pack::{STEP, packed_steps};
use super::product::{Product, Source};
use super::{Int8, Int8Results, copy_bytes};
use crate::lanes::Dots;
use crate::panels;
use crate::window::Windows;
use std::ops::Range;

/// Windows of `x` times weights, each side without its zeros.
pub struct ConvInt8<'a> {
    /// How the windows lie.
    pub windows: &'a Windows,
    /// Groups of channels that do not meet.
    pub groups: usize,
    /// Channels of `x` and of the result.
    pub channels: (usize, usize),
    /// `[n, d, h, w, channels]`.
    pub x: Int8<'a>,
    /// For each group what [`pack_int8`](crate::pack_int8) makes of `[taps * channels, outputs]`.
    pub weights: &'a [u8],
    /// What stands for 0 in the outputs' packed weights: one for each or for all, or none that is not 0.
    pub zeros: &'a [i32],
    /// A value for each output.
    pub bias: Option<&'a [i32]>,
    /// What becomes of a sum: `[n, d, h, w, outputs]` of the windows.
    pub results: Int8Results<'a>,
}

impl ConvInt8<'_> {
    /// Whether windows are elements, one for each.
    fn plain(&self) -> bool {
        let Windows { input, output, kernel, stride, pad, .. } = self.windows;
        self.groups == 1 && input == output && (*kernel, *stride, *pad) == ([1; 3], [1; 3], [0; 3])
    }

    pub(super) fn by<D: Dots>(&self, rows: Range<usize>, of_panels: Range<usize>) {
        let (channels, outputs) = self.channels;
        let (per, n) = (channels / self.groups, outputs / self.groups);
        let (k, width) = (self.windows.taps() * per, panels(n));
        let mut at = of_panels.start;
        while at < of_panels.end {
            let group = at / width;
            let part = at - group * width..width.min(of_panels.end - group * width);
            at += part.len();
            let of_group = |values: &[i32]| match values.len() {
                0 | 1 => 0..values.len(),
                _ => group * n..(group + 1) * n,
            };
            let size = width * packed_steps(k) * STEP;
            let product = Product {
                x: self.x,
                source: &Gathered { args: self, first: group * per, per },
                k,
                weights: &self.weights[group * size..][..size],
                zeros: &self.zeros[of_group(self.zeros)],
                n,
                place: (group * n, outputs),
                bias: self.bias.map(|bias| &bias[group * n..(group + 1) * n]),
                results: self.results,
            };
            product.run::<D>(rows.clone(), part);
        }
    }
}

/// The windows of a group.
struct Gathered<'a> {
    args: &'a ConvInt8<'a>,
    /// Its first channel, and how many it has.
    first: usize,
    per: usize,
}

impl Source for Gathered<'_> {
    fn gather(&self, rows: Range<usize>, room: &mut [u8], stride: usize) {
        let (windows, channels) = (self.args.windows, self.args.channels.0);
        let ([depth, height, width], [planes, lines, columns]) = (windows.input, windows.output);
        let [kernel_depth, kernel_height, kernel_width] = windows.kernel;
        let (line, run) = (width * channels, kernel_width * self.per);
        // Taps side by side whose channels are all taken lie in one run.
        let joined = windows.dilation[2] == 1 && self.per == channels;
        // Where the lines of a window begin; `None`: outside.
        let mut starts: Vec<Option<usize>> = Vec::new();
        let mut row = rows.start;
        while row < rows.end {
            let (image, at) = (row / windows.outputs(), row % windows.outputs());
            let [d, h, w] = [at / columns / lines % planes, at / columns % lines, at % columns];
            starts.clear();
            for kd in 0..kernel_depth {
                let d = windows.place(0, d, kd);
                starts.extend((0..kernel_height).map(|kh| {
                    let (d, h) = (d?, windows.place(1, h, kh)?);
                    Some(((image * depth + d) * height + h) * line)
                }));
            }
            let count = (columns - w).min(rows.end - row);
            for (n, w) in (w..w + count).enumerate() {
                let room = &mut room[(row - rows.start + n) * stride..];
                let left = (w * windows.stride[2]).checked_sub(windows.pad[2]);
                let left = left.map(|left| left * channels).filter(|left| left + run <= line);
                for (tap, start) in starts.iter().enumerate() {
                    let to = &mut room[tap * run..];
                    match (*start, left.filter(|_| joined)) {
                        (Some(start), Some(left)) => {
                            copy_bytes(&self.args.x.bytes[start + left..], to, run);
                        }
                        (Some(start), None) => {
                            let line = &self.args.x.bytes[start..start + line];
                            self.taps(line, w, &mut to[..run]);
                        }
                        (None, _) => to[..run].fill(self.args.x.outside()),
                    }
                }
            }
            row += count;
        }
    }

    fn dense(&self, rows: Range<usize>) -> Option<&[u8]> {
        let channels = self.args.channels.0;
        let all = &self.args.x.bytes;
        self.args.plain().then(|| &all[rows.start * channels..rows.end * channels])
    }
}

impl Gathered<'_> {
    /// The taps of a window that lie in one line, one by one.
    fn taps(&self, line: &[u8], window: usize, to: &mut [u8]) {
        let (windows, channels) = (self.args.windows, self.args.channels.0);
        for (kw, to) in to.chunks_exact_mut(self.per).enumerate() {
            match windows.place(2, window, kw) {
                Some(w) => to.copy_from_slice(&line[w * channels + self.first..][..self.per]),
                None => to.fill(self.args.x.outside()),
            }
        }
    }
}
