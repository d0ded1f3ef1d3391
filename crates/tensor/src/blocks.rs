//! Block layouts of the quantised types, proven by `const` asserts.
//!
//! The fields have ggml's names and order (`ggml-common.h`, "block_q4_0" and its neighbours). Every
//! file type has alignment 1, so a block can be viewed at any address of a file; [`Act8`] exists
//! only in memory.

mod codebook;

pub use codebook::{
    BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
    BlockIQ4_NL, BlockIQ4_XS,
};

use crate::DType;
use bytemuck::{Pod, Zeroable};

/// An IEEE 754 binary16 number as stored in a file: little-endian, on any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Zeroable, Pod)]
#[repr(transparent)]
pub struct F16(pub [u8; 2]);

impl F16 {
    /// The nearest number, ties to even; an infinity where it is too large.
    pub fn from_f32(value: f32) -> Self {
        Self(half::f16::from_f32(value).to_le_bytes())
    }

    /// The exact value.
    pub fn to_f32(self) -> f32 {
        half::f16::from_le_bytes(self.0).to_f32()
    }

    /// The bits.
    #[inline(always)]
    pub fn bits(self) -> u16 {
        u16::from_le_bytes(self.0)
    }
}

/// 32 values `d * (q - 8)`, q in 0..16: value `i` is the low nibble of `qs[i]`, value `i + 16` the
/// high one.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ4_0 {
    /// Scale.
    pub d: F16,
    /// Nibbles.
    pub qs: [u8; 16],
}

/// 32 values `d * q + m`, nibbles as in [`BlockQ4_0`].
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ4_1 {
    /// Scale.
    pub d: F16,
    /// Minimum.
    pub m: F16,
    /// Nibbles.
    pub qs: [u8; 16],
}

/// 32 values `d * (q - 16)`, q in 0..32: nibbles as in [`BlockQ4_0`], the fifth bit of value `i` is
/// bit `i` of `qh`.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ5_0 {
    /// Scale.
    pub d: F16,
    /// Fifth bits.
    pub qh: [u8; 4],
    /// Nibbles.
    pub qs: [u8; 16],
}

/// 32 values `d * q + m`, bits as in [`BlockQ5_0`].
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ5_1 {
    /// Scale.
    pub d: F16,
    /// Minimum.
    pub m: F16,
    /// Fifth bits.
    pub qh: [u8; 4],
    /// Nibbles.
    pub qs: [u8; 16],
}

/// 32 values `d * q`.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// Scale.
    pub d: F16,
    /// Values.
    pub qs: [i8; 32],
}

/// 256 values in 16 groups of 16: `d * (scale & 15) * q - dmin * (scale >> 4)`, q in 0..4.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ2_K {
    /// A scale (low nibble) and a minimum (high nibble) for each group.
    pub scales: [u8; 16],
    /// Pairs of bits: value `128 n + 32 j + l` is bits `2 j` of `qs[32 n + l]`.
    pub qs: [u8; 64],
    /// Scale of the scales.
    pub d: F16,
    /// Scale of the minima.
    pub dmin: F16,
}

/// 256 values in 16 groups of 16: `d * (scale - 32) * (q - 4)`, q in 0..8.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ3_K {
    /// Third bits: value `32 p + l` has bit `p` of `hmask[l]`.
    pub hmask: [u8; 32],
    /// Low pairs of bits, as in [`BlockQ2_K`].
    pub qs: [u8; 64],
    /// Sixteen 6-bit scales: four low bits in the nibbles of bytes 0..8, two high bits in 8..12.
    pub scales: [u8; 12],
    /// Scale of the scales.
    pub d: F16,
}

/// 256 values in 8 groups of 32: `d * scale * q - dmin * min`, q in 0..16.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ4_K {
    /// Scale of the scales.
    pub d: F16,
    /// Scale of the minima.
    pub dmin: F16,
    /// Eight 6-bit scales and eight 6-bit minima.
    pub scales: [u8; 12],
    /// Nibbles: group `2 i` is the low ones of `qs[32 i..]`, group `2 i + 1` the high ones.
    pub qs: [u8; 128],
}

