//! The types with one scale for 32 values.

use sidestage_tensor::blocks::{BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, F16};
use std::array::from_fn;

pub(super) fn q8_0(x: &[f32; 32]) -> BlockQ8_0 {
    let d = extreme(x).abs() / 127.0;
    let by = inverse(d);
    BlockQ8_0 { d: F16::from_f32(d), qs: x.map(|x| away_from_zero(x * by) as i8) }
}

pub(super) fn q4_0(x: &[f32; 32]) -> BlockQ4_0 {
    let d = extreme(x) / -8.0;
    let by = inverse(d);
    let q = x.map(|x| small(x * by + 8.5, 15));
    BlockQ4_0 { d: F16::from_f32(d), qs: nibbles(&q) }
}

pub(super) fn q5_0(x: &[f32; 32]) -> BlockQ5_0 {
    let d = extreme(x) / -16.0;
    let by = inverse(d);
    let q = x.map(|x| small(x * by + 16.5, 31));
    BlockQ5_0 { d: F16::from_f32(d), qh: fifth_bits(&q), qs: nibbles(&q) }
}

pub(super) fn q4_1(x: &[f32; 32]) -> BlockQ4_1 {
    let (d, m, q) = with_minimum(x, 15);
    BlockQ4_1 { d, m, qs: nibbles(&q) }
}

pub(super) fn q5_1(x: &[f32; 32]) -> BlockQ5_1 {
    let (d, m, q) = with_minimum(x, 31);
    BlockQ5_1 { d, m, qh: fifth_bits(&q), qs: nibbles(&q) }
}

/// A scale, a minimum and integers in `0..=most`.
#[inline(always)]
fn with_minimum(x: &[f32; 32], most: u8) -> (F16, F16, [u8; 32]) {
    let (min, max) = range(x);
    let d = (max - min) / f32::from(most);
    let by = inverse(d);
    (F16::from_f32(d), F16::from_f32(min), x.map(|x| small((x - min) * by + 0.5, most)))
}

/// The first value of the largest magnitude; a NaN if there is one.
#[inline(always)]
fn extreme(x: &[f32; 32]) -> f32 {
    // As integers the magnitudes keep their order, and NaN comes last.
    let magnitudes = x.map(|x| (x.to_bits() & 0x7fff_ffff) as i32);
    let top = largest(&magnitudes);
    let at = magnitudes.iter().position(|magnitude| *magnitude == top);
    at.map_or(0.0, |at| x[at])
}

/// The smallest and the largest value; at least one is a NaN if there is one.
#[inline(always)]
fn range(x: &[f32; 32]) -> (f32, f32) {
    // Integers in the order of the floats: the magnitude's bits are flipped below zero.
    let flip = |bits: i32| bits ^ (bits >> 31) & i32::MAX;
    let order = x.map(|x| flip(x.to_bits() as i32));
    let value = |order: i32| f32::from_bits(flip(order) as u32);
    (value(!largest(&order.map(|order| !order))), value(largest(&order)))
}

#[inline(always)]
fn largest(x: &[i32; 32]) -> i32 {
    let mut top = [i32::MIN; 4];
    for four in x.as_chunks::<4>().0 {
        top = from_fn(|lane| if four[lane] > top[lane] { four[lane] } else { top[lane] });
    }
    top[0].max(top[1]).max(top[2]).max(top[3])
}

#[inline(always)]
fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// As `f32::round`, which is a call on wasm.
#[inline(always)]
fn away_from_zero(x: f32) -> i32 {
    let whole = x as i32;
    let rest = x - whole as f32;
    // Wraps only for what is not finite, whose value does not matter.
    whole.wrapping_add(i32::from(rest >= 0.5)).wrapping_sub(i32::from(rest <= -0.5))
}

/// The integer part, at most `most`.
#[inline(always)]
fn small(x: f32, most: u8) -> u8 {
    (x as i32).clamp(0, i32::from(most)) as u8
}

/// Low nibbles of the first and the last sixteen, side by side.
#[inline(always)]
fn nibbles(q: &[u8; 32]) -> [u8; 16] {
    from_fn(|i| q[i] & 15 | q[i + 16] << 4)
}

#[inline(always)]
fn fifth_bits(q: &[u8; 32]) -> [u8; 4] {
    from_fn(|byte| (0..8).fold(0, |bits, i| bits | (q[8 * byte + i] >> 4) << i))
}
