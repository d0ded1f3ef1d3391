//! Four rows' blocks, as a file has them, to a group.

use super::heads::{EightBits, One, OneAndMinimum, SixBits};
use super::parts::{Bytes, Fives, Nibbles, Sixes};
use super::{Four, Group};
use crate::quant::Quant;
use sidestage_tensor::blocks::{
    BlockQ4_0, BlockQ4_1, BlockQ4_K, BlockQ5_0, BlockQ5_1, BlockQ5_K, BlockQ6_K, BlockQ8_0,
};
use std::array::from_fn;

/// A block type whose rows can lie in groups.
pub(crate) trait Rows: Quant {
    /// Four blocks.
    type Group: Group<Block = Self>;
    /// The group of four rows' blocks.
    fn group(rows: [&Self; 4]) -> Self::Group;
}

/// A word of each row, side by side.
fn vector(word: impl Fn(usize) -> u32) -> [u8; 16] {
    bytemuck::cast(from_fn::<_, 4, _>(|row| word(row).to_le_bytes()))
}

fn word(bytes: &[u8], index: usize) -> u32 {
    let at = 4 * index;
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Nibbles that lie as in Q4_0.
fn nibbles(qs: [&[u8; 16]; 4]) -> Nibbles {
    Nibbles(from_fn(|c| vector(|row| word(qs[row], c))))
}

/// 32 nibbles that are the low (`shift` 0) or high ones (4) of 32 bytes.
fn nibbles_of_32(qs: [&[u8]; 4], shift: u32) -> Nibbles {
    let half = |row: usize, at| word(qs[row], at) >> shift & 0x0f0f_0f0f;
    Nibbles(from_fn(|c| vector(|row| half(row, c) | half(row, c + 4) << 4)))
}

/// The fifth bits, of which bit `i` is value `i`'s.
fn fifth(qh: [[u8; 4]; 4]) -> [u8; 16] {
    vector(|row| {
        let bits = u32::from_le_bytes(qh[row]);
        // The product has bit `i` of a nibble at bit `8 i`.
        let chunk = |c: u32| ((bits >> (4 * c) & 15) * 0x0020_4081) & 0x0101_0101;
        (0..8).fold(0, |word, c| word | chunk(c) << c)
    })
}

impl Rows for BlockQ4_0 {
    type Group = Four<One, Nibbles, 1>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        Four { head: One { d: rows.map(|b| b.d) }, parts: [nibbles(rows.map(|b| &b.qs))] }
    }
}

impl Rows for BlockQ4_1 {
    type Group = Four<OneAndMinimum, Nibbles, 1>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let head = OneAndMinimum { d: rows.map(|b| b.d), m: rows.map(|b| b.m) };
        Four { head, parts: [nibbles(rows.map(|b| &b.qs))] }
    }
}

impl Rows for BlockQ5_0 {
    type Group = Four<One, Fives, 1>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let (low, high) = (nibbles(rows.map(|b| &b.qs)), fifth(rows.map(|b| b.qh)));
        Four { head: One { d: rows.map(|b| b.d) }, parts: [Fives { low, high }] }
    }
}

impl Rows for BlockQ5_1 {
    type Group = Four<OneAndMinimum, Fives, 1>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let head = OneAndMinimum { d: rows.map(|b| b.d), m: rows.map(|b| b.m) };
        let (low, high) = (nibbles(rows.map(|b| &b.qs)), fifth(rows.map(|b| b.qh)));
        Four { head, parts: [Fives { low, high }] }
    }
}

impl Rows for BlockQ8_0 {
    type Group = Four<One, Bytes, 1>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let qs = rows.map(|b| bytemuck::cast_slice::<i8, u8>(&b.qs));
        let part = Bytes(from_fn(|c| vector(|row| word(qs[row], c) ^ 0x8080_8080)));
        Four { head: One { d: rows.map(|b| b.d) }, parts: [part] }
    }
}

impl Rows for BlockQ4_K {
    type Group = Four<SixBits, Nibbles, 8>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let packed = from_fn(|i| vector(|row| word(&rows[row].scales, i)));
        let head = SixBits { d: rows.map(|b| b.d), dmin: rows.map(|b| b.dmin), packed };
        let part =
            |p: usize| nibbles_of_32(rows.map(|b| &b.qs[32 * (p / 2)..]), 4 * (p % 2) as u32);
        Four { head, parts: from_fn(part) }
    }
}

impl Rows for BlockQ5_K {
    type Group = Four<SixBits, Fives, 8>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let packed = from_fn(|i| vector(|row| word(&rows[row].scales, i)));
        let head = SixBits { d: rows.map(|b| b.d), dmin: rows.map(|b| b.dmin), packed };
        let part = |p: usize| {
            let low = nibbles_of_32(rows.map(|b| &b.qs[32 * (p / 2)..]), 4 * (p % 2) as u32);
            let bits = |row: usize, c| word(&rows[row].qh, c) >> p & 0x0101_0101;
            let high = vector(|row| (0..8).fold(0, |word, c| word | bits(row, c) << c));
            Fives { low, high }
        };
        Four { head, parts: from_fn(part) }
    }
}

impl Rows for BlockQ6_K {
    type Group = Four<EightBits, Sixes, 8>;
    fn group(rows: [&Self; 4]) -> Self::Group {
        let scales = rows.map(|b| bytemuck::cast_slice::<i8, u8>(&b.scales));
        let scales = from_fn(|i| vector(|row| word(scales[row], i)));
        let part = |p: usize| {
            let (n, j) = (p / 4, p % 4);
            let ql = rows.map(|b| &b.ql[64 * n + 32 * (j % 2)..]);
            let qh = rows.map(|b| &b.qh[32 * n..]);
            let bits = |row: usize, c| word(qh[row], c) >> (2 * j) & 0x0303_0303;
            let high = |half: usize| {
                vector(|row| (0..4).fold(0, |word, c| word | bits(row, 4 * half + c) << (2 * c)))
            };
            Sixes { low: nibbles_of_32(ql, 4 * (j / 2) as u32), high: from_fn(high) }
        };
        let head = EightBits { d: rows.map(|b| b.d), scales };
        Four { head, parts: from_fn(part) }
    }
}
