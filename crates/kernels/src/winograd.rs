//! Convolutions of 3 × 3 windows, one for each element, by fewer products: F(2 × 2, 3 × 3) of Lavin
//! and Gray (arXiv:1509.09308).
//!
//! Four results side by side in two lines need 4 × 4 elements. These are turned into 16 sums, the nine
//! weights into 16 more; the products of each of the 16 with its weights are summed over the channels,
//! as products of matrices, and the results are sums of those: 16 products in the place of 36. Only
//! sums of four elements and of nine weights are rounded more than in the definition. Where a result
//! is no finite number, the four are computed as they are defined, since differences of infinities are
//! none. Nothing of this may become a part of an operator, which is compiled for size.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use crate::epilogue::{Epilogue, store};
use crate::gemm::{Dense, PANEL, Product};
use crate::lanes::{Lanes, Native};
use crate::window::Windows;
use sidestage_tensor::SharedOut;
use std::array::{from_fn, from_ref};
use std::ops::Range;

/// Lines and columns of the elements of a tile.
const SIDE: usize = 4;

/// Sums that the elements of a tile are turned into.
pub const WINOGRAD: usize = SIDE * SIDE;

/// Tiles whose sums are there at once: with 256 channels 512 KB.
const TILES: usize = 32;

/// Panels whose products are there at once: 128 KB of a block of tiles.
const PANELS: usize = 8;

/// Between the values of one of the 16 sums and those of the next: else they would lie a power of two
/// apart, and all 16 of a tile in the same few lines of the nearest cache. Without it, and with tiles
/// of several blocks in a unit, ResNet-18 took 0.90 of the time instead of 0.67.
const GAP: usize = 16;

/// `y = epilogue(windows of x · weights)`, of windows of 3 × 3, one for each element of a line and a
/// column that is one of the results'.
pub struct Winograd<'a> {
    /// How the windows lie.
    pub windows: &'a Windows,
    /// Channels of `x`, a multiple of four, and of `y`, a multiple of [`PANEL`].
    pub channels: (usize, usize),
    /// `[n, 1, h, w, channels]`.
    pub x: &'a [f32],
    /// What [`winograd_weights`] makes of all panels.
    pub weights: &'a [f32],
    /// What becomes of a sum.
    pub epilogue: Epilogue<'a>,
    /// `[n, 1, h, w, channels]` of the windows.
    pub y: SharedOut<'a, f32>,
}

/// How many tiles cover the windows of an image: lines and columns of them.
pub fn winograd_tiles(windows: &Windows) -> [usize; 2] {
    [windows.output[1].div_ceil(2), windows.output[2].div_ceil(2)]
}

/// Turns the weights of some panels, packed as [`pack`](crate::pack) does it: nine taps of the channels.
/// For each of the 16 sums `out` has all panels, in each for every channel the weights of its columns.
///
/// # Panics
/// If a panel is not there, or a part of `out`.
#[inline(never)]
pub fn winograd_weights(
    packed: &[f32],
    channels: usize,
    panels: Range<usize>,
    out: &SharedOut<'_, f32>,
) {
    let size = channels * PANEL;
    let all = packed.len() / (9 * size).max(1);
    for panel in panels {
        let taps = &packed[panel * 9 * size..][..9 * size];
        // SAFETY: this panel is ours.
        let sums: [&mut [f32]; WINOGRAD] = from_fn(|sum| unsafe {
            out.part((sum * all + panel) * size..(sum * all + panel + 1) * size)
        });
        for at in 0..size {
            let weights: [[f32; 3]; 3] = from_fn(|h| from_fn(|w| taps[(h * 3 + w) * size + at]));
            let lines: [[f32; SIDE]; 3] = weights.map(spread);
            for column in 0..SIDE {
                let column_of = spread(lines.map(|line| line[column]));
                for (line, sum) in column_of.into_iter().enumerate() {
                    sums[line * SIDE + column][at] = sum;
                }
            }
        }
    }
}

/// Three weights along a line or a column.
fn spread([a, b, c]: [f32; 3]) -> [f32; SIDE] {
    [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c]
}

/// Computes some panels of some tiles, counted over all images. No two threads may do the same ones at
/// once.
///
/// # Panics
/// If a part is not there.
#[inline(never)]
pub fn winograd(args: &Winograd<'_>, tiles: Range<usize>, panels: Range<usize>) {
    let (channels, _) = args.channels;
    let zeros = vec![0.0; channels];
    let (mut sums, mut products) = (Vec::new(), Vec::new());
    for start in tiles.clone().step_by(TILES) {
        let tiles = start..tiles.end.min(start + TILES);
        sums.resize(WINOGRAD * (tiles.len() * channels + GAP), 0.0);
        args.elements::<Native>(tiles.clone(), &zeros, &mut sums);
        for start in panels.clone().step_by(PANELS) {
            let panels = start..panels.end.min(start + PANELS);
            products.resize(WINOGRAD * (tiles.len() * panels.len() * PANEL + GAP), 0.0);
            args.products::<Native>(tiles.len(), panels.clone(), &sums, &mut products);
            args.results::<Native>(tiles.clone(), panels, &products);
        }
    }
}

