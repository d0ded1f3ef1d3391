//! Weights in groups of four rows ([`crate::groups`]) times 8-bit activations.
//!
//! For each part of 32 values the integer dot products of four rows are exact; they are scaled and
//! added to four float lanes, one a row. What is taken from all values of a part is where the
//! integer sums begin; a minimum is added in floats. For several rows of activations a panel of
//! weights is unpacked once for all of them (`panel.rs`).

mod panel;

use super::bands::{self, Bands, STREAMS};
use super::{Linear, quantized};
use crate::groups::{GROUP, Group, Head, Part, Rows};
use crate::lanes::{Dots, Lanes, Task, Wide};
use sidestage_tensor::blocks::Act8;
use std::array::from_fn;
use std::cell::RefCell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ops::Range;

pub(super) fn run<D: Dots, B: Rows>(args: &Linear<'_>, columns: Range<usize>) {
    let (groups, rest) = bands::split(args, columns);
    if !groups.is_empty() {
        let per_group = args.k / B::LEN;
        let bytes = groups.end * per_group * GROUP * size_of::<B>();
        let weights = bytemuck::cast_slice(&args.weight[..bytes]);
        let wide = widened::<D>(args, <B::Group as Group>::Part::BITS == 4);
        let layer = Layer::<D, B::Group> { args, weights, per_group, wide, of: PhantomData };
        bands::run(&layer, args.rows, groups);
        WIDENED.set(layer.wide);
    }
    if !rest.is_empty() {
        quantized::singly::<D::L, B>(args, rest);
    }
}

thread_local! {
    // A step allocates nothing.
    static WIDENED: RefCell<Vec<Wide>> = const { RefCell::new(Vec::new()) };
}

/// The rows that are in no tile, widened where a set has them so.
fn widened<D: Dots>(args: &Linear<'_>, nibbles: bool) -> Vec<Wide> {
    let mut wide = WIDENED.take();
    wide.clear();
    if D::WIDENS_ACTIVATIONS {
        for row in bands::tiled(args.rows)..args.rows {
            let x = args.x.row(row);
            wide.extend((0..x.len()).map(|at| D::widen(&x.block(at).q, nibbles)));
        }
    }
    wide
}

struct Layer<'a, D, G> {
    args: &'a Linear<'a>,
    weights: &'a [G],
    /// Blocks of a group.
    per_group: usize,
    /// See [`widened`].
    wide: Vec<Wide>,
    of: PhantomData<D>,
}

impl<D: Dots, G: Group> Bands for Layer<'_, D, G> {
    const SINGLE: bool = D::SINGLE;

    fn tiles(&self, groups: Range<usize>, rows: usize) {
        panel::tiles(self, groups, rows);
    }

    #[inline(never)]
    fn streams(&self, groups: [usize; STREAMS], row: usize) {
        D::enter(Row { layer: self, groups, row, halves: black_box(2) });
    }

    #[inline(never)]
    fn one(&self, group: usize, row: usize) {
        D::enter(Row { layer: self, groups: [group], row, halves: black_box(2) });
    }
}

/// Some groups times one row.
struct Row<'a, D, G, const C: usize> {
    layer: &'a Layer<'a, D, G>,
    groups: [usize; C],
    row: usize,
    /// Two, which the compiler must not know: it would take one group after the other, and so need
    /// more registers than there are for the activations. With `black_box` below that makes a third
    /// more speed of Q4_0 in V8.
    halves: usize,
}

impl<D: Dots, G: Group, const C: usize> Task for Row<'_, D, G, C> {
    type Output = ();

    #[allow(clippy::needless_range_loop, reason = "one index into several groups at once")]
    #[inline(always)]
    fn run(self) {
        let per_group = self.layer.per_group;
        let w: [&[G]; C] =
            self.groups.map(|group| &self.layer.weights[group * per_group..][..per_group]);
        let x = self.layer.args.x.row(self.row);
        let parts = per_group * G::PARTS;
        let wide: &[Wide] = if D::WIDENS_ACTIVATIONS {
            let row = self.row - bands::tiled(self.layer.args.rows);
            &self.layer.wide[row * parts..][..parts]
        } else {
            &[]
        };
        let mut acc = [[D::L::splat(0.0); C]; 1];
        // Each block's are written over the last one's: built anew they would be copied.
        let mut scales = [G::zeroed().head().scales::<D::L>(); C];
        for block in 0..per_group {
            // A place that the compiler cannot follow from block to block, or below pointers from part to
            // part: it would count addresses up one by one, where loads have room for a constant. In wasm
            // each goes through memory. With one place in the stead of five pointers Q4_0 is 1.06 times as
            // fast; the same by parts made Q4_K and Q5_K slower, 0.98 and 0.95. Not measured, and so left
            // as it was: sets that widen activations.
            let one = G::PARTS == 1 && !D::WIDENS_ACTIVATIONS;
            let block = if one { black_box(block) } else { block };
            unrolled!(C, c => scales[c] = w[c][block].head().scales::<D::L>());
            for part in 0..G::PARTS {
                let at = block * G::PARTS + part;
                let mut a = x.tile::<1>(at);
                let mut wide = if D::WIDENS_ACTIVATIONS { Some(&wide[at]) } else { None };
                let mut parts: [&G::Part; C] = from_fn(|c| w[c][block].part(part));
                if !one {
                    a = black_box(a);
                    wide = wide.map(black_box);
                    parts = parts.map(black_box);
                }
                let half = |h| scales.each_ref().map(|s| G::Head::scale::<D::L>(s, part, h));
                let mut sums = begin::<D, G, C, 1>(0, a);
                let mut first = None;
                // Each half in a branch of its own: see `halves`.
                if self.halves > 0 {
                    dots::<D, G, C>(&mut sums, 0, parts, a, wide);
                }
                if G::Head::SPLIT {
                    first = Some(scaled::<D, C, 1>(sums, half(0)));
                    sums = begin::<D, G, C, 1>(1, a);
                }
                if self.halves > 1 {
                    dots::<D, G, C>(&mut sums, 1, parts, a, wide);
                }
                add::<D, C, 1>(&mut acc, sums, first, half(1), a);
                if G::Head::MINIMUM {
                    let minimum = scales.each_ref().map(|s| G::Head::minimum::<D::L>(s, part));
                    minima::<D, C, 1>(&mut acc, minimum, a);
                }
            }
        }
        unrolled!(C, c => bands::put::<D::L>(self.layer.args, self.row, self.groups[c], acc[0][c]));
    }
}

