//! 32 values of each of four rows, and how a chunk of four of them is unpacked.

use crate::lanes::Lanes;
use bytemuck::{Pod, Zeroable};

/// A part of a group.
pub(crate) trait Part: Pod {
    /// Bits of a value.
    const BITS: u32;
    /// The chunks of a half of the work, `j` 0 or 1: four values of each row, a byte each.
    fn quad<L: Lanes>(&self, j: usize) -> [L::B; 4];
    /// Its vectors, where they are halves of bytes and no more.
    #[inline(always)]
    fn nibbles(&self) -> Option<&[[u8; 16]; 4]> {
        None
    }
    /// Which chunks these are.
    #[inline(always)]
    fn chunks(j: usize) -> [usize; 4] {
        // Both halves of a byte one after the other, so that it is loaded once.
        let c = 2 * j;
        [c, c + 4, c + 1, c + 5]
    }
}

/// Four bits.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(transparent)]
pub(crate) struct Nibbles(pub(super) [[u8; 16]; 4]);

/// Five bits.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct Fives {
    pub(super) low: Nibbles,
    pub(super) high: [u8; 16],
}

/// Six bits.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct Sixes {
    pub(super) low: Nibbles,
    pub(super) high: [[u8; 16]; 2],
}

/// Eight bits.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(transparent)]
pub(crate) struct Bytes(pub(super) [[u8; 16]; 8]);

impl Part for Nibbles {
    const BITS: u32 = 4;
    #[inline(always)]
    fn nibbles(&self) -> Option<&[[u8; 16]; 4]> {
        Some(&self.0)
    }
    #[inline(always)]
    fn quad<L: Lanes>(&self, j: usize) -> [L::B; 4] {
        let [a, b] = [0, 1].map(|i| L::bytes(&self.0[2 * j + i]));
        [L::shr_and(a, 0, 15), L::shr_and(a, 4, 15), L::shr_and(b, 0, 15), L::shr_and(b, 4, 15)]
    }
}

impl Part for Fives {
    const BITS: u32 = 5;
    #[inline(always)]
    fn quad<L: Lanes>(&self, j: usize) -> [L::B; 4] {
        let [a, b, c, d] = self.low.quad::<L>(j);
        // The first of the bits wanted is now bit 0, and no other byte's bits are among them.
        let high = L::shr(L::bytes(&self.high), 2 * j as u32);
        [
            L::or(a, L::shl_and(high, 4, 16)),
            L::or(b, L::shr_and(high, 0, 16)),
            L::or(c, L::shl_and(high, 3, 16)),
            L::or(d, L::shr_and(high, 1, 16)),
        ]
    }
}

impl Part for Sixes {
    const BITS: u32 = 6;
    #[inline(always)]
    fn quad<L: Lanes>(&self, j: usize) -> [L::B; 4] {
        let low = |i: usize| L::shr_and(L::bytes(&self.low.0[i]), 4 * j as u32, 15);
        let high = L::bytes(&self.high[j]);
        [
            L::or(low(0), L::shl_and(high, 4, 48)),
            L::or(low(1), L::shl_and(high, 2, 48)),
            L::or(low(2), L::shr_and(high, 0, 48)),
            L::or(low(3), L::shr_and(high, 2, 48)),
        ]
    }
    #[inline(always)]
    fn chunks(j: usize) -> [usize; 4] {
        // A half of the part, which has a scale of its own.
        [4 * j, 4 * j + 1, 4 * j + 2, 4 * j + 3]
    }
}

impl Part for Bytes {
    const BITS: u32 = 8;
    #[inline(always)]
    fn quad<L: Lanes>(&self, j: usize) -> [L::B; 4] {
        Self::chunks(j).map(|c| L::bytes(&self.0[c]))
    }
}