impl Winograd<'_> {
    /// The image of a tile, and the line and the column of its first result.
    fn place(&self, tile: usize) -> [usize; 3] {
        let [lines, columns] = winograd_tiles(self.windows);
        [tile / columns / lines, tile / columns % lines * 2, tile % columns * 2]
    }

    /// Turns the elements of some tiles into sums: `[16, tiles, channels]`, with gaps.
    #[inline(never)]
    fn elements<L: Lanes>(&self, tiles: Range<usize>, zeros: &[f32], sums: &mut [f32]) {
        let channels = self.channels.0;
        let apart = tiles.len() * channels + GAP;
        for (at, tile) in tiles.enumerate() {
            let from = self.tile(tile, zeros);
            let to = &mut sums[at * channels..][..(WINOGRAD - 1) * apart + channels];
            turn::<L>(&from, to, apart, channels);
        }
    }

    /// Products of the sums with those of the weights of some panels: `[16, tiles, columns]`, with
    /// gaps.
    fn products<L: Lanes>(
        &self,
        tiles: usize,
        panels: Range<usize>,
        sums: &[f32],
        products: &mut [f32],
    ) {
        let (k, outputs) = self.channels;
        let weights: &[[[f32; 4]; 2]] = bytemuck::cast_slice(self.weights);
        let (all, n) = (outputs / PANEL, panels.len() * PANEL);
        let sums = sums.chunks_exact(tiles * k + GAP);
        let products = products.chunks_exact_mut(tiles * n + GAP);
        for (sum, (a, c)) in sums.zip(products).enumerate() {
            let source = Dense { a: &a[..tiles * k], apart: k };
            let b = &weights[(sum * all + panels.start) * k..(sum * all + panels.end) * k];
            let (epilogue, c) = (Epilogue::default(), SharedOut::new(&mut c[..tiles * n]));
            let product = Product { source: &source, k, b, n, place: (0, n), epilogue, c };
            product.run::<L>(0..tiles, 0..panels.len());
        }
    }

    /// The elements of a tile, all channels of each; zeros outside of the image.
    fn tile<'a>(&'a self, tile: usize, zeros: &'a [f32]) -> [[&'a [f32]; SIDE]; SIDE] {
        let channels = self.channels.0;
        let ([_, height, width], [_, above, before]) = (self.windows.input, self.windows.pad);
        let [image, line, column] = self.place(tile);
        let inside =
            |at: usize, pad: usize, size: usize| at.checked_sub(pad).filter(|at| *at < size);
        from_fn(|h| {
            from_fn(|w| {
                match (inside(line + h, above, height), inside(column + w, before, width)) {
                    (Some(h), Some(w)) => {
                        let at = ((image * height + h) * width + w) * channels;
                        &self.x[at..at + channels]
                    }
                    _ => &zeros[..channels],
                }
            })
        })
    }

    /// The 2 × 2 results of a tile and a panel as they are defined, the weights made of their sums; of
    /// four columns and the other four.
    #[cold]
    fn defined<L: Lanes>(&self, tile: usize, panel: usize) -> [[[L::F; 2]; 2]; 2] {
        let (channels, outputs) = self.channels;
        let zeros = vec![0.0; channels];
        let from = self.tile(tile, &zeros);
        let weights: &[[[f32; 4]; 2]] = bytemuck::cast_slice(self.weights);
        let mut sums = [[[L::splat(0.0); 2]; 2]; 2];
        (0..channels).for_each(|channel| {
            for (half, sums) in sums.iter_mut().enumerate() {
                let of = |h: usize, w: usize| {
                    let at = ((h * SIDE + w) * (outputs / PANEL) + panel) * channels + channel;
                    L::load(&weights[at][half])
                };
                let three = |[a, b, c, d]: [L::F; SIDE]| [a, L::sub(b, c), d];
                let lines: [[L::F; 3]; SIDE] = from_fn(|h| three(from_fn(|w| of(h, w))));
                let taps: [[L::F; 3]; 3] = from_fn(|w| three(lines.map(|line| line[w])));
                for (tap, result) in (0..9).flat_map(|tap| (0..4).map(move |result| (tap, result)))
                {
                    let (kh, kw, h, w) = (tap / 3, tap % 3, result / 2, result % 2);
                    let x = L::splat(from[h + kh][w + kw][channel]);
                    sums[h][w] = L::madd(x, taps[kw][kh], sums[h][w]);
                }
            }
        });
        sums
    }

    /// Results of some tiles and panels.
    #[inline(never)]
    fn results<L: Lanes>(&self, tiles: Range<usize>, columns: Range<usize>, products: &[f32]) {
        let ([_, height, width], outputs) = (self.windows.output, self.channels.1);
        let n = columns.len() * PANEL;
        let apart = tiles.len() * n + GAP;
        for (at, tile) in tiles.enumerate() {
            let [image, line, column] = self.place(tile);
            let start = (image * height + line) * width + column;
            let from = &products[at * n..][..(WINOGRAD - 1) * apart + n];
            for panel in 0..columns.len() {
                let first = (columns.start + panel) * PANEL;
                let of_columns = self.epilogue.columns::<L>(first..first + PANEL);
                let mut halves = [0, 4].map(|half| back::<L>(from, panel * PANEL + half, apart));
                // A difference that is 0, or no number.
                let off = |sums: &[[L::F; 2]; 2]| {
                    let each = sums.map(|pair| pair.map(|sum| L::sub(sum, sum)));
                    L::add(L::add(each[0][0], each[0][1]), L::add(each[1][0], each[1][1]))
                };
                if L::sum(L::add(off(&halves[0]), off(&halves[1]))).is_nan() {
                    halves = self.defined::<L>(tile, columns.start + panel);
                }
                unrolled!(4, result => {
                    let (h, w) = (result / 2, result % 2);
                    if line + h < height && column + w < width {
                        let at = (start + h * width + w) * outputs + first;
                        let (mut sums, places) = ([[halves[0][h][w], halves[1][h][w]]], at..at + PANEL);
                        self.epilogue.finish::<L, 1>(&mut sums, &of_columns, from_ref(&places));
                        // SAFETY: these columns of the result are ours, and no other slice of them
                        // lives.
                        store::<L>(sums[0], unsafe { self.y.part(places) });
                    }
                });
            }
            for (h, w) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                if line + h < height && column + w < width {
                    let at = (start + h * width + w) * outputs + columns.start * PANEL;
                    // SAFETY: as above.
                    self.epilogue.pass(unsafe { self.y.part(at..at + n) });
                }
            }
        }
    }
}