/// 256 values in 8 groups of 32: `d * scale * q - dmin * min`, q in 0..32.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ5_K {
    /// Scale of the scales.
    pub d: F16,
    /// Scale of the minima.
    pub dmin: F16,
    /// As in [`BlockQ4_K`].
    pub scales: [u8; 12],
    /// Fifth bits: value `32 p + l` has bit `p` of `qh[l]`.
    pub qh: [u8; 32],
    /// As in [`BlockQ4_K`].
    pub qs: [u8; 128],
}

/// 256 values in 16 groups of 16: `d * scale * (q - 32)`, q in 0..64.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockQ6_K {
    /// Low nibbles: value `128 n + 32 j + l` is in `ql[64 n + 32 (j & 1) + l]`, high half if j > 1.
    pub ql: [u8; 128],
    /// High pairs of bits: bits `2 j` of `qh[32 n + l]`.
    pub qh: [u8; 64],
    /// A scale for each group.
    pub scales: [i8; 16],
    /// Scale of the scales.
    pub d: F16,
}

/// 256 values `d * (t - 1)`, t in 0..3: five of them in a byte, as a fraction of 243.
///
/// The `n`-th digit of a byte is `(byte * 3^n mod 256) * 3 / 256`, rounded down. Values 0..160 are
/// the digits of `qs[..32]` (all first ones, then all second ones), 160..240 those of `qs[32..]`,
/// the last 16 the first four of `qh`.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockTQ1_0 {
    /// Five digits a byte.
    pub qs: [u8; 48],
    /// Four digits a byte.
    pub qh: [u8; 4],
    /// Scale.
    pub d: F16,
}

/// 256 values `d * (q - 1)`, q in 0..3.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockTQ2_0 {
    /// Pairs of bits, as in [`BlockQ2_K`].
    pub qs: [u8; 64],
    /// Scale.
    pub d: F16,
}

/// 32 numbers of 4 bits (E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) times a power of two.
///
/// Source: OCP Microscaling Formats (MX) 1.0, "MXFP4".
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockMXFP4 {
    /// The power's exponent plus 127.
    pub e: u8,
    /// Numbers, as the nibbles of [`BlockQ4_0`].
    pub qs: [u8; 16],
}

/// 64 numbers as in [`BlockMXFP4`], in 4 groups of 16 with a scale each.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct BlockNVFP4 {
    /// Scales: 4 bits of exponent (bias 7), 3 of fraction (E4M3 without its sign).
    pub d: [u8; 4],
    /// Eight bytes a group: the low nibbles are its first numbers, the high ones its last.
    pub qs: [u8; 32],
}

/// 32 activations `d * q`, made at run time for the integer kernels.
#[derive(Clone, Copy, Debug, PartialEq, Zeroable, Pod)]
#[repr(C)]
pub struct Act8 {
    /// Scale.
    pub d: f32,
    /// `d` times the sum of `q`, for weights that have a minimum.
    pub s: f32,
    /// The sums of the first and of the last 16 values of `q`.
    pub sums: [i16; 2],
    /// Values in -127..=127.
    pub q: [i8; 32],
}

/// Whether the table of types and the struct agree on the size.
const fn fits<T>(bytes: usize) -> bool {
    size_of::<T>() == bytes
}

