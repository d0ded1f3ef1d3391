//! Products of matrices of bytes.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use super::pack::{packed_steps, sums};
use super::requantize::{EIGHT, Rounding, sixteen};
use super::{Int8, Requantize};
use crate::lanes::{Dots, IntsOf, Lanes};
use sidestage_tensor::SharedOut;
use std::array::from_fn;
use std::hint::black_box;
use std::ops::Range;

/// Rows of a tile: its eight vectors of sums, two of weights and the activations stay in registers.
const ROWS: usize = 4;

/// What may be written behind gathered rows: runs of bytes are copied sixteen at a time.
pub(super) const SLACK: usize = 16;

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
    /// Some rows as they are, one every `stride` bytes; what is behind each may be anything. The room is
    /// [`SLACK`] bytes longer than they are.
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
    /// Of results that are bytes or numbers.
    factors: [f32; EIGHT],
    /// Of results that are numbers.
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
    /// Of results that are bytes.
    to: Option<&'a Rounding<L>>,
}

impl Product<'_> {
    pub(super) fn run<D: Dots>(&self, rows: Range<usize>, panels: Range<usize>) {
        let stride = self.k.next_multiple_of(4);
        let prepared: Vec<Panel> =
            panels.clone().map(|panel| self.panel(panel, self.x.moved(D::SIGNED))).collect();
        let flip = self.x.flip(D::SIGNED);
        let to = match &self.results {
            Int8Results::Bytes(to, _) => Some(to.lanes::<D::L>()),
            _ => None,
        };
        let weighed = self.zeros.iter().any(|zero| *zero != 0);
        let (mut room, mut sums) = (Vec::new(), Vec::new());
        for start in rows.clone().step_by(BLOCK) {
            let rows = start..rows.end.min(start + BLOCK);
            room.resize(rows.len().next_multiple_of(ROWS) * stride + SLACK, 0);
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
            let block = Block { rows, x: &room, stride, sums: &sums, to: to.as_ref() };
            for (of, panel) in prepared.iter().zip(panels.clone()) {
                self.tiles::<D>(&block, panel, of);
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
        let (mut factors, mut terms) = ([0.0; EIGHT], [0.0; EIGHT]);
        let columns = self.place.0 + columns.start..self.place.0 + columns.end;
        for (lane, column) in columns.enumerate() {
            match &self.results {
                Int8Results::Bytes(to, _) => factors[lane] = to.factor(column),
                Int8Results::Sums(_) => {}
                Int8Results::Numbers { scale, bias, .. } => {
                    factors[lane] = *scale.get(column).unwrap_or(&scale[0]);
                    terms[lane] = bias.map_or(0.0, |bias| bias[column]);
                }
            }
        }
        Panel { start, zeros, factors, bias: terms }
    }

    /// A panel of a block's rows, tile by tile.
    #[inline(never)]
    fn tiles<D: Dots>(&self, block: &Block<'_, D::L>, panel: usize, of: &Panel) {
        let steps = block.stride / 4;
        let all: &[Step] = bytemuck::cast_slice(self.weights);
        let weights = &all[panel * packed_steps(self.k) + 1..][..steps];
        let starts = of.start.as_chunks().0;
        let starts = [D::L::load_i(&starts[0]), D::L::load_i(&starts[1])];
        for at in (0..block.rows.len()).step_by(ROWS) {
            let x = block.x[at * block.stride..][..ROWS * block.stride].as_chunks::<4>().0;
            let mut sums: [[IntsOf<D>; 2]; ROWS] = [starts; ROWS];
            // One step a turn: of several the compiler orders the products by sums, each of which would
            // wait for the last.
            for i in 0..steps {
                // SAFETY: there are as many steps of weights, and of each row.
                let step = unsafe { weights.get_unchecked(i) };
                let w = step.each_ref().map(|half| D::whole(D::L::bytes(half)));
                unrolled!(ROWS, r => {
                    // SAFETY: as above.
                    let x = D::four(unsafe { x.get_unchecked(r * steps + i) });
                    let [low, high] = sums[r];
                    sums[r] = [D::add_products(low, x, w[0]), D::add_products(high, x, w[1])];
                });
            }
            // What is read behind the sums stays where it is: they are to stay in registers.
            let (block, of) = black_box((block, of));
            if !block.sums.is_empty() {
                unrolled!(ROWS, r => {
                    let of_row = block.sums.get(at + r).copied().unwrap_or(0);
                    sums[r] = weighed::<D>(sums[r], &of.zeros, of_row);
                });
            }
            let factors = of.factors.as_chunks().0;
            let factors = [D::L::load(&factors[0]), D::L::load(&factors[1])];
            let row = block.rows.start + at;
            let count = (block.rows.end - row).min(ROWS);
            match (&self.results, block.to) {
                (Int8Results::Bytes(_, y), Some(to)) => {
                    let four = [factors[0], factors[1], factors[0], factors[1]];
                    unrolled!(2, pair => {
                        let [[a, b], [c, d]] = [sums[2 * pair], sums[2 * pair + 1]];
                        let bytes = D::L::store_bytes(sixteen::<D::L>([a, b, c, d], four, to));
                        let bytes = bytes.as_chunks::<EIGHT>().0;
                        unrolled!(2, r => if 2 * pair + r < count {
                            self.put(*y, row + 2 * pair + r, panel, &bytes[r]);
                        });
                    });
                }
                (Int8Results::Numbers { y, .. }, _) => {
                    let bias = of.bias.as_chunks().0;
                    unrolled!(ROWS, r => if r < count {
                        let mut numbers = [[0.0; 4]; 2];
                        unrolled!(2, half => {
                            let number = D::L::mul(D::L::to_f(sums[r][half]), factors[half]);
                            let number = D::L::add(number, D::L::load(&bias[half]));
                            numbers[half] = D::L::store(number);
                        });
                        self.put(*y, row + r, panel, bytemuck::cast_ref(&numbers));
                    });
                }
                (Int8Results::Sums(y), _) => {
                    unrolled!(ROWS, r => if r < count {
                        let sums = sums[r].map(D::L::store_i);
                        self.put(*y, row + r, panel, bytemuck::cast_ref(&sums));
                    });
                }
                (Int8Results::Bytes(..), None) => unreachable!("bytes are rounded"),
            }
        }
    }

    /// Writes a panel's results of a row.
    #[inline(always)]
    fn put<T: Copy>(&self, y: SharedOut<'_, T>, row: usize, panel: usize, results: &[T; EIGHT]) {
        let (columns, at) = (self.columns(panel), self.place.0 + row * self.place.1);
        // SAFETY: these columns of the row are ours, and no other slice of them lives.
        let cells = unsafe { y.part(at + columns.start..at + columns.end) };
        match cells.first_chunk_mut() {
            Some(cells) => *cells = *results,
            None => cells.iter_mut().zip(results).for_each(|(cell, one)| *cell = *one),
        }
    }
}

/// Sums of a row without what the weights' zeros contribute.
#[inline(never)]
fn weighed<D: Dots>(sums: [IntsOf<D>; 2], zeros: &[i32; EIGHT], of_row: i32) -> [IntsOf<D>; 2] {
    let mut sums: [i32; EIGHT] = bytemuck::cast(sums.map(D::L::store_i));
    for (sum, zero) in sums.iter_mut().zip(zeros) {
        *sum = sum.wrapping_sub(zero.wrapping_mul(of_row));
    }
    let halves = sums.as_chunks().0;
    [D::L::load_i(&halves[0]), D::L::load_i(&halves[1])]
}
