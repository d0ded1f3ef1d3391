//! The one inner loop of attention: a few vectors times streams of four columns.

use crate::lanes::Lanes;
use bytemuck::Pod;

/// Elements of the cache, four of which a kernel takes at once.
pub(super) trait Four: Pod {
    /// What [`Four::widen`] leaves out.
    const FACTOR: f32 = 1.0;
    /// Whether there are scales beside the elements.
    const SCALED: bool = false;
    /// The same elements, widened once for many vectors.
    type Wide: Four;

    /// The numbers as `f32`, divided by [`Four::FACTOR`].
    fn widen<L: Lanes>(&self) -> L::F;

    /// [`Four::widen`], to be kept.
    fn wide<L: Lanes>(&self) -> Self::Wide {
        bytemuck::cast(L::store(self.widen::<L>()))
    }
}

impl Four for [f32; 4] {
    type Wide = Self;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load(self)
    }
}

/// Binary16.
impl Four for [u16; 4] {
    const FACTOR: f32 = f32::from_bits((127 + 112) << 23);
    type Wide = [f32; 4];

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load_shifted_f16(bytemuck::cast_ref(self))
    }
}

impl Four for [i8; 4] {
    const SCALED: bool = true;
    type Wide = Levels;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load_i8(self)
    }
}

/// Bytes, widened.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub(super) struct Levels([f32; 4]);

impl Four for Levels {
    const SCALED: bool = true;
    type Wide = Self;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load(&self.0)
    }
}

/// `Q` vectors times `S` streams of `n` fours: each result starts at 0 and adds its products in
/// order. `left(s, i)` are the vectors' values for place `i` of stream `s`.
///
/// Eight to twelve results at once hide the latency of an addition and leave registers for the
/// operands.
#[inline(always)]
pub(super) fn product<L: Lanes, E: Four, const Q: usize, const S: usize>(
    n: usize,
    left: impl Fn(usize, usize) -> [f32; Q],
    right: [&[E]; S],
) -> [[L::F; S]; Q] {
    let right = right.map(|right| &right[..n]);
    let mut sums = [[L::splat(0.0); S]; Q];
    for i in 0..n {
        unrolled!(S, s => {
            let (left, right) = (left(s, i).map(L::splat), right[s][i].widen::<L>());
            unrolled!(Q, q => sums[q][s] = L::madd(left[q], right, sums[q][s]));
        });
    }
    sums
}