const _: () = assert!(fits::<BlockQ4_0>(18) && align_of::<BlockQ4_0>() == 1);
const _: () = assert!(fits::<BlockQ4_1>(20) && align_of::<BlockQ4_1>() == 1);
const _: () = assert!(fits::<BlockQ5_0>(22) && align_of::<BlockQ5_0>() == 1);
const _: () = assert!(fits::<BlockQ5_1>(24) && align_of::<BlockQ5_1>() == 1);
const _: () = assert!(fits::<BlockQ8_0>(34) && align_of::<BlockQ8_0>() == 1);
const _: () = assert!(fits::<BlockQ2_K>(84) && align_of::<BlockQ2_K>() == 1);
const _: () = assert!(fits::<BlockQ3_K>(110) && align_of::<BlockQ3_K>() == 1);
const _: () = assert!(fits::<BlockQ4_K>(144) && align_of::<BlockQ4_K>() == 1);
const _: () = assert!(fits::<BlockQ5_K>(176) && align_of::<BlockQ5_K>() == 1);
const _: () = assert!(fits::<BlockQ6_K>(210) && align_of::<BlockQ6_K>() == 1);
const _: () = assert!(fits::<BlockTQ1_0>(54) && align_of::<BlockTQ1_0>() == 1);
const _: () = assert!(fits::<BlockTQ2_0>(66) && align_of::<BlockTQ2_0>() == 1);
const _: () = assert!(fits::<BlockMXFP4>(17) && align_of::<BlockMXFP4>() == 1);
const _: () = assert!(fits::<BlockNVFP4>(36) && align_of::<BlockNVFP4>() == 1);
const _: () = assert!(fits::<BlockIQ1_S>(50) && align_of::<BlockIQ1_S>() == 1);
const _: () = assert!(fits::<BlockIQ1_M>(56) && align_of::<BlockIQ1_M>() == 1);
const _: () = assert!(fits::<BlockIQ2_XXS>(66) && align_of::<BlockIQ2_XXS>() == 1);
const _: () = assert!(fits::<BlockIQ2_XS>(74) && align_of::<BlockIQ2_XS>() == 1);
const _: () = assert!(fits::<BlockIQ2_S>(82) && align_of::<BlockIQ2_S>() == 1);
const _: () = assert!(fits::<BlockIQ3_XXS>(98) && align_of::<BlockIQ3_XXS>() == 1);
const _: () = assert!(fits::<BlockIQ3_S>(110) && align_of::<BlockIQ3_S>() == 1);
const _: () = assert!(fits::<BlockIQ4_NL>(18) && align_of::<BlockIQ4_NL>() == 1);
const _: () = assert!(fits::<BlockIQ4_XS>(136) && align_of::<BlockIQ4_XS>() == 1);
const _: () = assert!(fits::<Act8>(44) && align_of::<Act8>() == 4);

/// A block type of this module, with the element type it belongs to.
pub trait Block: Pod {
    /// The element type.
    const DTYPE: DType;
    /// Values in a block.
    const LEN: usize;
}

macro_rules! blocks {
    ($($block:ident $dtype:ident $len:literal,)*) => {
        $(impl Block for $block {
            const DTYPE: DType = DType::$dtype;
            const LEN: usize = $len;
        })*

        #[cfg(test)]
        #[test]
        fn the_table_of_types_agrees() {
            $(assert_eq!((DType::$dtype.block_len(), DType::$dtype.block_bytes()),
                ($len, size_of::<$block>()));)*
        }
    };
}

blocks! {
    BlockQ4_0 Q4_0 32,
    BlockQ4_1 Q4_1 32,
    BlockQ5_0 Q5_0 32,
    BlockQ5_1 Q5_1 32,
    BlockQ8_0 Q8_0 32,
    BlockQ2_K Q2_K 256,
    BlockQ3_K Q3_K 256,
    BlockQ4_K Q4_K 256,
    BlockQ5_K Q5_K 256,
    BlockQ6_K Q6_K 256,
    BlockTQ1_0 TQ1_0 256,
    BlockTQ2_0 TQ2_0 256,
    BlockMXFP4 MXFP4 32,
    BlockNVFP4 NVFP4 64,
    BlockIQ1_S IQ1_S 256,
    BlockIQ1_M IQ1_M 256,
    BlockIQ2_XXS IQ2_XXS 256,
    BlockIQ2_XS IQ2_XS 256,
    BlockIQ2_S IQ2_S 256,
    BlockIQ3_XXS IQ3_XXS 256,
    BlockIQ3_S IQ3_S 256,
    BlockIQ4_NL IQ4_NL 32,
    BlockIQ4_XS IQ4_XS 256,
    Act8 Act8 32,
}
