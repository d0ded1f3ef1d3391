//! Sums and products of bytes with scales.

use super::Requantize;
use super::requantize::sixteen_of;
use crate::lanes::{Lanes, Native};

/// What two numbers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `a + b`.
    Sum,
    /// `a - b`.
    Difference,
    /// `a * b`.
    Product,
}

/// A function of two bytes with scales.
#[derive(Clone, Copy)]
pub struct BinaryInt8<'a> {
    /// The function.
    pub function: Arithmetic,
    /// What one more means in each operand, and what stands for 0 there.
    pub operands: [(f32, i32); 2],
    /// What one more means in the result.
    pub scale: f32,
    /// What becomes of a result in its unit, and whether all three have a sign.
    pub results: &'a Requantize,
}

/// The function of the numbers that the bytes of each operand are, in single precision, step by step as
/// ONNX's operators say (`DequantizeLinear`, the function, `QuantizeLinear`). An operand has as many
/// bytes as there are results, or one for all.
///
/// # Panics
/// If it has not.
pub fn binary_int8(of: &BinaryInt8<'_>, operands: [&[u8]; 2], out: &mut [u8]) {
    let fits = |bytes: &[u8]| bytes.len() == out.len() || bytes.len() == 1;
    assert!(operands.iter().all(|bytes| fits(bytes)), "as many bytes as results, or one");
    let lanes = operands.map(|bytes| match bytes {
        [one] if out.len() != 1 => Err([*one; 16]),
        _ => Ok(bytes),
    });
    for (at, out) in (0..).step_by(16).zip(out.chunks_mut(16)) {
        let [a, b] = lanes.map(|lanes| match lanes {
            Err(same) => same,
            Ok(bytes) => match bytes[at..].first_chunk() {
                Some(sixteen) => *sixteen,
                None => {
                    let mut some = [0; 16];
                    some[..out.len()].copy_from_slice(&bytes[at..]);
                    some
                }
            },
        });
        let bytes = Native::store_bytes(of.sixteen::<Native>([a, b]));
        match out.first_chunk_mut() {
            Some(out) => *out = bytes,
            None => out.copy_from_slice(&bytes[..out.len()]),
        }
    }
}

impl BinaryInt8<'_> {
    #[inline(always)]
    fn sixteen<L: Lanes>(&self, bytes: [[u8; 16]; 2]) -> L::B {
        let (flip, moved) = if self.results.signed() { (0, 0) } else { (0x80, 128) };
        let flip = L::bytes(&[flip; 16]);
        let scale = L::splat(self.scale);
        let numbers = |side: usize| {
            let turned: [i8; 16] =
                bytemuck::cast(L::store_bytes(L::xor(L::bytes(&bytes[side]), flip)));
            let (of, zero) = self.operands[side];
            let (of, zero) = (L::splat(of), L::splat((zero - moved) as f32));
            let [low, high] = [0, 1].map(|half| L::load_i8(&turned.as_chunks().0[half]));
            [low[0], low[1], high[0], high[1]].map(|x| L::mul(L::sub(x, zero), of))
        };
        let (a, mut values) = (numbers(0), numbers(1));
        unrolled!(4, i => {
            let value = match self.function {
                Arithmetic::Sum => L::add(a[i], values[i]),
                Arithmetic::Difference => L::sub(a[i], values[i]),
                Arithmetic::Product => L::mul(a[i], values[i]),
            };
            values[i] = L::div(value, scale);
        });
        sixteen_of::<L>(values, &self.results.lanes())
    }
}
