//! How keys and values lie in the pages of the cache.
//!
//! A page holds [`KV_PAGE`] positions, one key head after the other. A head's keys lie as `[4 groups
//! of positions][head_dim][8 positions]`, its values as `[groups of dimensions][32 positions]
//! [8 dimensions]`. So lanes are results, positions for scores and dimensions for sums,
//! and both are read from end to end without a sum across lanes. `Q8_0` has the bytes of a head in
//! that order and then its scales, a binary16 number for each 32 dimensions of a position: `[groups
//! of 32 dimensions][32 positions]`.
//!
//! What is written is finite, so that a position which a row must not see can have the weight 0.

use half::f16;
use sidestage_tensor::DType;

/// Positions in a page of the cache.
pub const KV_PAGE: usize = 32;

/// Dimensions that share a scale.
pub(crate) const SCALED: usize = 32;

/// Elements of one head in a page of keys or of values; `None` where a cache cannot have this type.
pub fn kv_elements(dtype: DType, head_dim: usize) -> Option<usize> {
    let whole = match dtype {
        DType::F32 | DType::F16 => true,
        DType::Q8_0 => head_dim.is_multiple_of(SCALED),
        _ => false,
    };
    whole.then(|| head_dim.next_multiple_of(8).saturating_mul(KV_PAGE))
}

/// Which of the two a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvKind {
    /// Keys.
    Keys,
    /// Values.
    Values,
}

impl KvKind {
    /// Where value `i` of a position lies among the elements of a head.
    fn at(self, head_dim: usize, position: usize, i: usize) -> usize {
        match self {
            Self::Keys => (position / 8 * head_dim + i) * 8 + position % 8,
            Self::Values => (i / 8 * KV_PAGE + position) * 8 + i % 8,
        }
    }
}

/// Writes one head of one position: `x` are its values, `head` the bytes of the head in its page.
/// What is not finite becomes the largest number there is.
///
/// # Panics
/// If `head` is not the bytes of [`kv_elements`], or `position` is not in the page.
pub fn kv_write(dtype: DType, kind: KvKind, x: &[f32], position: usize, head: &mut [u8]) {
    assert!(position < KV_PAGE, "the page ends before");
    let at = |i: usize| kind.at(x.len(), position, i);
    match dtype {
        DType::F32 => {
            let head: &mut [f32] = bytemuck::cast_slice_mut(head);
            for (i, &x) in x.iter().enumerate() {
                head[at(i)] = finite(x, f32::MAX);
            }
        }
        DType::F16 => {
            let head: &mut [u16] = bytemuck::cast_slice_mut(head);
            // Eight at a time are converted in lanes.
            let (eights, rest) = x.as_chunks::<8>();
            for (block, eight) in eights.iter().enumerate() {
                for (i, bits) in eight.map(half_bits).into_iter().enumerate() {
                    head[at(8 * block + i)] = bits;
                }
            }
            for (i, &x) in rest.iter().enumerate() {
                head[at(8 * eights.len() + i)] = half_bits(x);
            }
        }
        _ => {
            let (bytes, scales) = head.split_at_mut(x.len() * KV_PAGE);
            for (block, x) in x.chunks(SCALED).enumerate() {
                let top = x.iter().fold(0.0f32, |top, &x| top.max(finite(x, f32::MAX).abs()));
                let scale = half_bits(top / 127.0);
                let inverse = match f16::from_bits(scale).to_f32() {
                    0.0 => 0.0,
                    scale => 1.0 / scale,
                };
                for (i, &x) in x.iter().enumerate() {
                    let level = (finite(x, f32::MAX) * inverse).round_ties_even();
                    bytes[at(block * SCALED + i)] = level.clamp(-127.0, 127.0) as i8 as u8;
                }
                let to = (block * KV_PAGE + position) * 2;
                scales[to..to + 2].copy_from_slice(&scale.to_le_bytes());
            }
        }
    }
}

fn finite(x: f32, largest: f32) -> f32 {
    // NaN compares false: it must not vanish either.
    if x.abs() <= largest { x } else { largest.copysign(x) }
}

/// The binary16 number nearest to `x`, finite and not subnormal: the kernels widen it by a shift,
/// which makes subnormal numbers of subnormal numbers, and with those processors are slow.
///
/// Without branches or calls, so that several are converted at once.
#[inline(always)]
fn half_bits(x: f32) -> u16 {
    /// As integers magnitudes keep their order, and NaN comes last: binary16's largest number, its
    /// smallest normal one, and what rounds to half of that.
    const LARGEST: u32 = 0x477f_e000;
    const SMALLEST: u32 = 0x3880_0000;
    const HALF: u32 = 0x37ff_c000;
    let bits = x.to_bits();
    let size = bits & 0x7fff_ffff;
    let normal = size.clamp(SMALLEST, LARGEST);
    let nearest = ((normal + 0xfff + (normal >> 13 & 1)) >> 13) - (112 << 10);
    let size = if size < HALF { 0 } else { nearest };
    (bits >> 16 & 0x8000 | size) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_page_has_its_own_place() {
        for kind in [KvKind::Keys, KvKind::Values] {
            for head_dim in [7, 32, 80] {
                let elements = kv_elements(DType::F16, head_dim).unwrap();
                let mut seen = vec![false; elements];
                for position in 0..KV_PAGE {
                    for i in 0..head_dim {
                        let at = kind.at(head_dim, position, i);
                        assert!(!std::mem::replace(&mut seen[at], true));
                    }
                }
            }
        }
    }

    #[test]
    fn halves_are_finite_normal_and_nearest() {
        let to = |x: f32| f16::from_bits(half_bits(x)).to_f32();
        assert_eq!([to(1e6), to(f32::NEG_INFINITY), to(65519.0)], [65504.0, -65504.0, 65504.0]);
        assert!(to(f32::NAN).abs() == 65504.0);
        let smallest = f16::MIN_POSITIVE.to_f32();
        assert_eq!([to(smallest * 0.4), to(smallest * 0.6)], [0.0, smallest]);
        for bits in (0..=u32::MAX).step_by(4099).chain((0x3700_0000..0x3900_0000).step_by(7)) {
            let x = f32::from_bits(bits);
            let nearest = f16::from_f32(finite(x, 65504.0)).to_f32();
            let normal = match nearest.abs() {
                small if small < smallest / 2.0 => 0.0,
                small if small < smallest => smallest,
                _ => nearest.abs(),
            };
            assert_eq!(to(x).to_bits(), normal.copysign(nearest).to_bits(), "{x:e}");
        }
    }

    #[test]
    fn eight_bits_are_within_half_a_level() {
        let x: Vec<f32> = (0..64).map(|i| ((i * 37) % 64) as f32 - 20.0).collect();
        let mut head = vec![0; 64 * KV_PAGE / 32 * 34];
        kv_write(DType::Q8_0, KvKind::Values, &x, 5, &mut head);
        for (i, &x) in x.iter().enumerate() {
            let at = 64 * KV_PAGE + (i / 32 * KV_PAGE + 5) * 2;
            let scale = f16::from_le_bytes([head[at], head[at + 1]]).to_f32();
            let level = head[KvKind::Values.at(64, 5, i)] as i8;
            assert!((f32::from(level) * scale - x).abs() <= 0.5 * scale * 1.02, "{i}");
        }
        assert_eq!(kv_elements(DType::Q8_0, 80), None);
    }
}
