//! Tiles of several rows: weights are unpacked to bytes and float scales once for all rows, so that
//! the inner loop is the same for all types and has nothing but products.

use super::{Layer, add, begin, chunk, minima, scaled, settle};
use crate::groups::{Group, Head, Part};
use crate::lanes::{Dots, Lanes, Task};
use crate::linear::bands;
use std::array::from_fn;
use std::hint::black_box;
use std::ops::Range;

/// Parts that are unpacked at once for all rows: after each panel the results go to memory. With two
/// groups' 11 KB the activations of a tile stay in the first-level cache.
const PANEL: usize = 32;

/// Groups of a tile, which share the loads of activations.
const WIDE: usize = 2;

/// 32 values of each of a group's rows, a byte each.
struct Unpacked<L: Lanes> {
    /// Four columns each, in order.
    chunks: [L::B; 8],
    /// Of the halves.
    scales: [L::F; 2],
    minimum: L::F,
}

impl<L: Lanes> Clone for Unpacked<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lanes> Copy for Unpacked<L> {}

/// Computes some groups of the first `rows` rows, which are whole tiles of four.
pub(super) fn tiles<D: Dots, G: Group>(layer: &Layer<'_, D, G>, groups: Range<usize>, rows: usize) {
    let zero = D::L::splat(0.0);
    let chunks = [D::L::bytes(&[0; 16]); 8];
    let mut panels = [[Unpacked { chunks, scales: [zero; 2], minimum: zero }; PANEL]; WIDE];
    // What the compiler must not know: see `Tile::run`.
    let pairs = black_box(4);
    let per_panel = PANEL / G::PARTS;
    // A row without columns has one panel too: its results are written.
    for start in (0..layer.per_group.max(1)).step_by(per_panel) {
        let blocks = start..layer.per_group.min(start + per_panel);
        let parts = blocks.len() * G::PARTS;
        for first in groups.clone().step_by(WIDE) {
            let count = groups.end.min(first + WIDE) - first;
            for (panel, group) in panels.iter_mut().zip(first..first + count) {
                unpack(layer, group, blocks.clone(), panel);
            }
            let panels = panels.each_ref().map(|panel| &panel[..parts]);
            for row in (0..rows).step_by(4) {
                let at = (first, row, start * G::PARTS);
                if count == WIDE {
                    several(Tile { layer, panels, at, pairs });
                } else {
                    single(Tile { layer, panels: [panels[0]], at, pairs });
                }
            }
        }
    }
}

/// Unpacks some blocks of a group.
#[inline(never)]
fn unpack<D: Dots, G: Group>(
    layer: &Layer<'_, D, G>,
    group: usize,
    blocks: Range<usize>,
    panel: &mut [Unpacked<D::L>],
) {
    let blocks = &layer.weights[group * layer.per_group..][blocks];
    for (block, parts) in blocks.iter().zip(panel.chunks_mut(G::PARTS)) {
        let scales = block.head().scales::<D::L>();
        for (at, to) in parts.iter_mut().enumerate() {
            let part = block.part(at);
            for half in 0..2 {
                let quad = part.quad::<D::L>(half);
                unrolled!(4, i => to.chunks[G::Part::chunks(half)[i]] = quad[i]);
            }
            to.scales = [0, 1].map(|half| G::Head::scale::<D::L>(&scales, at, half));
            to.minimum = G::Head::minimum::<D::L>(&scales, at);
        }
    }
}

#[inline(never)]
fn several<D: Dots, G: Group>(tile: Tile<'_, D, G, WIDE>) {
    D::enter(tile);
}

#[inline(never)]
fn single<D: Dots, G: Group>(tile: Tile<'_, D, G, 1>) {
    D::enter(tile);
}

/// Some groups times four rows that lie in one tile of the activations.
struct Tile<'a, D: Dots, G, const C: usize> {
    layer: &'a Layer<'a, D, G>,
    panels: [&'a [Unpacked<D::L>]; C],
    /// The first group, row and part.
    at: (usize, usize, usize),
    /// Four.
    pairs: usize,
}

impl<D: Dots, G: Group, const C: usize> Task for Tile<'_, D, G, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (group, row, start) = self.at;
        let args = self.layer.args;
        let x = args.x.row(row);
        let parts = self.panels[0].len();
        let mut acc = [[D::L::splat(0.0); 4]; C];
        if start > 0 {
            unrolled!(C * 4, i => {
                let (c, r) = (i / 4, i % 4);
                acc[c][r] = bands::get::<D::L>(args, row + r, group + c);
            });
        }
        for at in 0..parts {
            // Addresses that the compiler cannot follow from part to part: it would count them up
            // one by one, where loads have room for a constant.
            let a = black_box(x.tile::<4>(start + at));
            let w: [&Unpacked<D::L>; C] = from_fn(|c| black_box(&self.panels[c][at]));
            let mut sums = begin::<D, G, C, 4>(0, a);
            let mut first = None;
            unrolled!(4, pair => {
                // Each two chunks in a branch of their own, which the compiler must not know to be
                // taken: it would order the products of all chunks by rows, and so need more
                // registers than there are.
                if self.pairs > pair {
                    for i in [2 * pair, 2 * pair + 1] {
                        let w = w.map(|w| w.chunks[i]);
                        chunk::<D, C, 4>(&mut sums, G::Part::BITS, w, a, i);
                    }
                    settle::<D, G, C, 4>(&mut sums, pair);
                }
                if G::Head::SPLIT && pair == 1 {
                    first = Some(scaled::<D, C, 4>(sums, w.map(|w| w.scales[0])));
                    sums = begin::<D, G, C, 4>(1, a);
                }
            });
            add::<D, C, 4>(&mut acc, sums, first, w.map(|w| w.scales[1]), a);
            if G::Head::MINIMUM {
                minima::<D, C, 4>(&mut acc, w.map(|w| w.minimum), a);
            }
        }
        let last = start + parts == self.layer.per_group * G::PARTS;
        unrolled!(C * 4, i => {
            let (c, r) = (i / 4, i % 4);
            if last {
                bands::put::<D::L>(args, row + r, group + c, acc[c][r]);
            } else {
                bands::keep::<D::L>(args, row + r, group + c, acc[c][r]);
            }
        });
    }
}
