//! Products of matrices of bytes.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use super::pack::{packed_steps, sums};
use super::requantize::{Clip, EIGHT, Eight, sixteen};
use super::{Int8, Requantize};
use crate::lanes::{Dots, IntsOf, Lanes};
use sidestage_tensor::SharedOut;
use std::array::from_fn;
use std::ops::Range;

/// Rows of a tile: its eight vectors of sums, two of weights and the activations stay in registers.
const ROWS: usize = 4;

/// Rows that are gathered at once.
const BLOCK: usize = 64;

/// A step of a panel: four weights of each of eight columns.
type Step = [[u8; 16]; 2];

/// What becomes of the sums of products.
#[derive(Clone, Copy)]
pub enum Int8Results<'a> {
    /// Bytes in the unit of the result.
    Bytes(&'a Requantize, SharedOut<'a, u8>),
    /// The sums.
    Sums(SharedOut<'a, i32>),
    /// The sums as numbers.
    Numbers {
        /// What is multiplied with: one for each column or for all.
        scale: &'a [f32],
        /// What is added then: one for each column.
        bias: Option<&'a [f32]>,
        /// The results.
        y: SharedOut<'a, f32>,
    },
}

/// `a · b`, each side without its zeros, where `b` is packed ([`pack_int8`](crate::pack_int8)).
pub struct GemmInt8<'a> {
    /// Rows of `k` activations.
    pub a: Int8<'a>,
    /// Packed weights.
    pub b: &'a [u8],
    /// What stands for 0 in the columns of packed weights: one for each or for all, or none that is not 0.
    pub zeros: &'a [i32],
    /// Steps along the sum, and columns.
    pub shape: (usize, usize),
    /// A value for each column.
    pub bias: Option<&'a [i32]>,
    /// What becomes of a sum.
    pub results: Int8Results<'a>,
}

impl GemmInt8<'_> {
    pub(super) fn by<D: Dots>(&self, rows: Range<usize>, panels: Range<usize>) {
        let (k, n) = self.shape;
        let product = Product {
            x: self.a,
            source: &Dense { x: self.a.bytes, k },
            k,
            weights: self.b,
            zeros: self.zeros,
            n,
            place: (0, n),
            bias: self.bias,
            results: self.results,
        };
        product.run::<D>(rows, panels);
    }
}

/// Where rows of activations come from.
pub(super) trait Source {
    /// Some rows as they are, one every `stride` bytes; what is behind each is left.
    fn gather(&self, rows: Range<usize>, room: &mut [u8], stride: usize);

    /// Those rows, if they lie side by side already.
    fn dense(&self, rows: Range<usize>) -> Option<&[u8]>;
}

struct Dense<'a> {
    x: &'a [u8],
    k: usize,
}

impl Source for Dense<'_> {
    fn gather(&self, rows: Range<usize>, room: &mut [u8], stride: usize) {
        for (row, to) in rows.zip(room.chunks_exact_mut(stride)) {
            to[..self.k].copy_from_slice(&self.x[row * self.k..][..self.k]);
        }
    }

    fn dense(&self, rows: Range<usize>) -> Option<&[u8]> {
        Some(&self.x[rows.start * self.k..rows.end * self.k])
    }
}

#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) x: Int8<'a>,
    pub(super) source: &'a dyn Source,
    pub(super) k: usize,
    /// Panel after panel.
    pub(super) weights: &'a [u8],
    /// Of the panels' columns.
    pub(super) zeros: &'a [i32],
    pub(super) n: usize,
    /// The first column's place in a row of results, and how long that is.
    pub(super) place: (usize, usize),
    /// Of the panels' columns.
    pub(super) bias: Option<&'a [i32]>,
    pub(super) results: Int8Results<'a>,
}

/// What the eight columns of a panel have.
#[derive(Clone, Copy)]
struct Panel {
    /// Where sums begin.
    start: [i32; EIGHT],
    /// What stands for 0 in the weights.
    zeros: [i32; EIGHT],
    /// Of results that are bytes.
    of: Eight,
    /// Of results that are numbers.
    scale: [f32; EIGHT],
    bias: [f32; EIGHT],
}

/// Gathered rows.
struct Block<'a, L: Lanes> {
    rows: Range<usize>,
    /// Whole tiles.
    x: &'a [u8],
    stride: usize,
    /// The sum of each, if they matter.
    sums: &'a [i32],
    /// The limits of bytes that single precision tells.
    quick: Option<Clip<L>>,
}

