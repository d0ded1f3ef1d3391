//! Activations in 8 bits, for the integer kernels.

use sidestage_tensor::DType;
use sidestage_tensor::blocks::Act8;

/// The type in which a linear layer with these weights takes its activations: [`DType::Act8`] for
/// quantised weights, else [`DType::F32`].
pub fn activation_dtype(weight: DType) -> DType {
    if weight.is_quantized() { DType::Act8 } else { DType::F32 }
}

/// Quantises `x` in blocks of 32: scale `max|x| / 127`, values rounded to nearest, ties to even.
///
/// A block with an infinity or a NaN gets a scale that is not finite, so that the fault stays
/// visible in the result.
///
/// # Panics
/// If `x` has not exactly 32 values for each block of `out`.
pub fn quantize_act8(x: &[f32], out: &mut [Act8]) {
    assert_eq!(x.len(), 32 * out.len(), "activations and blocks differ in number");
    for (x, out) in x.as_chunks().0.iter().zip(out) {
        *out = block(x);
    }
}

#[inline(always)]
fn block(x: &[f32; 32]) -> Act8 {
    // As integers the magnitudes keep their order, and NaN comes last.
    let mut top = [0; 4];
    for four in x.as_chunks::<4>().0 {
        for lane in 0..4 {
            let bits = (four[lane].to_bits() & 0x7fff_ffff) as i32;
            top[lane] = if bits > top[lane] { bits } else { top[lane] };
        }
    }
    let top = f32::from_bits(top[0].max(top[1]).max(top[2]).max(top[3]) as u32);
    // Below this the inverse would overflow; such a block is zero for every purpose.
    let inverse = if top > 1e-30 { 127.0 / top } else { 0.0 };
    let wide: [i32; 32] = std::array::from_fn(|i| nearest(x[i] * inverse));
    let sum = |half: &[i32]| half.iter().fold(0, |sum: i32, q| sum.wrapping_add(*q)) as i16;
    let sums = [sum(&wide[..16]), sum(&wide[16..])];
    Act8 { d: top / 127.0, sums, q: wide.map(|q| q as i8) }
}

/// The nearest integer of a number in -127..=127. `f32::round` is a call on wasm.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    /// 1.5 * 2^23: adding it leaves the integer in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    // Wraps only for what is not finite, whose value does not matter.
    ((x + MAGIC).to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    fn one(x: [f32; 32]) -> Act8 {
        let mut out = [Act8::zeroed()];
        quantize_act8(&x, &mut out);
        out[0]
    }

    #[test]
    fn values_are_within_half_a_step() {
        for seed in 0..50 {
            let x = std::array::from_fn(|i| ((i * 37 + seed * 11) as f32).sin() * (seed as f32));
            let a = one(x);
            let top = x.iter().fold(0.0, |top: f32, x| top.max(x.abs()));
            assert_eq!(a.d, top / 127.0);
            for (x, q) in x.iter().zip(a.q) {
                assert!(
                    (f64::from(*x) - f64::from(q) * f64::from(a.d)).abs()
                        <= 0.5001 * f64::from(a.d)
                );
            }
            let sum = |q: &[i8]| q.iter().map(|&q| i16::from(q)).sum::<i16>();
            assert_eq!(a.sums, [sum(&a.q[..16]), sum(&a.q[16..])]);
        }
    }

    #[test]
    fn edges_are_defined() {
        assert_eq!(one([0.0; 32]), Act8::zeroed());
        assert_eq!(one([1e-38; 32]).q, [0; 32]);
        assert_eq!(one([-3.0; 32]).q, [-127; 32]);
        let mut x = [1.0; 32];
        x[7] = f32::NAN;
        assert!(one(x).d.is_nan());
        x[7] = f32::NEG_INFINITY;
        assert!(one(x).d.is_infinite());
    }
}