/// Sums of 4 × 4 elements of all channels, those of a sum `apart` from the next sum's.
fn turn<L: Lanes>(from: &[[&[f32]; SIDE]; SIDE], to: &mut [f32], apart: usize, channels: usize) {
    assert!(to.len() >= (WINOGRAD - 1) * apart + channels);
    assert!(from.iter().flatten().all(|from| from.len() == channels));
    for channel in (0..channels / 4 * 4).step_by(4) {
        // SAFETY: all have as many channels, as was asserted.
        let of = |h: usize, w: usize| unsafe {
            L::load(&*from[h][w].as_ptr().add(channel).cast::<[f32; 4]>())
        };
        unrolled!(4, line => {
            // Lines first: of eight elements at a time, which stay in registers.
            let d: [L::F; SIDE] = from_fn(|w| match line {
                0 => L::sub(of(0, w), of(2, w)),
                1 => L::add(of(1, w), of(2, w)),
                2 => L::sub(of(2, w), of(1, w)),
                _ => L::sub(of(1, w), of(3, w)),
            });
            let sums =
                [L::sub(d[0], d[2]), L::add(d[1], d[2]), L::sub(d[2], d[1]), L::sub(d[1], d[3])];
            unrolled!(4, column => {
                let at = (line * SIDE + column) * apart + channel;
                // SAFETY: as above.
                let to = unsafe { &mut *to.as_mut_ptr().add(at).cast::<[f32; 4]>() };
                *to = L::store(sums[column]);
            });
        });
    }
}

/// The 2 × 2 results of four columns from their products, those of a sum `apart` from the next sum's.
#[inline(always)]
fn back<L: Lanes>(from: &[f32], at: usize, apart: usize) -> [[L::F; 2]; 2] {
    assert!(at + 4 + (WINOGRAD - 1) * apart <= from.len());
    // SAFETY: the last of them is there, as was asserted.
    let of = |h: usize, w: usize| unsafe {
        L::load(&*from.as_ptr().add(at + (h * SIDE + w) * apart).cast::<[f32; 4]>())
    };
    let first: [L::F; SIDE] = from_fn(|w| L::add(L::add(of(0, w), of(1, w)), of(2, w)));
    let second: [L::F; SIDE] = from_fn(|w| L::sub(L::sub(of(1, w), of(2, w)), of(3, w)));
    [first, second].map(|[a, b, c, d]| [L::add(L::add(a, b), c), L::sub(L::sub(b, c), d)])
}

/// Whether panels hold whole columns only, and channels whole lanes.
pub fn winograd_fits(channels: usize, outputs: usize) -> bool {
    channels > 0 && channels.is_multiple_of(4) && outputs > 0 && outputs.is_multiple_of(PANEL)
}

#[cfg(test)]
mod tests;
