//! Convolutions of images whose channels lie side by side, as products of matrices.
//!
//! A row of the left side is a window: its elements in the order of the taps, of each tap the
//! channels. Short ones are read where they lie in the image, line by line; of others a block of rows
//! and of steps is gathered at a time, so that there is never an image of windows; those of one
//! element are the image itself.

#![allow(unsafe_code, reason = "products read windows by their places in the image")]

use crate::epilogue::Epilogue;
use crate::gemm::{Dense, Product, Room, Source, panels};
use crate::lanes::Native;
use crate::window::Windows;
use sidestage_tensor::SharedOut;
use std::hint::black_box;
use std::ops::Range;
use std::ptr::null;

/// `y = epilogue(windows of x · weights)`.
pub struct Conv<'a> {
    /// How the windows lie.
    pub windows: &'a Windows,
    /// Groups of channels that do not meet.
    pub groups: usize,
    /// Channels of `x` and of `y`.
    pub channels: (usize, usize),
    /// `[n, d, h, w, channels]`.
    pub x: &'a [f32],
    /// For each group what [`pack`](crate::pack) makes of `[taps * channels, outputs]`.
    pub weights: &'a [f32],
    /// What becomes of a sum.
    pub epilogue: Epilogue<'a>,
    /// `[n, d, h, w, channels]` of the windows, whole or without the first ones.
    pub y: SharedOut<'a, f32>,
    /// How many are not in `y`.
    pub before: usize,
}

impl Conv<'_> {
    /// Whether windows are elements, one for each.
    fn plain(&self) -> bool {
        let Windows { input, output, kernel, stride, pad, .. } = self.windows;
        self.groups == 1 && input == output && (*kernel, *stride, *pad) == ([1; 3], [1; 3], [0; 3])
    }

    /// Panels of a group.
    fn panels(&self) -> usize {
        panels(self.channels.1 / self.groups)
    }
}

/// Computes some panels, counted over all groups, of some windows of `y`, counted over all images. No two
/// threads may do the same ones at once.
///
/// # Panics
/// If a part is not there.
pub fn conv(args: &Conv<'_>, rows: Range<usize>, panels: Range<usize>) {
    let (channels, outputs) = args.channels;
    let (per, n) = (channels / args.groups, outputs / args.groups);
    let (k, width) = (args.windows.taps() * per, args.panels());
    let weights: &[[[f32; 4]; 2]] = bytemuck::cast_slice(args.weights);
    let plain = args.plain();
    let dense = Dense { a: if plain { &args.x[args.before * k..] } else { &[] }, apart: k };
    let mut at = panels.start;
    while at < panels.end {
        let group = at / width;
        let part = at - group * width..width.min(panels.end - group * width);
        at += part.len();
        let windows = Gathered { args, first: group * per, per };
        let source: &dyn Source = if plain { &dense } else { &windows };
        let b = &weights[group * width * k..][..width * k];
        let (place, epilogue) = ((group * n, outputs), args.epilogue);
        let product = Product { source, k, b, n, place, epilogue, c: args.y };
        product.run::<Native>(rows.clone(), part);
    }
}

/// The windows of a group.
struct Gathered<'a> {
    args: &'a Conv<'a>,
    /// Its first channel, and how many it has.
    first: usize,
    per: usize,
}

// SAFETY: places are those of slices of the image or of the room that are as long as a run.
unsafe impl Source for Gathered<'_> {
    fn block(&self, rows: Range<usize>, steps: Range<usize>, room: &mut Room) {
        let (windows, channels) = (self.args.windows, self.args.channels.0);
        let rows = rows.start + self.args.before..rows.end + self.args.before;
        let [_, kernel_height, kernel_width] = windows.kernel;
        // Taps side by side whose channels are all taken lie in one run.
        let joined = windows.dilation[2] == 1 && self.per == channels;
        let (runs, taps) = if joined { (1, kernel_width) } else { (kernel_width, 1) };
        let run = taps * self.per;
        let taps = |index: usize| {
            let (tap, kw) = (index / runs, index % runs);
            [tap / kernel_height, tap % kernel_height, kw]
        };
        if steps.len() == windows.taps() * self.per {
            return self.places(rows, steps.len() / run.max(1), run, taps, room);
        }
        room.values.resize(rows.len() * steps.len(), 0.0);
        let mut at = steps.start;
        while at < steps.end {
            let (index, from) = (at / run, at % run);
            let end = steps.end.min(at + run - from);
            let span = at - steps.start..end - steps.start;
            let rows_of_room = room.values.chunks_exact_mut(steps.len());
            self.run(rows.start, taps(index), from, span, rows_of_room);
            at = end;
        }
        let Room { values, places, run } = room;
        *run = steps.len();
        places.clear();
        places.extend(values.chunks_exact(steps.len()).map(<[f32]>::as_ptr));
    }
}

