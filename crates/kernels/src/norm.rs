//! Normalisation.

/// Root-mean-square norm of consecutive groups of `weight.len()` values:
/// `out = x / sqrt(mean(x²) + eps) * weight`.
///
/// The squares are summed in eight lanes, always in the same order.
///
/// # Panics
/// If `x` and `out` differ in length or are not whole groups.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(x.len() == out.len() && width > 0 && x.len().is_multiple_of(width), "not whole groups");
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let scale = 1.0 / (sum_of_squares(x) / width as f32 + eps).sqrt();
        for ((x, w), out) in x.iter().zip(weight).zip(out) {
            *out = x * scale * w;
        }
    }
}

#[inline(always)]
fn sum_of_squares(x: &[f32]) -> f32 {
    let (eights, rest) = x.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for lane in 0..8 {
            sums[lane] += eight[lane] * eight[lane];
        }
    }
    for (lane, x) in rest.iter().enumerate() {
        sums[lane] += x * x;
    }
    let four: [f32; 4] = std::array::from_fn(|i| sums[i] + sums[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_normalised_apart() {
        for width in [1, 3, 8, 64, 65, 576] {
            let x: Vec<f32> = (0..3 * width).map(|i| (i as f32 * 0.7).sin() * 9.0 + 0.1).collect();
            let weight: Vec<f32> = (0..width).map(|i| 0.5 + (i % 7) as f32).collect();
            let mut out = vec![0.0; x.len()];
            rms_norm(&x, &weight, 1e-5, &mut out);
            for group in 0..3 {
                let part = &x[group * width..][..width];
                let mean = part.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
                let scale = 1.0 / (mean + 1e-5).sqrt();
                for i in 0..width {
                    let exact = f64::from(part[i]) * scale * f64::from(weight[i]);
                    let ours = f64::from(out[group * width + i]);
                    assert!((ours - exact).abs() <= 2e-6 * exact.abs(), "{ours} {exact}");
                }
            }
        }
    }
}
