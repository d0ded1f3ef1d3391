//! Convolutions of each channel by itself, of images whose channels lie side by side.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use crate::epilogue::{Epilogue, load, store};
use crate::lanes::{Lanes, Native};
use crate::window::Windows;
use sidestage_tensor::SharedOut;
use std::array::from_fn;
use std::ops::Range;

/// Windows of a tile.
const WINDOWS: usize = 4;

/// Channels of a tile.
const CHANNELS: usize = 8;

/// `y = epilogue(sum over the taps of x * weights)`, channel by channel.
pub struct Depthwise<'a> {
    /// How the windows lie.
    pub windows: &'a Windows,
    /// Channels.
    pub channels: usize,
    /// `[n, d, h, w, channels]`.
    pub x: &'a [f32],
    /// `[taps, channels]`.
    pub weights: &'a [f32],
    /// What becomes of a sum.
    pub epilogue: Epilogue<'a>,
    /// `[n, d, h, w, channels]` of the windows.
    pub y: SharedOut<'a, f32>,
}

/// A line of the image that some taps lie in: the first of these, and where it lies in `x`.
type Line = (usize, usize);

/// The columns of a tile at a side of the image, with zeros around it, and where its lines are.
#[derive(Default)]
struct Room {
    values: Vec<f32>,
    lines: Vec<Line>,
}

/// Computes some lines of windows, `[n, d, h]` of `y`. No two threads may do the same ones at once.
///
/// # Panics
/// If a line is not there.
pub fn depthwise_lines(args: &Depthwise<'_>, lines: Range<usize>) {
    let windows = args.windows;
    let [_, kernel_height, kernel_width] = windows.kernel;
    let ([depth, height, width], [planes, rows, columns]) = (windows.input, windows.output);
    let mut taps: Vec<Line> = Vec::new();
    let mut room = Room::default();
    for line in lines {
        let (image, d, h) = (line / rows / planes, line / rows % planes, line % rows);
        taps.clear();
        for kd in 0..windows.kernel[0] {
            for kh in 0..kernel_height {
                if let (Some(d), Some(h)) = (windows.place(0, d, kd), windows.place(1, h, kh)) {
                    let start = ((image * depth + d) * height + h) * width * args.channels;
                    taps.push(((kd * kernel_height + kh) * kernel_width, start));
                }
            }
        }
        let at = line * columns;
        let quick = columns >= WINDOWS && args.channels >= CHANNELS && windows.dilation[2] == 1;
        match (kernel_width, windows.stride[2]) {
            (3, 1) if quick => args.line::<Native, 3, 1>(&taps, at, &mut room),
            (3, 2) if quick => args.line::<Native, 3, 2>(&taps, at, &mut room),
            (5, 1) if quick => args.line::<Native, 5, 1>(&taps, at, &mut room),
            (5, 2) if quick => args.line::<Native, 5, 2>(&taps, at, &mut room),
            _ => (0..columns).for_each(|window| args.any::<Native>(&taps, window, at + window)),
        }
        if args.epilogue.passes() {
            // SAFETY: this line is ours, and no other slice of it lives.
            let cells = unsafe { args.y.part(at * args.channels..(at + columns) * args.channels) };
            args.epilogue.pass(cells);
        }
    }
}

