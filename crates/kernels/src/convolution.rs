//! Convolution along a sequence, each channel by itself.

/// `out[i] = Σ weight[i * taps + tap] * rows[tap][i]`, the taps added in order; `None` is a row of
/// zeros, before the sequence begins.
///
/// # Panics
/// If a row is shorter than `out`, or `weight` has not as many values for each of `out` as there
/// are rows.
pub fn depthwise(rows: &[Option<&[f32]>], weight: &[f32], out: &mut [f32]) {
    let taps = rows.len();
    assert_eq!(weight.len(), taps * out.len(), "weight and rows differ");
    out.fill(0.0);
    for (tap, row) in rows.iter().enumerate() {
        let Some(row) = row else { continue };
        let row = &row[..out.len()];
        for ((out, x), weight) in out.iter_mut().zip(row).zip(weight[tap..].iter().step_by(taps)) {
            *out += weight * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_apart_and_taps_in_order() {
        let weight = [1.0, 10.0, 100.0, 2.0, 20.0, 200.0];
        let mut out = [f32::NAN; 2];
        depthwise(&[Some(&[1.0, 2.0]), Some(&[3.0, 4.0]), Some(&[5.0, 6.0])], &weight, &mut out);
        assert_eq!(out, [531.0, 1284.0]);
        depthwise(&[None, None, Some(&[5.0, 6.0])], &weight, &mut out);
        assert_eq!(out, [500.0, 1200.0]);
    }
}
