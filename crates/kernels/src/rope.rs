//! Rotary position embedding (Su et al., "RoFormer", arXiv 2104.09864).

/// Which two values are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RopeStyle {
    /// `(2 i, 2 i + 1)`: llama.cpp's `NORM`, the order of GGUF files of the llama architecture.
    Norm,
    /// `(i, i + n / 2)`: llama.cpp's `NEOX`, the order of Hugging Face checkpoints.
    Neox,
}

/// The cosines and sines of `position * inv_freq`, each times `scale`. The angle is computed in
/// `f64`: in `f32` it is wrong by 1e-3 at position 16,000.
///
/// # Panics
/// If the lengths differ.
pub fn rope_angles(position: u32, inv_freq: &[f32], scale: f32, cos: &mut [f32], sin: &mut [f32]) {
    assert!(cos.len() == inv_freq.len() && sin.len() == inv_freq.len(), "lengths differ");
    for ((freq, cos), sin) in inv_freq.iter().zip(cos).zip(sin) {
        let (s, c) = (f64::from(position) * f64::from(*freq)).sin_cos();
        *cos = (c * f64::from(scale)) as f32;
        *sin = (s * f64::from(scale)) as f32;
    }
}

/// Turns the first `n_dims` values of each head of one row (`heads * head_dim` values) by the
/// angles of [`rope_angles`] (`n_dims / 2` of them).
///
/// # Panics
/// If `x` is not whole heads, `n_dims` is odd or larger than `head_dim`, or the tables are short.
pub fn rope(
    x: &mut [f32],
    head_dim: usize,
    n_dims: usize,
    cos: &[f32],
    sin: &[f32],
    style: RopeStyle,
) {
    let half = n_dims / 2;
    assert!(
        n_dims.is_multiple_of(2) && n_dims <= head_dim && x.len().is_multiple_of(head_dim),
        "not whole heads"
    );
    let (cos, sin) = (&cos[..half], &sin[..half]);
    for head in x.chunks_exact_mut(head_dim) {
        match style {
            RopeStyle::Norm => {
                for ((pair, cos), sin) in
                    head[..n_dims].as_chunks_mut().0.iter_mut().zip(cos).zip(sin)
                {
                    let [a, b] = *pair;
                    *pair = [a * cos - b * sin, a * sin + b * cos];
                }
            }
            RopeStyle::Neox => {
                let (first, last) = head[..n_dims].split_at_mut(half);
                for (((a, b), cos), sin) in first.iter_mut().zip(last).zip(cos).zip(sin) {
                    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_is_turned_by_its_angle() {
        let inv_freq = [1.0, 0.1, 0.01];
        let (mut cos, mut sin) = ([0.0; 3], [0.0; 3]);
        rope_angles(70_001, &inv_freq, 2.0, &mut cos, &mut sin);
        for style in [RopeStyle::Norm, RopeStyle::Neox] {
            let before: Vec<f32> = (0..16).map(|i| i as f32 - 5.0).collect();
            let mut x = before.clone();
            rope(&mut x, 8, 6, &cos, &sin, style);
            for head in [0, 8] {
                for (i, freq) in inv_freq.iter().enumerate() {
                    let (p, q) = match style {
                        RopeStyle::Norm => (head + 2 * i, head + 2 * i + 1),
                        RopeStyle::Neox => (head + i, head + i + 3),
                    };
                    let angle = 70_001.0 * f64::from(*freq);
                    let (a, b) = (f64::from(before[p]), f64::from(before[q]));
                    assert!(
                        (f64::from(x[p]) - 2.0 * (a * angle.cos() - b * angle.sin())).abs() < 1e-5
                    );
                    assert!(
                        (f64::from(x[q]) - 2.0 * (a * angle.sin() + b * angle.cos())).abs() < 1e-5
                    );
                }
                assert_eq!(x[head + 6..head + 8], before[head + 6..head + 8]);
            }
        }
    }
}
