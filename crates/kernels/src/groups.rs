//! Weights whose rows lie in groups of four, as the fast kernels read them.
//!
//! A group has the four rows' blocks of each place of the rows together, in as many bytes as the
//! file's four: first their scales side by side, then their values, in parts of 32. A vector of 16
//! bytes has four bytes of each row, so that each 32-bit lane belongs to one row: sums need no
//! step across lanes, and scales are vectors. What is left of a number of rows that is no multiple
//! of four lies behind the groups as in the file.
//!
//! Within a part the bits are arranged alike for all types (`parts.rs`), so that one way of
//! unpacking serves them. `c` numbers its eight chunks of four values:
//!
//! * four bits: chunk `c` is the low half of vector `c`, chunk `c + 4` the high half;
//! * the fifth bits: one vector more; value `i` of chunk `c` has bit `c` of byte `i`;
//! * the fifth and sixth bits: two vectors more, for the first and last four chunks; value `i` of
//!   the `c`-th of these has bits `2 c` and `2 c + 1` of byte `i`;
//! * eight bits: chunk `c` is vector `c`, its values with 128 added, as the fast products take one
//!   operand without a sign.
//!
//! Weights of 16 bits have the four rows' numbers of each column side by side.

#![allow(unsafe_code, reason = "blocks are bytes, which a generic type cannot derive")]

mod arrange;
mod heads;
mod parts;

pub(crate) use arrange::Rows;
pub(crate) use heads::Head;
pub(crate) use parts::Part;

use crate::dequantize::{dequantize_graphs, dequantize_row};
use crate::lanes::Portable;
use crate::quant::Quant;
use bytemuck::{Pod, Zeroable};
use heads::{EightBits, One, OneAndMinimum, SixBits};
use parts::{Bytes, Fives, Nibbles, Sixes};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::{
    Block, BlockQ4_0, BlockQ4_1, BlockQ4_K, BlockQ5_0, BlockQ5_1, BlockQ5_K, BlockQ6_K, BlockQ8_0,
};

/// Rows of a group.
pub const GROUP: usize = 4;

/// How many of `rows` rows of a weight (for experts: of each) lie in groups; the others follow.
pub fn grouped_rows(dtype: DType, rows: usize) -> usize {
    let groups = matches!(
        dtype,
        DType::Q4_0
            | DType::Q4_1
            | DType::Q5_0
            | DType::Q5_1
            | DType::Q8_0
            | DType::Q4_K
            | DType::Q5_K
            | DType::Q6_K
            | DType::F16
            | DType::BF16
    );
    if groups { rows / GROUP * GROUP } else { 0 }
}

/// The blocks of four rows at one place of them.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Four<H, P, const PARTS: usize> {
    head: H,
    parts: [P; PARTS],
}

/// A type of weights in groups.
pub(crate) trait Group: Pod {
    /// The type of a single row's block.
    type Block: Quant + Rows<Group = Self>;
    /// The scales.
    type Head: Head;
    /// 32 values of each row.
    type Part: Part;
    /// Parts of a block.
    const PARTS: usize = Self::Block::LEN / 32;
    /// What is taken from each value.
    const ZERO: i16 = if Self::Head::MINIMUM { 0 } else { 1 << (Self::Part::BITS - 1) };

    fn head(&self) -> &Self::Head;
    fn part(&self, part: usize) -> &Self::Part;
}

macro_rules! groups {
    ($($block:ident: $head:ident $part:ident $parts:literal,)*) => {
        $(
            const _: () = assert!(
                size_of::<Four<$head, $part, $parts>>() == GROUP * size_of::<$block>()
                    && align_of::<Four<$head, $part, $parts>>() == 1
            );
            // SAFETY: heads and parts are bytes of any value, and by the size above all there is.
            unsafe impl Zeroable for Four<$head, $part, $parts> {}
            // SAFETY: as above.
            unsafe impl Pod for Four<$head, $part, $parts> {}

            impl Group for Four<$head, $part, $parts> {
                type Block = $block;
                type Head = $head;
                type Part = $part;

                #[inline(always)]
                fn head(&self) -> &$head {
                    &self.head
                }
                #[inline(always)]
                fn part(&self, part: usize) -> &$part {
                    &self.parts[part]
                }
            }
        )*
    };
}

groups! {
    BlockQ4_0: One Nibbles 1,
    BlockQ4_1: OneAndMinimum Nibbles 1,
    BlockQ5_0: One Fives 1,
    BlockQ5_1: OneAndMinimum Fives 1,
    BlockQ8_0: One Bytes 1,
    BlockQ4_K: SixBits Nibbles 8,
    BlockQ5_K: SixBits Fives 8,
    BlockQ6_K: EightBits Sixes 8,
}

/// Calls a generic function with the block type of a type that has groups.
macro_rules! by_block {
    ($dtype:expr, $call:ident $(::<$lanes:ty>)? ($($arg:expr),*), $other:expr) => {
        match $dtype {
            DType::Q4_0 => $call::<$($lanes,)? BlockQ4_0>($($arg),*),
            DType::Q4_1 => $call::<$($lanes,)? BlockQ4_1>($($arg),*),
            DType::Q5_0 => $call::<$($lanes,)? BlockQ5_0>($($arg),*),
            DType::Q5_1 => $call::<$($lanes,)? BlockQ5_1>($($arg),*),
            DType::Q8_0 => $call::<$($lanes,)? BlockQ8_0>($($arg),*),
            DType::Q4_K => $call::<$($lanes,)? BlockQ4_K>($($arg),*),
            DType::Q5_K => $call::<$($lanes,)? BlockQ5_K>($($arg),*),
            DType::Q6_K => $call::<$($lanes,)? BlockQ6_K>($($arg),*),
            _ => $other,
        }
    };
}
pub(crate) use by_block;

