//! Tiles of several rows: weights are unpacked to bytes and float scales once for all rows, so that
//! the inner loop is the same for all types and has nothing but products.

use super::{Layer, add, begin, minima, scaled, settle};
use crate::groups::{Group, Head, Part};
use crate::lanes::{Dots, Lanes, Task, Wide};
use crate::linear::bands;
use std::array::from_fn;
use std::cell::RefCell;
use std::hint::black_box;
use std::ops::Range;

/// Parts that are unpacked at once for all rows: after each panel the results go to memory. With two
/// groups' 11 KB the activations of a tile stay in the first-level cache.
const PANEL: usize = 32;

/// Groups of a tile, which share the loads of activations.
const WIDE: usize = 2;

/// 32 values of each of a group's rows, as products take them.
struct Unpacked<D: Dots> {
    /// Four columns each, in order.
    chunks: [D::W; 8],
    /// Of the halves.
    scales: [<D::L as Lanes>::F; 2],
    minimum: <D::L as Lanes>::F,
}

impl<D: Dots> Clone for Unpacked<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Dots> Copy for Unpacked<D> {}

/// The activations of a panel's parts, where a set has them widened: of each four rows part by part.
type Widened = Vec<[Wide; 4]>;

/// Computes some groups of the first `rows` rows, which are whole tiles of four.
pub(super) fn tiles<D: Dots, G: Group>(layer: &Layer<'_, D, G>, groups: Range<usize>, rows: usize) {
    thread_local! {
        // A step allocates nothing.
        static WIDENED: RefCell<Widened> = const { RefCell::new(Vec::new()) };
    }
    WIDENED.with_borrow_mut(|widened| panels(layer, groups, rows, widened));
}

fn panels<D: Dots, G: Group>(
    layer: &Layer<'_, D, G>,
    groups: Range<usize>,
    rows: usize,
    widened: &mut Widened,
) {
    let zero = D::L::splat(0.0);
    let chunks = [D::weights(G::Part::BITS, D::L::bytes(&[0; 16])); 8];
    let mut panels = [[Unpacked { chunks, scales: [zero; 2], minimum: zero }; PANEL]; WIDE];
    // What the compiler must not know: see `Tile::run`.
    let steps = black_box(8 * D::STEPS);
    let per_panel = PANEL / G::PARTS;
    // A row without columns has one panel too: its results are written.
    for start in (0..layer.per_group.max(1)).step_by(per_panel) {
        let blocks = start..layer.per_group.min(start + per_panel);
        let parts = blocks.len() * G::PARTS;
        if D::WIDENS_ACTIVATIONS {
            widen(layer, start * G::PARTS, parts, rows, widened);
        }
        for first in groups.clone().step_by(WIDE) {
            let count = groups.end.min(first + WIDE) - first;
            for (panel, group) in panels.iter_mut().zip(first..first + count) {
                unpack(layer, group, blocks.clone(), panel);
            }
            let panels = panels.each_ref().map(|panel| &panel[..parts]);
            for row in (0..rows).step_by(4) {
                let at = (first, row, start * G::PARTS);
                let wide =
                    if D::WIDENS_ACTIVATIONS { &widened[row / 4 * parts..][..parts] } else { &[] };
                if count == WIDE {
                    several(Tile { layer, panels, wide, at, steps });
                } else {
                    single(Tile { layer, panels: [panels[0]], wide, at, steps });
                }
            }
        }
    }
}

/// Widens some parts of the rows.
#[inline(never)]
fn widen<D: Dots, G: Group>(
    layer: &Layer<'_, D, G>,
    start: usize,
    parts: usize,
    rows: usize,
    to: &mut Widened,
) {
    to.clear();
    for row in (0..rows).step_by(4) {
        let x = layer.args.x.row(row);
        let tiles = (start..start + parts).map(|at| x.tile::<4>(at));
        to.extend(tiles.map(|a| a.each_ref().map(|a| D::widen(&a.q, false))));
    }
}

/// Unpacks some blocks of a group.
#[inline(never)]
fn unpack<D: Dots, G: Group>(
    layer: &Layer<'_, D, G>,
    group: usize,
    blocks: Range<usize>,
    panel: &mut [Unpacked<D>],
) {
    let blocks = &layer.weights[group * layer.per_group..][blocks];
    for (block, parts) in blocks.iter().zip(panel.chunks_mut(G::PARTS)) {
        let scales = block.head().scales::<D::L>();
        for (at, to) in parts.iter_mut().enumerate() {
            let part = block.part(at);
            for half in 0..2 {
                let quad = part.quad::<D::L>(half);
                unrolled!(4, i => {
                    to.chunks[G::Part::chunks(half)[i]] = D::weights(G::Part::BITS, quad[i]);
                });
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
    panels: [&'a [Unpacked<D>]; C],
    /// The activations, where they are widened.
    wide: &'a [[Wide; 4]],
    /// The first group, row and part.
    at: (usize, usize, usize),
    /// Those of all eight chunks.
    steps: usize,
}

impl<D: Dots, G: Group, const C: usize> Task for Tile<'_, D, G, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (group, row, start) = self.at;
        let args = self.layer.args;
        let x = args.x.row(row);
        let parts = self.panels[0].len();
        let mut acc = [[D::L::splat(0.0); C]; 4];
        if start > 0 {
            unrolled!(C * 4, i => {
                let (r, c) = (i / C, i % C);
                acc[r][c] = bands::get::<D::L>(args, row + r, group + c);
            });
        }
        for at in 0..parts {
            // Addresses that the compiler cannot follow from part to part: it would count them up
            // one by one, where loads have room for a constant.
            let a = black_box(x.tile::<4>(start + at));
            let w: [&Unpacked<D>; C] = from_fn(|c| black_box(&self.panels[c][at]));
            let wide = if D::WIDENS_ACTIVATIONS { Some(black_box(&self.wide[at])) } else { None };
            let x = |chunk: usize| -> [D::X; 4] {
                from_fn(|r| match wide {
                    Some(wide) => D::wide_chunk(&wide[r], chunk),
                    None => D::chunk(&a[r].q.as_chunks().0[chunk]),
                })
            };
            let mut sums = begin::<D, G, C, 4>(0, a);
            let mut first = None;
            unrolled!(8, i => {
                unrolled!(D::STEPS, step => {
                    // Each step in a branch of its own, which the compiler must not know to be taken:
                    // it would order the products of all chunks by sums, and so need more registers
                    // than there are. With sums row by row V8 keeps all but the floats in registers:
                    // a tile of Q4_0 with sums of 16 bits is 342 instructions instead of 397, a prompt
                    // 1.07 times as fast.
                    if self.steps > D::STEPS * i + step {
                        let w = w.map(|w| w.chunks[i]);
                        let x = x(i);
                        unrolled!(C * 4, i => {
                            let (r, c) = (i / C, i % C);
                            let sum = sums[r][c];
                            sums[r][c] = D::dot_step(step, sum, G::Part::BITS, x[r], w[c]);
                        });
                    }
                });
                if i % 2 == 1 {
                    settle::<D, G, C, 4>(&mut sums, i / 2);
                }
                if G::Head::SPLIT && i == 3 {
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
            let (r, c) = (i / C, i % C);
            if last {
                bands::put::<D::L>(args, row + r, group + c, acc[r][c]);
            } else {
                bands::keep::<D::L>(args, row + r, group + c, acc[r][c]);
            }
        });
    }
}
