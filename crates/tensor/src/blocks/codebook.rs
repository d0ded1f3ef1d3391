//! The IQ types: a number stands for several values at once, out of a list ("grid") that the format
//! fixes, or for one value out of 16.

use super::F16;
use bytemuck::{Pod, Zeroable};

/// 256 values in 8 groups of 32: `d * (2 * scale + 1) * (g + shift)`, g of the IQ1 grid (-1, 0, 1),
/// the shift 1/8 or -1/8.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ1_S {
    /// Scale of the scales.
    pub d: F16,
    /// Low bytes of the grid's indices, of 8 values each.
    pub qs: [u8; 32],
    /// A word for each group: three high bits of each of its 4 indices, a scale of three bits, and
    /// whether the shift is negative.
    pub qh: [[u8; 2]; 8],
}

/// 256 values in 16 groups of 16: as [`BlockIQ1_S`], with a shift for each 8 values.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ1_M {
    /// Low bytes of the grid's indices, of 8 values each.
    pub qs: [u8; 32],
    /// A nibble for each 8 values: three high bits of the index, and whether the shift is negative.
    pub qh: [u8; 16],
    /// Words: three bits of scale for each of 4 groups, then a nibble of the scale of the scales
    /// (binary16; the first word has the lowest one).
    pub scales: [[u8; 2]; 4],
}

/// 256 values in 8 groups of 32: `d * (2 * scale + 1) / 8 * ±g`, g of the IQ2_XXS grid.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ2_XXS {
    /// Scale of the scales.
    pub d: F16,
    /// For each group: 4 indices of 8 values each, then a word of 4 times 7 signs (the eighth makes
    /// the number of negative ones even) and a scale of 4 bits.
    pub qs: [[u8; 8]; 8],
}

/// 256 values in 16 groups of 16: `d * (2 * scale + 1) / 8 * ±g`, g of the IQ2_XS grid.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ2_XS {
    /// Scale of the scales.
    pub d: F16,
    /// Words of 9 bits of index and 7 signs, as in [`BlockIQ2_XXS`], for 8 values each.
    pub qs: [[u8; 2]; 32],
    /// A nibble for each group.
    pub scales: [u8; 8],
}

/// 256 values in 16 groups of 16: `d * (2 * scale + 1) / 8 * ±g`, g of the IQ2_S grid.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ2_S {
    /// Scale of the scales.
    pub d: F16,
    /// Low bytes of the indices, of 8 values each.
    pub qs: [u8; 32],
    /// A sign for each value.
    pub signs: [u8; 32],
    /// Two high bits of each index.
    pub qh: [u8; 8],
    /// A nibble for each group.
    pub scales: [u8; 8],
}

/// 256 values in 8 groups of 32: `d * (2 * scale + 1) / 4 * ±g`, g of the IQ3_XXS grid.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ3_XXS {
    /// Scale of the scales.
    pub d: F16,
    /// Indices, of 4 values each.
    pub qs: [u8; 64],
    /// A word for each group: signs and scale as in [`BlockIQ2_XXS`].
    pub scales: [[u8; 4]; 8],
}

/// 256 values in 8 groups of 32: `d * (2 * scale + 1) * ±g`, g of the IQ3_S grid.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ3_S {
    /// Scale of the scales.
    pub d: F16,
    /// Low bytes of the indices, of 4 values each.
    pub qs: [u8; 64],
    /// A ninth bit of each index.
    pub qh: [u8; 8],
    /// A sign for each value.
    pub signs: [u8; 32],
    /// A nibble for each group.
    pub scales: [u8; 4],
}

/// 32 values `d * v`, v one of 16 numbers that are not evenly spaced.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ4_NL {
    /// Scale.
    pub d: F16,
    /// Indices, as the nibbles of [`super::BlockQ4_0`].
    pub qs: [u8; 16],
}

/// 256 values in 8 groups of 32: `d * (scale - 32) * v`, v as in [`BlockIQ4_NL`].
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockIQ4_XS {
    /// Scale of the scales.
    pub d: F16,
    /// Two high bits of each group's scale.
    pub scales_h: [u8; 2],
    /// A nibble for each group: the low bits of its scale.
    pub scales_l: [u8; 4],
    /// Sixteen bytes for each group, as in [`BlockIQ4_NL`].
    pub qs: [[u8; 16]; 8],
}