impl Gathered<'_> {
    /// Where the runs of whole windows lie. Those that reach beyond the image are copied, with the zeros
    /// around it.
    fn places(
        &self,
        rows: Range<usize>,
        runs: usize,
        run: usize,
        taps: impl Fn(usize) -> [usize; 3],
        room: &mut Room,
    ) {
        let (windows, channels) = (self.args.windows, self.args.channels.0);
        let ([depth, height, width], [planes, lines, columns]) = (windows.input, windows.output);
        let (line, step) = (width * channels, windows.stride[2] * channels);
        let Room { values, places, .. } = room;
        room.run = run;
        places.clear();
        places.reserve(runs * rows.len());
        values.resize(runs * rows.len() * run, 0.0);
        for index in 0..runs {
            let [kd, kh, kw] = taps(index);
            let offset = (kw * windows.dilation[2] * channels + self.first) as isize
                - (windows.pad[2] * channels) as isize;
            let mut row = rows.start;
            while row < rows.end {
                // The windows of a line.
                let (first, at) = (row % columns, row / columns);
                let count = (columns - first).min(rows.end - row);
                row += count;
                let (d, h) = (at / lines % planes, at % lines);
                let inside = windows.place(0, d, kd).zip(windows.place(1, h, kh));
                let x = inside.map(|(d, h)| {
                    let start = ((at / lines / planes * depth + d) * height + h) * line;
                    &self.args.x[start..start + line]
                });
                for window in first..first + count {
                    let start = offset + (window * step) as isize;
                    let inside = x.and_then(|x| x.get(usize::try_from(start).ok()?..)?.get(..run));
                    if inside.is_none() {
                        let to = &mut values[places.len() * run..][..run];
                        copy_part(x.unwrap_or(&[]), start, to);
                    }
                    // Those of copies when all are made.
                    places.push(inside.map_or(null(), <[f32]>::as_ptr));
                }
            }
        }
        for (at, place) in places.iter_mut().enumerate().filter(|(_, place)| place.is_null()) {
            *place = values[at * run..].as_ptr();
        }
    }

    /// Some elements, side by side in the image, of windows one after the other: those of a tap from
    /// the `from`-th on, to this span of their rows.
    fn run<'a>(
        &self,
        first: usize,
        [kd, kh, kw]: [usize; 3],
        from: usize,
        span: Range<usize>,
        rows: impl Iterator<Item = &'a mut [f32]>,
    ) {
        let (windows, channels) = (self.args.windows, self.args.channels.0);
        let ([depth, height, width], [planes, lines, columns]) = (windows.input, windows.output);
        let (line, count) = (width * channels, span.len());
        let (mut w, mut h) = (first % columns, first / columns % lines);
        let (mut d, mut image) = (first / columns / lines % planes, first / windows.outputs());
        // Where the run begins in a line, as far as the first window's is in the image.
        let offset = (kw * windows.dilation[2] * channels + self.first + from) as isize
            - (windows.pad[2] * channels) as isize;
        for row in rows {
            let to = &mut row[span.clone()];
            match (windows.place(0, d, kd), windows.place(1, h, kh)) {
                (Some(d), Some(h)) => {
                    let start = ((image * depth + d) * height + h) * line;
                    let x = &self.args.x[start..start + line];
                    let start = offset + (w * windows.stride[2] * channels) as isize;
                    let inside = usize::try_from(start).ok();
                    match inside.and_then(|start| x.get(start..start + count)) {
                        Some(x) => copy(x, to),
                        None => copy_part(x, start, to),
                    }
                }
                _ => to.fill(0.0),
            }
            w += 1;
            if w == columns {
                (w, h) = (0, h + 1);
                if h == lines {
                    (h, d) = (0, d + 1);
                    if d == planes {
                        (d, image) = (0, image + 1);
                    }
                }
            }
        }
    }
}

/// Copies a few elements faster than a call of `memory.copy`.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    const SHORT: usize = 64;
    let count = to.len();
    if !(4..=SHORT).contains(&count) {
        to.copy_from_slice(from);
        return;
    }
    let mut at = 0;
    loop {
        // A place that the compiler cannot follow from step to step: it would see the call.
        let place = black_box(at.min(count - 4));
        if let (Some(to), Some(from)) = (to[place..].first_chunk_mut(), from[place..].first_chunk())
        {
            *to = *from as [f32; 4];
        }
        at += 4;
        if at >= count {
            return;
        }
    }
}

/// Elements of a line from a place on that may lie outside, where there are zeros.
fn copy_part(line: &[f32], start: isize, to: &mut [f32]) {
    let end = start + to.len() as isize;
    let before = (-start).clamp(0, to.len() as isize) as usize;
    let behind = (end - line.len() as isize).clamp(0, to.len() as isize) as usize;
    to.fill(0.0);
    if before + behind < to.len() {
        let inside = before..to.len() - behind;
        to[inside]
            .copy_from_slice(&line[start.max(0) as usize..end.min(line.len() as isize) as usize]);
    }
}

#[cfg(test)]
pub(crate) mod tests;