/// Adds the integer products of a half of a part.
#[inline(always)]
fn dots<D: Dots, G: Group, const C: usize>(
    sums: &mut [[D::D; C]; 1],
    j: usize,
    w: [&G::Part; C],
    a: &[Act8; 1],
    wide: Option<&Wide>,
) {
    let x = |chunk: usize| match wide {
        Some(wide) => D::wide_chunk(wide, chunk),
        None => D::chunk(&a[0].q.as_chunks().0[chunk]),
    };
    if D::WIDENS_ACTIVATIONS && w[0].nibbles().is_some() {
        for i in [2 * j, 2 * j + 1] {
            let (low, high) = (x(i), x(i + 4));
            unrolled!(C, c => if let Some(w) = w[c].nibbles() {
                sums[0][c] = D::dot_nibbles(sums[0][c], low, high, D::L::bytes(&w[i]));
            });
        }
        return;
    }
    let chunks = G::Part::chunks(j);
    let w: [_; C] = from_fn(|c| w[c].quad::<D::L>(j));
    for pair in 0..2 {
        for i in [2 * pair, 2 * pair + 1] {
            let w = w.map(|w| D::weights(G::Part::BITS, w[i]));
            let x = x(chunks[i]);
            unrolled!(C, c => sums[0][c] = D::dot(sums[0][c], G::Part::BITS, x, w[c]));
        }
        settle::<D, G, C, 1>(sums, 2 * j + pair);
    }
}

/// Where the sums of a part begin, or with scales for halves those of one.
#[inline(always)]
fn begin<D: Dots, G: Group, const C: usize, const R: usize>(
    half: usize,
    a: &[Act8; R],
) -> [[D::D; C]; R] {
    let zero = -if G::Part::BITS == 8 { D::BYTE_ZERO } else { G::ZERO };
    let by = match (G::Head::SPLIT, half) {
        (false, _) => [zero, zero],
        (true, 0) => [zero, 0],
        (true, _) => [0, zero],
    };
    from_fn(|r| [D::begin(&a[r].sums, by); C])
}

/// After each two chunks of the four times two. What is finished next needs it not.
#[inline(always)]
fn settle<D: Dots, G: Group, const C: usize, const R: usize>(
    sums: &mut [[D::D; C]; R],
    pair: usize,
) {
    if matches!((G::Part::BITS, pair), (5, 1) | (6, 0 | 2)) {
        *sums = sums.map(|sums| sums.map(D::settle));
    }
}

/// Sums, scaled.
#[inline(always)]
fn scaled<D: Dots, const C: usize, const R: usize>(
    sums: [[D::D; C]; R],
    scale: [<D::L as Lanes>::F; C],
) -> [[<D::L as Lanes>::F; C]; R] {
    from_fn(|r| from_fn(|c| D::L::mul(D::finish(sums[r][c]), scale[c])))
}

/// Adds the sums of a part; with scales for halves those of the last one, and the first one's.
#[inline(always)]
fn add<D: Dots, const C: usize, const R: usize>(
    acc: &mut [[<D::L as Lanes>::F; C]; R],
    sums: [[D::D; C]; R],
    first: Option<[[<D::L as Lanes>::F; C]; R]>,
    scale: [<D::L as Lanes>::F; C],
    a: &[Act8; R],
) {
    unrolled!(C * R, i => {
        let (r, c) = (i / C, i % C);
        let (sum, d) = (D::finish(sums[r][c]), D::L::splat(a[r].d * D::FACTOR));
        acc[r][c] = match first {
            Some(first) => D::L::madd(D::L::madd(sum, scale[c], first[r][c]), d, acc[r][c]),
            None => D::L::madd(sum, D::L::mul(d, scale[c]), acc[r][c]),
        };
    });
}

/// Adds what a part's minima give.
#[inline(always)]
fn minima<D: Dots, const C: usize, const R: usize>(
    acc: &mut [[<D::L as Lanes>::F; C]; R],
    minimum: [<D::L as Lanes>::F; C],
    a: &[Act8; R],
) {
    unrolled!(C * R, i => {
        let (r, c) = (i / C, i % C);
        acc[r][c] = D::L::madd(minimum[c], D::L::splat(a[r].s), acc[r][c]);
    });
}
