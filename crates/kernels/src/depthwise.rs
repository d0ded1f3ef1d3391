//! Convolutions of each channel by itself, of images whose channels lie side by side.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use crate::epilogue::{Activation, Epilogue, load, store};
use crate::lanes::{Lanes, Native};
use crate::window::Windows;
use sidestage_tensor::SharedOut;
use std::array::from_fn;
use std::ops::Range;

/// Windows of a tile: their sums, a line's weights and what is read of it stay in registers, and images of
/// networks are 7, 14, 28, 56 or 112 wide. Against four windows of eight channels, 3 × 3 is 1.27 and 1.49
/// times as fast on images of 14 and 7, 0.99 to 1.27 times on larger ones, with every second window 1.05
/// times, and 5 × 5 1.13 times.
const WINDOWS: usize = 7;

/// The same of 5 × 5 with every second window, where seven are 0.93 times as fast as eight channels were,
/// and four 0.96.
const FEW: usize = 4;

/// Channels of a tile.
const CHANNELS: usize = 4;

/// `y = epilogue(sum over the taps of x * weights)`, channel by channel.
pub struct Depthwise<'a> {
    /// How the windows lie.
    pub windows: &'a Windows,
    /// Channels.
    pub channels: usize,
    /// `[n, d, h, w, channels]`, whole or some lines of it.
    pub x: &'a [f32],
    /// Lines that come before those of `x`.
    pub before: usize,
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
                    let line = (image * depth + d) * height + h;
                    assert!(line >= args.before);
                    let start = (line - args.before) * width * args.channels;
                    taps.push(((kd * kernel_height + kh) * kernel_width, start));
                }
            }
        }
        let at = line * columns;
        let quick = args.channels >= CHANNELS && windows.dilation[2] == 1;
        match (kernel_width, windows.stride[2]) {
            (3, 1) if quick => args.line::<Native, WINDOWS, 3, 1>(&taps, at, &mut room),
            (3, 2) if quick => args.line::<Native, WINDOWS, 3, 2>(&taps, at, &mut room),
            (5, 1) if quick => args.line::<Native, WINDOWS, 5, 1>(&taps, at, &mut room),
            (5, 2) if quick => args.line::<Native, FEW, 5, 2>(&taps, at, &mut room),
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
    /// A line of windows of `K` taps, one every `S` columns, `W` to a tile. The last tile is moved back to
    /// its end.
    #[inline(never)]
    fn line<L: Lanes, const W: usize, const K: usize, const S: usize>(
        &self,
        lines: &[Line],
        at: usize,
        room: &mut Room,
    ) {
        let (channels, columns) = (self.channels, self.windows.output[2]);
        let (width, pad) = (self.windows.input[2], self.windows.pad[2]);
        let wanted = (W - 1) * S + K;
        for &(tap, line) in lines {
            assert!(line + width * channels <= self.x.len());
            assert!((tap + K) * channels <= self.weights.len());
        }
        for window in (0..columns).step_by(W) {
            let window = window.min(columns.saturating_sub(W));
            let places = (at + window) * channels..(at + columns.min(window + W)) * channels;
            let start = window * S;
            if start >= pad && start - pad + wanted <= width {
                // SAFETY: these columns lie in each line, which lies in `x`, as was asserted.
                unsafe {
                    self.tile::<L, W, K, S>(&self.x[(start - pad) * channels..], lines, places)
                };
                continue;
            }
            let Room { values, lines: heads } = &mut *room;
            values.clear();
            heads.clear();
            for (tap, line) in lines {
                heads.push((*tap, values.len()));
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
            unsafe { self.tile::<L, W, K, S>(values, heads, places) };
        }
    }

    /// Some windows side by side, all of whose columns lie in `x`: in lines from these places on.
    ///
    /// # Safety
    /// They must be there, and the weights of these lines.
    #[inline(never)]
    unsafe fn tile<L: Lanes, const W: usize, const K: usize, const S: usize>(
        &self,
        x: &[f32],
        lines: &[Line],
        places: Range<usize>,
    ) {
        let channels = self.channels;
        let (place, last) = (places.start, places.len() / channels - 1);
        // SAFETY: these windows are ours, and no other slice of them lives.
        let y = unsafe { self.y.part(places) };
        let plain = self.epilogue.add.is_none() && self.epilogue.slopes.is_none();
        let [least, most] = match self.epilogue.activation {
            Activation::Clip(least, most) => [least, most],
            _ => [f32::NEG_INFINITY, f32::INFINITY],
        };
        let (least, most) = (L::splat(least), L::splat(most));
        for channel in (0..channels).step_by(CHANNELS) {
            // The last ones are computed again: they come out the same.
            let channel = channel.min(channels - CHANNELS);
            let bias = self.epilogue.bias.map(|bias| bias[channel..].first_chunk().expect("four"));
            let mut sums = [bias.map_or(L::splat(0.0), L::load); W];
            for &(tap, line) in lines {
                // SAFETY: the weights of `K` taps and the columns of the line are there, as the caller
                // promises, and in each of them these channels.
                let (weights, x) = unsafe {
                    let weights = self.weights.as_ptr().add(tap * channels + channel);
                    (weights, x.as_ptr().add(line + channel))
                };
                // SAFETY: as above.
                let of = |from: *const f32, at: usize| unsafe {
                    L::load(&*from.add(at * channels).cast())
                };
                let weights: [L::F; K] = from_fn(|k| of(weights, k));
                unrolled!((W - 1) * S + K, column => {
                    let x = of(x, column);
                    unrolled!(W, w => {
                        if column >= w * S && column < w * S + K {
                            sums[w] = L::madd(x, weights[column - w * S], sums[w]);
                        }
                    });
                }, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
            }
            if plain {
                unrolled!(W, w => sums[w] = L::at_most(L::at_least(sums[w], least), most));
            } else {
                // A copy: what is lent lies in memory.
                let mut lent = sums;
                self.finish::<L, W>(&mut lent, channel, place, last);
                sums = lent;
            }
            // Windows that are not there are written where the last one is, and before it.
            unrolled!(W, w => {
                let at = (W - 1 - w).min(last) * channels + channel;
                // SAFETY: a window that is there, and channels that it has.
                let to: &mut [f32; 4] = unsafe { &mut *y.as_mut_ptr().add(at).cast() };
                *to = L::store(sums[W - 1 - w]);
            });
        }
    }

    /// What becomes of sums where that takes more than limits.
    #[inline(never)]
    fn finish<L: Lanes, const W: usize>(
        &self,
        sums: &mut [L::F; W],
        channel: usize,
        place: usize,
        last: usize,
    ) {
        let columns = Epilogue { bias: None, ..self.epilogue };
        let of = columns.columns::<L>(channel..channel + CHANNELS);
        for (w, sum) in sums.iter_mut().enumerate() {
            let at = place + w.min(last) * self.channels + channel;
            let mut both = [[*sum, L::splat(0.0)]];
            columns.finish::<L, 1>(&mut both, &of, &from_fn(|_| at..at + CHANNELS));
            *sum = both[0][0];
        }
    }

    /// Any window.
    fn any<L: Lanes>(&self, lines: &[Line], window: usize, at: usize) {
        let channels = self.channels;
        for channel in (0..channels).step_by(8) {
            let columns = channel..channels.min(channel + 8);
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