impl Product<'_> {
    pub(super) fn run<D: Dots>(&self, rows: Range<usize>, panels: Range<usize>) {
        let stride = self.k.next_multiple_of(4);
        let prepared: Vec<Panel> =
            panels.clone().map(|panel| self.panel(panel, self.x.moved(D::SIGNED))).collect();
        let flip = self.x.flip(D::SIGNED);
        let quick = match &self.results {
            Int8Results::Bytes(of, _) if of.is_quick() => Some(of.clip::<D::L>()),
            _ => None,
        };
        let weighed = self.zeros.iter().any(|zero| *zero != 0);
        let (mut room, mut sums) = (Vec::new(), Vec::new());
        for start in rows.clone().step_by(BLOCK) {
            let rows = start..rows.end.min(start + BLOCK);
            room.resize(rows.len().next_multiple_of(ROWS) * stride, 0);
            self.gather(rows.clone(), &mut room, stride, flip);
            if weighed {
                sums.clear();
                let of = |row: &[u8]| {
                    let one = |byte: &u8| match D::SIGNED {
                        true => i32::from(byte.cast_signed()),
                        false => i32::from(*byte),
                    };
                    row[..self.k].iter().map(one).fold(0, i32::wrapping_add)
                };
                (0..rows.len()).for_each(|at| sums.push(of(&room[at * stride..][..stride])));
            }
            let block = Block { rows, x: &room, stride, sums: &sums, quick };
            for (of, panel) in prepared.iter().zip(panels.clone()) {
                let tiles = block.rows.clone().step_by(ROWS);
                tiles.for_each(|row| self.tile::<D>(&block, row, panel, of));
            }
        }
    }

    /// Rows as a set takes them, in whole tiles.
    fn gather(&self, rows: Range<usize>, room: &mut [u8], stride: usize, flip: u8) {
        match self.source.dense(rows.clone()) {
            Some(x) if self.k == stride => {
                room.iter_mut().zip(x).for_each(|(to, from)| *to = from ^ flip);
            }
            _ if stride > 0 => {
                self.source.gather(rows, room, stride);
                if flip != 0 {
                    room.iter_mut().for_each(|byte| *byte ^= flip);
                }
            }
            _ => {}
        }
    }

    fn columns(&self, panel: usize) -> Range<usize> {
        panel * EIGHT..self.n.min((panel + 1) * EIGHT)
    }

    fn panel(&self, panel: usize, x_zero: i32) -> Panel {
        let columns = self.columns(panel);
        let steps: &[[[u8; 4]; EIGHT]] = bytemuck::cast_slice(self.weights);
        let of_weights = sums(&steps[panel * packed_steps(self.k)]);
        let zero = |lane: usize| {
            let one = self.zeros.get(columns.start + lane).or(self.zeros.first());
            one.copied().unwrap_or(0)
        };
        let zeros: [i32; EIGHT] = from_fn(zero);
        let start = from_fn(|lane| {
            let bias = self.bias.and_then(|bias| bias.get(columns.start + lane));
            let both = (self.k as i32).wrapping_mul(x_zero).wrapping_mul(zeros[lane]);
            let sum = both.wrapping_sub(x_zero.wrapping_mul(of_weights[lane]));
            sum.wrapping_add(bias.copied().unwrap_or(0))
        });
        let (mut of, mut factors, mut terms) = (Eight::default(), [0.0; EIGHT], [0.0; EIGHT]);
        let columns = self.place.0 + columns.start..self.place.0 + columns.end;
        match &self.results {
            Int8Results::Bytes(results, _) => of = results.eight(columns),
            Int8Results::Sums(_) => {}
            Int8Results::Numbers { scale, bias, .. } => {
                for (lane, column) in columns.enumerate() {
                    factors[lane] = *scale.get(column).unwrap_or(&scale[0]);
                    terms[lane] = bias.map_or(0.0, |bias| bias[column]);
                }
            }
        }
        Panel { start, zeros, of, scale: factors, bias: terms }
    }

    #[inline(never)]
    fn tile<D: Dots>(&self, block: &Block<'_, D::L>, row: usize, panel: usize, of: &Panel) {
        let (steps, at) = (block.stride / 4, row - block.rows.start);
        let x: [&[[u8; 4]]; ROWS] = from_fn(|r| {
            let row = &block.x[(at + r) * block.stride..][..block.stride];
            &row.as_chunks().0[..steps]
        });
        let all: &[Step] = bytemuck::cast_slice(self.weights);
        let weights = &all[panel * packed_steps(self.k) + 1..][..steps];
        let starts = of.start.as_chunks().0;
        let mut sums: [[IntsOf<D>; 2]; ROWS] =
            [[D::L::load_i(&starts[0]), D::L::load_i(&starts[1])]; ROWS];
        // One step a turn: of several the compiler orders the products by sums, each of which would
        // wait for the last.
        for i in 0..steps {
            // SAFETY: each of the slices has as many steps.
            let step = unsafe { weights.get_unchecked(i) };
            let w = step.each_ref().map(|half| D::whole(D::L::bytes(half)));
            unrolled!(ROWS, r => {
                // SAFETY: as above.
                let x = D::four(unsafe { x[r].get_unchecked(i) });
                let [low, high] = sums[r];
                sums[r] = [D::add_products(low, x, w[0]), D::add_products(high, x, w[1])];
            });
        }
        let count = (block.rows.end - row).min(ROWS);
        if let (Int8Results::Bytes(results, y), Some(clip), []) =
            (&self.results, block.quick, block.sums)
        {
            let four = of.of.lanes::<D::L>();
            let four = [four[0], four[1], four[0], four[1]];
            unrolled!(2, pair => {
                let two = [sums[2 * pair], sums[2 * pair + 1]];
                let rows = row + 2 * pair..row + count.min(2 * pair + 2);
                self.pair::<D>(results, *y, two, (four, clip), rows, (panel, of));
            });
            return;
        }
        for (r, sums) in sums.into_iter().enumerate().take(count) {
            let mut sums: [i32; EIGHT] = bytemuck::cast(sums.map(D::L::store_i));
            if let Some(of_row) = block.sums.get(at + r) {
                for (sum, zero) in sums.iter_mut().zip(&of.zeros) {
                    *sum = sum.wrapping_sub(zero.wrapping_mul(*of_row));
                }
            }
            self.put(row + r, panel, of, &sums);
        }
    }

    /// Up to two rows of bytes.
    #[inline(always)]
    fn pair<D: Dots>(
        &self,
        results: &Requantize,
        y: SharedOut<'_, u8>,
        sums: [[IntsOf<D>; 2]; 2],
        (four, clip): ([super::requantize::Four<D::L>; 4], Clip<D::L>),
        rows: Range<usize>,
        (panel, of): (usize, &Panel),
    ) {
        let all = [sums[0][0], sums[0][1], sums[1][0], sums[1][1]];
        let Some(bytes) = sixteen::<D::L>(all, four, clip) else {
            for (row, sums) in rows.zip(sums) {
                self.put(row, panel, of, &bytemuck::cast(sums.map(D::L::store_i)));
            }
            return;
        };
        let bytes = results.signs(bytes);
        for (row, bytes) in rows.zip(bytes.as_chunks::<EIGHT>().0) {
            let places = self.places(row, panel);
            // SAFETY: these columns of the row are ours, and no other slice of them lives.
            let cells = unsafe { y.part(places) };
            match cells.first_chunk_mut::<EIGHT>() {
                Some(cells) => *cells = *bytes,
                None => cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell = *byte),
            }
        }
    }

    /// Where a panel's columns of a row lie among all results.
    #[inline(always)]
    fn places(&self, row: usize, panel: usize) -> Range<usize> {
        let (columns, at) = (self.columns(panel), self.place.0 + row * self.place.1);
        at + columns.start..at + columns.end
    }

    /// Writes what becomes of a row's sums, one by one.
    #[inline(never)]
    fn put(&self, row: usize, panel: usize, of: &Panel, sums: &[i32; EIGHT]) {
        let places = self.places(row, panel);
        let first = self.place.0 + panel * EIGHT;
        match &self.results {
            Int8Results::Bytes(results, y) => {
                // SAFETY: these columns of the row are ours, and no other slice of them lives.
                let cells = unsafe { y.part(places) };
                for (lane, cell) in cells.iter_mut().enumerate() {
                    *cell = results.of(first + lane, sums[lane]);
                }
            }
            Int8Results::Sums(y) => {
                // SAFETY: as above.
                let cells = unsafe { y.part(places) };
                cells.copy_from_slice(&sums[..cells.len()]);
            }
            Int8Results::Numbers { y, .. } => {
                let numbers: [f32; EIGHT] =
                    from_fn(|lane| sums[lane] as f32 * of.scale[lane] + of.bias[lane]);
                // SAFETY: as above.
                let cells = unsafe { y.part(places) };
                match cells.first_chunk_mut() {
                    Some(cells) => *cells = numbers,
                    None => cells.copy_from_slice(&numbers[..cells.len()]),
                }
            }
        }
    }
}
