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
struct Block<'a, D: Dots> {
    rows: Range<usize>,
    /// Tile by tile the steps, of each row four activations.
    x: &'a [[D::Z; ROWS]],
    /// The sum of each, if they matter.
    sums: &'a [i32],
    /// Of results that are bytes.
    to: Option<&'a Rounding<D::L>>,
}

impl Product<'_> {
    pub(super) fn run<D: Dots>(&self, rows: Range<usize>, panels: Range<usize>) {
        let steps = self.k.div_ceil(4);
        let prepared: Vec<Panel> =
            panels.clone().map(|panel| self.panel(panel, self.x.moved(D::SIGNED))).collect();
        let flip = self.x.flip(D::SIGNED);
        let to = match &self.results {
            Int8Results::Bytes(to, _) => Some(to.lanes::<D::L>()),
            _ => None,
        };
        let weighed = self.zeros.iter().any(|zero| *zero != 0);
        let (mut room, mut sums) = (Vec::new(), Vec::new());
        let (mut x, mut wide) = (Vec::new(), Vec::new());
        for start in rows.clone().step_by(BLOCK) {
            let rows = start..rows.end.min(start + BLOCK);
            let bytes = self.gather(rows.clone(), &mut room, 4 * steps);
            if weighed {
                sums.clear();
                let one = |byte: &u8| match D::SIGNED {
                    true => i32::from((byte ^ flip).cast_signed()),
                    false => i32::from(byte ^ flip),
                };
                let of = |row: &[u8]| row[..self.k].iter().map(one).fold(0, i32::wrapping_add);
                (0..rows.len()).for_each(|at| sums.push(of(&bytes[4 * at * steps..])));
            }
            keep::<D>(bytes, rows.len(), steps, flip, &mut x);
            let block = Block::<D> { rows, x: &x, sums: &sums, to: to.as_ref() };
            for (of, panel) in prepared.iter().zip(panels.clone()) {
                self.tiles::<D>(&block, panel, of, &mut wide);
            }
        }
    }

    /// Rows, one every `stride` bytes, and perhaps more.
    fn gather<'a>(&'a self, rows: Range<usize>, room: &'a mut Vec<u8>, stride: usize) -> &'a [u8] {
        match self.source.dense(rows.clone()) {
            Some(x) if self.k == stride => x,
            _ if stride > 0 => {
                room.resize(rows.len() * stride + SLACK, 0);
                self.source.gather(rows, room, stride);
                room
            }
            _ => &[],
        }
    }

    fn columns(&self, panel: usize) -> Range<usize> {
        panel * EIGHT..self.n.min((panel + 1) * EIGHT)
    }

    fn panel(&self, panel: usize, x_zero: i32) -> Panel {
        let columns = self.columns(panel);
        let steps: &[[[u8; 4]; EIGHT]] = bytemuck::cast_slice(self.weights);
        let of_weights = sums(&steps[panel * packed_steps(self.k)]);
        let zeros = eight(self.zeros, columns.start, 0);
        let bias = eight(self.bias.unwrap_or(&[]), columns.start, 0);
        let start = from_fn(|lane| {
            let both = (self.k as i32).wrapping_mul(x_zero).wrapping_mul(zeros[lane]);
            let sum = both.wrapping_sub(x_zero.wrapping_mul(of_weights[lane]));
            sum.wrapping_add(bias[lane])
        });
        let column = self.place.0 + columns.start;
        let (factors, terms) = match &self.results {
            Int8Results::Bytes(to, _) => (eight(to.factors(), column, 0.0), [0.0; EIGHT]),
            Int8Results::Sums(_) => ([0.0; EIGHT], [0.0; EIGHT]),
            Int8Results::Numbers { scale, bias, .. } => {
                (eight(scale, column, 0.0), eight(bias.unwrap_or(&[]), column, 0.0))
            }
        };
        Panel { start, zeros, factors, bias: terms }
    }

    /// A panel of a block's rows, tile by tile.
    #[inline(never)]
    fn tiles<D: Dots>(
        &self,
        block: &Block<'_, D>,
        panel: usize,
        of: &Panel,
        wide: &mut Vec<[D::V; 2]>,
    ) {
        let steps = self.k.div_ceil(4);
        let all: &[Step] = bytemuck::cast_slice(self.weights);
        let weights = &all[panel * packed_steps(self.k) + 1..][..steps];
        let whole = |step: &Step| step.each_ref().map(|half| D::whole(D::L::bytes(half)));
        if D::WIDENS_BYTES {
            wide.clear();
            wide.extend(weights.iter().map(whole));
        }
        let starts = of.start.as_chunks().0;
        let starts = [D::L::load_i(&starts[0]), D::L::load_i(&starts[1])];
        let Range { start: first, end } = self.columns(panel);
        let (first, columns) = (self.place.0 + first, end - first);
        for at in (0..block.rows.len()).step_by(ROWS) {
            let x = &block.x[at / ROWS * steps..][..steps];
            let mut sums: [[IntsOf<D>; 2]; ROWS] = [starts; ROWS];
            // One step a turn: of several the compiler orders the products by sums, each of which would
            // wait for the last.
            for i in 0..steps {
                // Places that the compiler cannot follow from step to step: it would compute that of each
                // row and half by itself.
                // SAFETY: there are as many steps of activations.
                let x = black_box(unsafe { x.get_unchecked(i) });
                let w = if D::WIDENS_BYTES {
                    // SAFETY: there are as many of these.
                    *black_box(unsafe { wide.get_unchecked(i) })
                } else {
                    // SAFETY: there are as many of these.
                    whole(black_box(unsafe { weights.get_unchecked(i) }))
                };
                unrolled!(ROWS, r => {
                    let x = D::four(&x[r]);
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
            let place = |r: usize| first + (row + r) * self.place.1;
            match (&self.results, block.to) {
                (Int8Results::Bytes(_, y), Some(to)) => {
                    let four = [factors[0], factors[1], factors[0], factors[1]];
                    unrolled!(2, pair => {
                        let [[a, b], [c, d]] = [sums[2 * pair], sums[2 * pair + 1]];
                        let bytes = D::L::store_bytes(sixteen::<D::L>([a, b, c, d], four, to));
                        let bytes = bytes.as_chunks::<EIGHT>().0;
                        unrolled!(2, r => if 2 * pair + r < count {
                            self.put(*y, place(2 * pair + r), columns, &bytes[r]);
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
                        self.put(*y, place(r), columns, bytemuck::cast_ref(&numbers));
                    });
                }
                (Int8Results::Sums(y), _) => {
                    unrolled!(ROWS, r => if r < count {
                        let sums = sums[r].map(D::L::store_i);
                        self.put(*y, place(r), columns, bytemuck::cast_ref(&sums));
                    });
                }
                (Int8Results::Bytes(..), None) => unreachable!("bytes are rounded"),
            }
        }
    }

    /// Writes a panel's results of a row, which begin at this place.
    #[inline(always)]
    fn put<T: Copy>(&self, y: SharedOut<'_, T>, at: usize, count: usize, results: &[T; EIGHT]) {
        // SAFETY: these columns of the row are ours, and no other slice of them lives.
        let cells = unsafe { y.part(at..at + count) };
        match cells.first_chunk_mut() {
            Some(cells) => *cells = *results,
            None => cells.iter_mut().zip(results).for_each(|(cell, one)| *cell = *one),
        }
    }
}

/// Rows of activations as tiles take them. Behind the last row in its tile it lies again.
fn keep<D: Dots>(bytes: &[u8], rows: usize, steps: usize, flip: u8, x: &mut Vec<[D::Z; ROWS]>) {
    let flip = D::L::bytes(&[flip; 16]);
    let kept = |sixteen: &[u8; 16]| D::kept(D::L::xor(D::L::bytes(sixteen), flip));
    x.resize(rows.div_ceil(ROWS) * steps, [kept(&[0; 16])[0]; ROWS]);
    if steps == 0 {
        return;
    }
    for (tile, x) in x.chunks_exact_mut(steps).enumerate() {
        let from: [&[u8]; ROWS] =
            from_fn(|r| &bytes[4 * steps * (tile * ROWS + r).min(rows - 1)..]);
        assert!(from.iter().all(|row| row.len() >= 4 * steps), "whole rows");
        let (four, rest) = x.as_chunks_mut::<4>();
        for (at, to) in four.iter_mut().enumerate() {
            // SAFETY: each row has sixteen bytes there.
            let row = |r: usize| kept(unsafe { &*from[r].as_ptr().add(16 * at).cast() });
            let each: [[D::Z; 4]; ROWS] = from_fn(row);
            unrolled!(4, i => to[i] = from_fn(|r| each[r][i]));
        }
        if !rest.is_empty() {
            let each: [[D::Z; 4]; ROWS] = from_fn(|r| {
                let row = &from[r][16 * four.len()..];
                match row.first_chunk() {
                    Some(sixteen) => kept(sixteen),
                    None => {
                        let mut some = [0; 16];
                        some[..row.len()].copy_from_slice(row);
                        kept(&some)
                    }
                }
            });
            (0..).zip(rest).for_each(|(i, to)| *to = from_fn(|r| each[r][i]));
        }
    }
}

/// Eight values from a place on; one that is there for all; or, if there is none, another one. What is
/// behind the last one may be any.
fn eight<T: Copy>(from: &[T], at: usize, without: T) -> [T; EIGHT] {
    match from.get(at..).and_then(|from| from.first_chunk()) {
        Some(eight) => *eight,
        None => from_fn(|lane| *from.get(at + lane).or(from.first()).unwrap_or(&without)),
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
