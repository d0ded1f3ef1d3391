use super::{Bytes, Dots, Lanes, Portable, mixed_bytes};
use std::array::from_fn;

impl Dots for Portable {
    const NAME: &'static str = "portable";
    type L = Self;
    type X = [i8; 4];
    type D = [i32; 4];
    type W = [u8; 16];

    #[inline(always)]
    fn chunk(from: &[i8; 4]) -> [i8; 4] {
        *from
    }
    #[inline(always)]
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> [i32; 4] {
        [i32::from(sums[0]) * i32::from(by[0]) + i32::from(sums[1]) * i32::from(by[1]); 4]
    }
    #[inline(always)]
    fn weights(_: u32, from: [u8; 16]) -> [u8; 16] {
        from
    }
    #[inline(always)]
    fn dot(sums: [i32; 4], _: u32, x: [i8; 4], w: [u8; 16]) -> [i32; 4] {
        let product = |row: usize, i: usize| i32::from(x[i]) * i32::from(w[4 * row + i]);
        from_fn(|row| sums[row] + (0..4).map(|i| product(row, i)).sum::<i32>())
    }
    type Y = [u8; 16];
    type V = [u8; 16];
    type Z = Bytes;

    #[inline(always)]
    fn kept(from: [u8; 16]) -> [Bytes; 4] {
        bytemuck::cast(Self::store_bytes(from))
    }
    #[inline(always)]
    fn four(from: &Bytes) -> [u8; 16] {
        from_fn(|i| from[i % 4])
    }
    #[inline(always)]
    fn mixed(from: [[u8; 16]; 4]) -> [[u8; 16]; 4] {
        mixed_bytes::<Self>(from)
    }
    #[inline(always)]
    fn whole(from: [u8; 16]) -> [u8; 16] {
        from
    }
    #[inline(always)]
    fn add_products(sums: [i32; 4], x: [u8; 16], w: [u8; 16]) -> [i32; 4] {
        let product = |i: usize| i32::from(x[i]) * i32::from(w[i].cast_signed());
        from_fn(|lane| {
            let all: i32 = (4 * lane..4 * lane + 4).map(product).sum();
            sums[lane].wrapping_add(all)
        })
    }
    #[inline(always)]
    fn finish(sums: [i32; 4]) -> [f32; 4] {
        Self::to_f(sums)
    }
}
