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
        let scale = 1.0 / (sum(x, |x| x * x) / width as f32 + eps).sqrt();
        for ((x, w), out) in x.iter().zip(weight).zip(out) {
            *out = x * scale * w;
        }
    }
}

/// Norm of consecutive groups of `group` values to mean 0 and variance 1 (Ba et al.,
/// arXiv:1607.06450): `out = (x - mean) / sqrt(variance + eps) * weight + bias`.
///
/// The weight has one value for each of a group, or for each of several groups that follow one
/// another (heads with weights of their own); so has the bias, if there is one. Sums are as in
/// [`rms_norm`].
///
/// # Panics
/// If the lengths differ or are not whole groups.
pub fn layer_norm(
    x: &[f32],
    group: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
    eps: f32,
    out: &mut [f32],
) {
    let width = weight.len();
    assert!(group > 0 && width > 0 && width.is_multiple_of(group), "not whole groups");
    assert!(x.len() == out.len() && x.len().is_multiple_of(width), "not whole groups");
    assert!(bias.is_none_or(|bias| bias.len() == width), "weight and bias differ");
    for (i, (x, out)) in x.chunks_exact(group).zip(out.chunks_exact_mut(group)).enumerate() {
        let from = i * group % width;
        let mean = sum(x, |x| x) / group as f32;
        let scale = 1.0 / (sum(x, |x| (x - mean) * (x - mean)) / group as f32 + eps).sqrt();
        for ((x, w), out) in x.iter().zip(&weight[from..]).zip(&mut *out) {
            *out = (x - mean) * scale * w;
        }
        if let Some(bias) = bias {
            out.iter_mut().zip(&bias[from..]).for_each(|(out, bias)| *out += bias);
        }
    }
}

/// The sum of a term of each element, in eight lanes.
#[inline(always)]
pub(crate) fn sum(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (eights, rest) = x.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for lane in 0..8 {
            sums[lane] += term(eight[lane]);
        }
    }
    for (lane, x) in rest.iter().enumerate() {
        sums[lane] += term(*x);
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

    #[test]
    fn heads_take_their_own_weights_and_large_means_cancel() {
        for (group, heads, rows) in [(1, 1, 2), (3, 2, 3), (8, 4, 1), (65, 1, 3), (64, 3, 2)] {
            let width = group * heads;
            let x: Vec<f32> =
                (0..rows * width).map(|i| (i as f32 * 0.7).sin() * 3.0 + 50.0).collect();
            let weight: Vec<f32> = (0..width).map(|i| 0.5 + (i % 7) as f32).collect();
            let bias: Vec<f32> = (0..width).map(|i| (i % 5) as f32 - 2.0).collect();
            for bias in [None, Some(&bias[..])] {
                let mut out = vec![0.0; x.len()];
                layer_norm(&x, group, &weight, bias, 1e-5, &mut out);
                for (i, ours) in out.iter().enumerate() {
                    let part = &x[i / group * group..][..group];
                    let mean = part.iter().map(|x| f64::from(*x)).sum::<f64>() / group as f64;
                    let squares = part.iter().map(|x| (f64::from(*x) - mean).powi(2));
                    let scale = 1.0 / (squares.sum::<f64>() / group as f64 + 1e-5).sqrt();
                    let bias = bias.map_or(0.0, |bias| f64::from(bias[i % width]));
                    let exact =
                        (f64::from(x[i]) - mean) * scale * f64::from(weight[i % width]) + bias;
                    assert!((f64::from(*ours) - exact).abs() <= 1e-4, "{ours} {exact}");
                }
            }
        }
    }
}
