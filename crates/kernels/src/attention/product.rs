//! The one inner loop of attention: a few vectors times streams of four columns.

use crate::lanes::Lanes;
use bytemuck::Pod;

/// Elements of the cache, four of which a kernel takes at once.
pub(super) trait Four: Pod {
    /// What [`Four::widen`] leaves out.
    const FACTOR: f32;

    /// The numbers as `f32`, divided by [`Four::FACTOR`].
    fn widen<L: Lanes>(&self) -> L::F;
}

impl Four for [f32; 4] {
    const FACTOR: f32 = 1.0;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load(self)
    }
}

/// Binary16.
impl Four for [u16; 4] {
    const FACTOR: f32 = f32::from_bits((127 + 112) << 23);

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load_shifted_f16(bytemuck::cast_ref(self))
    }
}

impl Four for [i8; 4] {
    const FACTOR: f32 = 1.0;

    #[inline(always)]
    fn widen<L: Lanes>(&self) -> L::F {
        L::load_i8(self)
    }
}

/// `Q` vectors times `S` streams: each result starts at 0 and adds its products in order.
///
/// Eight to twelve results at once hide the latency of an addition and leave registers for the
/// operands.
#[inline(always)]
pub(super) fn product<L: Lanes, E: Four, const Q: usize, const S: usize>(
    left: &[[f32; Q]],
    right: [&[E]; S],
) -> [[L::F; S]; Q] {
    let right = right.map(|right| &right[..left.len()]);
    let mut sums = [[L::splat(0.0); S]; Q];
    for (i, left) in left.iter().enumerate() {
        let left = left.map(L::splat);
        for s in 0..S {
            let right = right[s][i].widen::<L>();
            for q in 0..Q {
                sums[q][s] = L::madd(left[q], right, sums[q][s]);
            }
        }
    }
    sums
}
