//! Element by element.

use crate::exp;

/// `out = a + b`.
///
/// # Panics
/// If the lengths differ.
pub fn add(a: &[f32], b: &[f32], out: &mut [f32]) {
    each(a, b, out, |a, b| a + b);
}

/// `out = silu(gate) * up`, `silu(x) = x / (1 + e^-x)`.
///
/// # Panics
/// If the lengths differ.
pub fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    each(gate, up, out, |gate, up| gate / (1.0 + exp(-gate)) * up);
}

/// `out = gelu(gate) * up` with the tanh approximation,
/// `gelu(x) = x / 2 * (1 + tanh(sqrt(2 / π) * (x + 0.044715 x³)))`.
///
/// # Panics
/// If the lengths differ.
pub fn gelu_glu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    /// -2 sqrt(2 / π): (1 + tanh z) / 2 is 1 / (1 + e^(-2 z)).
    const FACTOR: f32 = -1.595_769;
    each(gate, up, out, |x, up| x / (1.0 + exp(FACTOR * (x + 0.044715 * x * x * x))) * up);
}

#[inline(always)]
fn each(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    assert!(a.len() == out.len() && b.len() == out.len(), "lengths differ");
    for ((a, b), out) in a.iter().zip(b).zip(out) {
        *out = f(*a, *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f32, exact: f64) -> bool {
        (f64::from(ours) - exact).abs() <= 1e-6 * exact.abs() + 1e-30
    }

    #[test]
    fn gates_equal_their_definitions() {
        let gate: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.01).collect();
        let up: Vec<f32> = gate.iter().map(|x| 1.5 - x).collect();
        let mut out = vec![0.0; gate.len()];
        swiglu(&gate, &up, &mut out);
        for i in 0..gate.len() {
            let (x, up) = (f64::from(gate[i]), f64::from(up[i]));
            assert!(close(out[i], x / (1.0 + (-x).exp()) * up), "silu({x})");
        }
        gelu_glu(&gate, &up, &mut out);
        for i in 0..gate.len() {
            let (x, up) = (f64::from(gate[i]), f64::from(up[i]));
            let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            let exact = 0.5 * x * (1.0 + z.tanh()) * up;
            // The definition itself cancels below -4: compare against the size of x.
            assert!((f64::from(out[i]) - exact).abs() <= 2e-6 * (exact.abs() + 1e-3), "gelu({x})");
        }
    }

    #[test]
    fn large_arguments_stay_finite() {
        let mut out = [0.0; 4];
        swiglu(&[-1e4, 1e4, -200.0, 0.0], &[1.0; 4], &mut out);
        assert_eq!(out, [0.0, 1e4, 0.0, 0.0]);
        gelu_glu(&[-1e4, 1e4, -200.0, 0.0], &[1.0; 4], &mut out);
        assert_eq!(out, [0.0, 1e4, 0.0, 0.0]);
    }
}