/// Arranges a weight that lies as in the file in groups: one matrix of `rows` rows of `width`
/// values, or several, as those of experts. A type without groups stays as it is.
///
/// # Panics
/// If the bytes are not whole matrices of whole blocks.
pub fn arrange(dtype: DType, (rows, width): (usize, usize), bytes: &mut [u8]) {
    let row = width / dtype.block_len() * dtype.block_bytes();
    let grouped = grouped_rows(dtype, rows);
    if grouped == 0 || row == 0 {
        return;
    }
    assert!(bytes.len().is_multiple_of(rows * row), "a weight is not whole matrices");
    let mut room = vec![0; GROUP * row];
    for matrix in bytes.chunks_exact_mut(rows * row) {
        for group in matrix[..grouped * row].chunks_exact_mut(GROUP * row) {
            room.copy_from_slice(group);
            by_block!(dtype, arrange_group(&room, group), arrange_halves(&room, group));
        }
    }
}

/// Two bytes of each row, side by side.
fn arrange_halves(rows: &[u8], out: &mut [u8]) {
    let row = rows.len() / GROUP;
    for (at, halves) in out.as_chunks_mut::<{ 2 * GROUP }>().0.iter_mut().enumerate() {
        *halves = std::array::from_fn(|i| rows[i / 2 * row + 2 * at + i % 2]);
    }
}

fn arrange_group<B: Rows>(rows: &[u8], out: &mut [u8]) {
    let blocks: &[B] = bytemuck::cast_slice(rows);
    let out: &mut [B::Group] = bytemuck::cast_slice_mut(out);
    for (at, group) in out.iter_mut().enumerate() {
        *group = B::group(std::array::from_fn(|row| &blocks[row * (blocks.len() / GROUP) + at]));
    }
}

/// Row `index` of a table of `rows` rows of `width` values, arranged as [`arrange`] does, as `f32`.
///
/// # Panics
/// If the row lies outside the table, or as [`dequantize_row`].
#[inline(never)]
pub fn embed(dtype: DType, table: &[u8], shape: (usize, usize), index: usize, out: &mut [f32]) {
    embed_by::<true>(dtype, table, shape, index, out);
}

/// As [`embed`], for types that [`supports_graphs`](crate::supports_graphs) names.
///
/// # Panics
/// As [`embed`], and if the type is another.
#[inline(never)]
pub fn embed_graphs(
    dtype: DType,
    table: &[u8],
    shape: (usize, usize),
    index: usize,
    out: &mut [f32],
) {
    embed_by::<false>(dtype, table, shape, index, out);
}

fn embed_by<const ALL: bool>(
    dtype: DType,
    table: &[u8],
    (rows, width): (usize, usize),
    index: usize,
    out: &mut [f32],
) {
    let row = width / dtype.block_len() * dtype.block_bytes();
    if index >= grouped_rows(dtype, rows) {
        let read = if ALL { dequantize_row } else { dequantize_graphs };
        return read(dtype, &table[index * row..][..row], out);
    }
    let group = &table[index / GROUP * GROUP * row..][..GROUP * row];
    match dtype {
        DType::Q4_0 => embed_blocks::<BlockQ4_0>(group, index % GROUP, out),
        DType::Q4_1 => embed_blocks::<BlockQ4_1>(group, index % GROUP, out),
        DType::Q8_0 => embed_blocks::<BlockQ8_0>(group, index % GROUP, out),
        DType::F16 | DType::BF16 => {
            for (halves, out) in group.as_chunks::<{ 2 * GROUP }>().0.iter().zip(out) {
                let bytes = &halves[2 * (index % GROUP)..][..2];
                dequantize_graphs(dtype, bytes, std::slice::from_mut(out));
            }
        }
        _ if ALL => by_block!(dtype, embed_blocks(group, index % GROUP, out), {}),
        other => panic!("graphs have no weights of type {other}"),
    }
}

fn embed_blocks<B: Rows>(bytes: &[u8], row: usize, out: &mut [f32]) {
    let groups: &[B::Group] = bytemuck::cast_slice(bytes);
    for (group, out) in groups.iter().zip(out.chunks_exact_mut(B::LEN)) {
        let head = group.head();
        let scales = head.scales::<Portable>();
        for (part, out) in out.chunks_exact_mut(32).enumerate() {
            let minimum = <B::Group as Group>::Head::minimum::<Portable>(&scales, part)[row];
            for half in 0..2 {
                let chunks = <B::Group as Group>::Part::chunks(half);
                let quad = group.part(part).quad::<Portable>(half);
                for (chunk, values) in chunks.into_iter().zip(quad) {
                    let scale = <B::Group as Group>::Head::scale::<Portable>(&scales, part, half);
                    for i in 0..4 {
                        let value = i16::from(values[4 * row + i]) - B::Group::ZERO;
                        let value = f32::from(value) * scale[row];
                        let has = <B::Group as Group>::Head::MINIMUM;
                        out[4 * chunk + i] = if has { value + minimum } else { value };
                    }
                }
            }
        }
    }
}
