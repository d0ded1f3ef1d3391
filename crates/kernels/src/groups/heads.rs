//! The scales of four rows' blocks, as vectors with a lane for each row.

use crate::lanes::Lanes;
use bytemuck::{Pod, Zeroable};
use sidestage_tensor::blocks::F16;
use std::array::from_fn;

/// What stands before the parts of a group.
pub(crate) trait Head: Pod {
    /// Whether there is a minimum.
    const MINIMUM: bool = false;
    /// Whether each half of a part has a scale of its own.
    const SPLIT: bool = false;
    /// The scales, unpacked.
    type Scales<L: Lanes>: Copy;

    fn scales<L: Lanes>(&self) -> Self::Scales<L>;
    /// The scale of a part's half.
    fn scale<L: Lanes>(scales: &Self::Scales<L>, part: usize, half: usize) -> L::F;
    /// What is added to each value of a part.
    fn minimum<L: Lanes>(_scales: &Self::Scales<L>, _part: usize) -> L::F {
        L::splat(0.0)
    }
}

/// One scale.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct One {
    pub(super) d: [F16; 4],
}

/// A scale and a minimum.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct OneAndMinimum {
    pub(super) d: [F16; 4],
    pub(super) m: [F16; 4],
}

/// Eight scales and minima of six bits: vector `i` has the bytes `4 i..4 i + 4` of each row's
/// twelve, packed as in the file.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct SixBits {
    pub(super) d: [F16; 4],
    pub(super) dmin: [F16; 4],
    pub(super) packed: [[u8; 16]; 3],
}

/// Sixteen scales of eight bits: vector `i` has those of groups `4 i..4 i + 4` of each row.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct EightBits {
    pub(super) d: [F16; 4],
    pub(super) scales: [[u8; 16]; 4],
}

impl Head for One {
    type Scales<L: Lanes> = L::F;
    #[inline(always)]
    fn scales<L: Lanes>(&self) -> L::F {
        L::scales(bytemuck::cast_ref(&self.d))
    }
    #[inline(always)]
    fn scale<L: Lanes>(scales: &L::F, _: usize, _: usize) -> L::F {
        *scales
    }
}

impl Head for OneAndMinimum {
    const MINIMUM: bool = true;
    type Scales<L: Lanes> = [L::F; 2];
    #[inline(always)]
    fn scales<L: Lanes>(&self) -> [L::F; 2] {
        [&self.d, &self.m].map(|halves| L::scales(bytemuck::cast_ref(halves)))
    }
    #[inline(always)]
    fn scale<L: Lanes>(scales: &[L::F; 2], _: usize, _: usize) -> L::F {
        scales[0]
    }
    #[inline(always)]
    fn minimum<L: Lanes>(scales: &[L::F; 2], _: usize) -> L::F {
        scales[1]
    }
}

impl Head for SixBits {
    const MINIMUM: bool = true;
    type Scales<L: Lanes> = [[L::F; 8]; 2];
    /// ggml's `get_scale_min_k4`, for four rows and four bytes at once.
    #[inline(always)]
    fn scales<L: Lanes>(&self) -> [[L::F; 8]; 2] {
        let d = L::tiny_scales(bytemuck::cast_ref(&self.d));
        let dmin = L::tiny_scales(bytemuck::cast_ref(&self.dmin));
        let dmin = L::sub(L::splat(0.0), dmin);
        let [a, b, c] = self.packed.map(|bytes| L::bytes(&bytes));
        let tops = |low, packed| L::or(L::shr_and(c, low, 15), L::shr_and(packed, 2, 48));
        let scales = [L::shr_and(a, 0, 63), tops(0, a)];
        let minima = [L::shr_and(b, 0, 63), tops(4, b)];
        let unpack = |d, bytes: [L::B; 2]| from_fn(|i| L::mul(d, L::byte(bytes[i / 4], i % 4)));
        [unpack(d, scales), unpack(dmin, minima)]
    }
    #[inline(always)]
    fn scale<L: Lanes>(scales: &[[L::F; 8]; 2], part: usize, _: usize) -> L::F {
        scales[0][part]
    }
    #[inline(always)]
    fn minimum<L: Lanes>(scales: &[[L::F; 8]; 2], part: usize) -> L::F {
        scales[1][part]
    }
}

impl Head for EightBits {
    const SPLIT: bool = true;
    type Scales<L: Lanes> = (L::F, [L::B; 4]);
    #[inline(always)]
    fn scales<L: Lanes>(&self) -> (L::F, [L::B; 4]) {
        let d = L::tiny_scales(bytemuck::cast_ref(&self.d));
        (d, from_fn(|i| L::bytes(&self.scales[i])))
    }
    #[inline(always)]
    fn scale<L: Lanes>((d, scales): &(L::F, [L::B; 4]), part: usize, half: usize) -> L::F {
        L::mul(*d, L::signed_byte(scales[part / 2], 2 * (part % 2) + half))
    }
}