impl Depthwise<'_> {
    /// A line of windows of `K` taps, one every `S` columns. The last tile is moved back to its end.
    #[inline(never)]
    fn line<L: Lanes, const K: usize, const S: usize>(
        &self,
        lines: &[Line],
        at: usize,
        room: &mut Room,
    ) {
        let (channels, columns) = (self.channels, self.windows.output[2]);
        let (width, pad) = (self.windows.input[2], self.windows.pad[2]);
        let wanted = (WINDOWS - 1) * S + K;
        for &(tap, line) in lines {
            assert!(line + width * channels <= self.x.len());
            assert!((tap + K) * channels <= self.weights.len());
        }
        for window in (0..columns).step_by(WINDOWS) {
            let window = window.min(columns - WINDOWS);
            let at = (at + window) * channels;
            let start = window * S;
            if start >= pad && start - pad + wanted <= width {
                // SAFETY: these columns lie in each line, which lies in `x`, as was asserted.
                unsafe { self.tile::<L, K, S>(&self.x[(start - pad) * channels..], lines, at) };
                continue;
            }
            let Room { values, lines: places } = &mut *room;
            values.clear();
            places.clear();
            for (tap, line) in lines {
                places.push((*tap, values.len()));
                // In columns of the image, with those before it.
                let from = start.clamp(pad, pad + width);
                let to = (start + wanted).clamp(from, pad + width);
                let size = values.len() + wanted * channels;
                values.resize(values.len() + (from - start).min(wanted) * channels, 0.0);
                let inside = line + (from - pad) * channels..line + (to - pad) * channels;
                values.extend_from_slice(&self.x[inside]);
                values.resize(size, 0.0);
            }
            // SAFETY: so many columns were put there for each line.
            unsafe { self.tile::<L, K, S>(values, places, at) };
        }
    }

    /// Some windows side by side, all of whose columns lie in `x`: in lines from these places on.
    ///
    /// # Safety
    /// They must be there, and the weights of these lines.
    #[inline(never)]
    unsafe fn tile<L: Lanes, const K: usize, const S: usize>(
        &self,
        x: &[f32],
        lines: &[Line],
        at: usize,
    ) {
        let channels = self.channels;
        for channel in (0..channels).step_by(CHANNELS) {
            // The last ones are computed again: they come out the same.
            let channel = channel.min(channels - CHANNELS);
            let mut sums = [[L::splat(0.0); 2]; WINDOWS];
            for &(tap, line) in lines {
                // SAFETY: the weights of `K` taps and the columns of the line are there, as the caller
                // promises, and in each of them these channels.
                let (weights, x) = unsafe {
                    let weights = self.weights.as_ptr().add(tap * channels + channel);
                    (weights, x.as_ptr().add(line + channel))
                };
                // SAFETY: as above.
                let of = |from: *const f32, at: usize, half: usize| unsafe {
                    L::load(&*from.add(at * channels + 4 * half).cast())
                };
                unrolled!(2, half => {
                    let weights: [L::F; K] = from_fn(|k| of(weights, k, half));
                    unrolled!((WINDOWS - 1) * S + K, column => {
                        let x = of(x, column, half);
                        unrolled!(WINDOWS, w => {
                            if column >= w * S && column < w * S + K {
                                let sum = &mut sums[w][half];
                                *sum = L::madd(x, weights[column - w * S], *sum);
                            }
                        });
                    }, 0 1 2 3 4 5 6 7 8 9 10);
                });
            }
            let places = from_fn(|w| {
                let at = at + w * channels + channel;
                at..at + CHANNELS
            });
            self.put::<L, WINDOWS>(sums, channel..channel + CHANNELS, &places);
        }
    }

    /// Any window.
    fn any<L: Lanes>(&self, lines: &[Line], window: usize, at: usize) {
        let channels = self.channels;
        for channel in (0..channels).step_by(CHANNELS) {
            let columns = channel..channels.min(channel + CHANNELS);
            let of = |values: &[f32], at: usize| load::<L>(&values[at..][..columns.len()]);
            let mut sums = [L::splat(0.0); 2];
            for (tap, line) in lines {
                for kw in 0..self.windows.kernel[2] {
                    let Some(place) = self.windows.place(2, window, kw) else { continue };
                    let weights = of(self.weights, (tap + kw) * channels + channel);
                    let x = of(self.x, line + place * channels + channel);
                    sums = [0, 1].map(|half| L::madd(x[half], weights[half], sums[half]));
                }
            }
            let at = at * channels + channel;
            let place = at..at + columns.len();
            self.put::<L, 1>([sums], columns, &[place]);
        }
    }

    #[inline(always)]
    fn put<L: Lanes, const R: usize>(
        &self,
        mut sums: [[L::F; 2]; R],
        channels: Range<usize>,
        places: &[Range<usize>; R],
    ) {
        let columns = self.epilogue.columns::<L>(channels);
        self.epilogue.finish::<L, R>(&mut sums, &columns, places);
        unrolled!(R, r => {
            // SAFETY: these channels of the window are ours, and no other slice of them lives.
            store::<L>(sums[r], unsafe { self.y.part(places[r].clone()) });
        });
    }
}
