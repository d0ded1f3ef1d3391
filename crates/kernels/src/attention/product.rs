//! The one inner loop of attention: a few vectors times streams of eight columns.

use crate::lanes::Lanes;
use bytemuck::Pod;

/// Elements of the cache, eight of which a kernel takes at once.
pub(super) trait Eight: Pod {
    /// What [`Eight::widen`] leaves out.
    const FACTOR: f32 = 1.0;
    /// Whether there are scales beside the elements.
    const SCALED: bool = false;
    /// The same elements, widened once for many vectors.
    type Wide: Eight;

    /// The numbers as `f32`, divided by [`Eight::FACTOR`].
    fn widen<L: Lanes>(&self) -> [L::F; 2];

    /// [`Eight::widen`], to be kept.
    fn wide<L: Lanes>(&self) -> Self::Wide {
        bytemuck::cast(self.widen::<L>().map(L::store))
    }
}

impl Eight for [f32; 8] {
    type Wide = Self;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> [L::F; 2] {
        let fours: &[[f32; 4]; 2] = bytemuck::cast_ref(self);
        [L::load(&fours[0]), L::load(&fours[1])]
    }
}

/// Binary16.
impl Eight for [u16; 8] {
    const FACTOR: f32 = f32::from_bits((127 + 112) << 23);
    type Wide = [f32; 8];

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> [L::F; 2] {
        L::load_eight_shifted_f16(bytemuck::cast_ref(self))
    }
}

impl Eight for [i8; 8] {
    const SCALED: bool = true;
    type Wide = Levels;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> [L::F; 2] {
        L::load_i8(self)
    }
}

/// Bytes, widened.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub(super) struct Levels([f32; 8]);

impl Eight for Levels {
    const SCALED: bool = true;
    type Wide = Self;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> [L::F; 2] {
        self.0.widen::<L>()
    }
}

/// Of `Q` vectors and `S` streams of eight columns the results, two fours each.
pub(super) type Sums<F, const Q: usize, const S: usize> = [[[F; 2]; S]; Q];

/// Adds `Q` vectors times `S` streams of `n` eights to the sums, in order. `left(i)` are the vectors'
/// values for place `i`.
#[inline(always)]
pub(super) fn product<L: Lanes, E: Eight, const Q: usize, const S: usize>(
    n: usize,
    left: impl Fn(usize) -> [f32; Q],
    right: [&[E]; S],
    mut sums: Sums<L::F, Q, S>,
) -> Sums<L::F, Q, S> {
    let right = right.map(|right| &right[..n]);
    #[allow(clippy::needless_range_loop, reason = "a place of every stream")]
    for i in 0..n {
        let left = left(i);
        unrolled!(S, s => {
            let [low, high] = right[s][i].widen::<L>();
            unrolled!(Q, q => {
                let (left, [a, b]) = (L::splat(left[q]), sums[q][s]);
                sums[q][s] = [L::madd(left, low, a), L::madd(left, high, b)];
            });
        });
    }
    sums
}
