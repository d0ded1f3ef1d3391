//! Products of bytes: activations with or without a sign times weights of whole bytes, added in 32 bits.
//!
//! Weights lie in panels of eight columns ([`pack_int8`]), four steps of each column side by side, as the
//! integer products of a [set](crate::lanes::Dots) take them. A set takes activations either without a
//! sign or with one, so they are turned into what it takes when they are gathered, and what stands for 0
//! moves along. Sums are exact modulo 2^32 in every set, as in the reference kernels of the formats; what
//! the zeros of both sides contribute comes from the sums of the weights' columns and of the
//! activations' rows.

mod binary;
mod conv;
mod depthwise;
mod pack;
mod product;
mod quantize;
mod requantize;

pub use binary::{Arithmetic, BinaryInt8, binary_int8};
pub use conv::ConvInt8;
pub use depthwise::{DepthwiseInt8, pack_depthwise_int8};
pub use pack::{pack_int8, packed_steps};
pub use product::{GemmInt8, Int8Results};
pub use quantize::{Halves, dequantize_int8, quantize_int8, range_with_zero};
pub use requantize::Requantize;

use crate::lanes::{Dots, Generic, native};
use std::ops::Range;

/// Computes some panels of some rows. No two threads may do the same ones at once.
///
/// # Panics
/// If a part is not there.
pub fn gemm_int8(args: &GemmInt8<'_>, rows: Range<usize>, panels: Range<usize>) {
    native(Int8Work::Gemm(args, rows, panels));
}

/// Computes some panels, counted over all groups, of some windows, counted over all images. No two
/// threads may do the same ones at once.
///
/// # Panics
/// If a part is not there.
pub fn conv_int8(args: &ConvInt8<'_>, rows: Range<usize>, panels: Range<usize>) {
    native(Int8Work::Conv(args, rows, panels));
}

/// Computes some channels, [`DepthwiseInt8::CHANNELS`] from each multiple of that or all, of some lines of
/// windows, `[n, d, h]` of the result. No two threads may do the same ones at once.
///
/// # Panics
/// If a line is not there, or the weights are not those of the windows.
pub fn depthwise_int8(args: &DepthwiseInt8<'_>, lines: Range<usize>, channels: Range<usize>) {
    native(Int8Work::Depthwise(args, lines, channels));
}

/// A part of the work of a kernel, for a set of products.
#[derive(Clone)]
pub(crate) enum Int8Work<'a> {
    Gemm(&'a GemmInt8<'a>, Range<usize>, Range<usize>),
    Conv(&'a ConvInt8<'a>, Range<usize>, Range<usize>),
    Depthwise(&'a DepthwiseInt8<'a>, Range<usize>, Range<usize>),
}

impl Generic for Int8Work<'_> {
    type Output = ();

    fn run<D: Dots>(self) {
        match self {
            Self::Gemm(args, rows, panels) => args.by::<D>(rows, panels),
            Self::Conv(args, rows, panels) => args.by::<D>(rows, panels),
            Self::Depthwise(args, lines, channels) => args.by::<D>(lines, channels),
        }
    }
}

/// Activations of bytes.
#[derive(Clone, Copy)]
pub struct Int8<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether they have a sign.
    pub signed: bool,
    /// What stands for 0.
    pub zero: i32,
}

impl Int8<'_> {
    /// What turns each byte into what a set takes.
    fn flip(&self, signed: bool) -> u8 {
        if self.signed == signed { 0 } else { 0x80 }
    }

    /// What stands for 0 then.
    fn moved(&self, signed: bool) -> i32 {
        let by = i32::from(self.signed) - i32::from(signed);
        self.zero.wrapping_add(128 * by)
    }

    /// The byte for what lies outside an image, before it is turned.
    fn outside(&self) -> u8 {
        self.zero as u8
    }
}

/// Copies some bytes, a few of them faster than a call of `memory.copy`. Up to fifteen bytes behind them
/// may change.
#[inline(always)]
fn copy_bytes(from: &[u8], to: &mut [u8], count: usize) {
    const SHORT: usize = 128;
    if let (true, Some(from), Some(to)) =
        (count <= 16, from.first_chunk::<16>(), to.first_chunk_mut::<16>())
    {
        *to = *from;
        return;
    }
    let (from, to) = (&from[..count], &mut to[..count]);
    if !(16..=SHORT).contains(&count) {
        to.copy_from_slice(from);
        return;
    }
    let mut at = 0;
    loop {
        // A place that the compiler cannot follow from step to step: it would see the call.
        let place = std::hint::black_box(at.min(count - 16));
        if let (Some(to), Some(from)) = (to[place..].first_chunk_mut(), from[place..].first_chunk())
        {
            *to = *from as [u8; 16];
        }
        at += 16;
        if at >= count {
            return;
        }
    }
}
