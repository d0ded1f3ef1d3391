//! The kernels that go over rows, against their definitions in `f64`.

use super::{Random, compare};
use crate::{
    RopeStyle, add, depthwise, gelu_erf, gelu_glu, gelu_tanh, layer_norm, mul, quantize_act8,
    rms_norm, rope, rope_angles, scale, select_experts, softcap, supports, swiglu, weighted_sum,
};
use bytemuck::Zeroable;
use sidestage_tensor::blocks::Act8;
use sidestage_tensor::{DType, SharedOut};

/// Not all whole vectors.
const LENGTHS: [usize; 5] = [1, 7, 32, 100, 576];

pub(super) fn check(random: &mut Random) -> Result<usize, String> {
    let mut compared = 0;
    for length in LENGTHS {
        compared += pairs(length, random)? + norm(length, random)? + turn(length, random)?;
        compared += activations(length, random)? + singles(length, random)?;
        compared += layer(length, random)? + experts(length, random)?;
        compared += convolution(length, random)?;
    }
    if supports(DType::Q8_K) {
        return Err("Q8_K is said to be supported".into());
    }
    Ok(compared)
}

/// A kernel of two inputs, and its definition.
type Pair = (&'static str, fn(&[f32], &[f32], &mut [f32]), fn(f64, f64) -> f64);

fn pairs(length: usize, random: &mut Random) -> Result<usize, String> {
    let kernels: [Pair; 4] = [
        ("add", add, |a, b| a + b),
        ("mul", mul, |a, b| a * b),
        ("swiglu", swiglu, |a, b| a / (1.0 + (-a).exp()) * b),
        ("gelu_glu", gelu_glu, |a, b| {
            let z = (2.0 / std::f64::consts::PI).sqrt() * (a + 0.044715 * a.powi(3));
            0.5 * a * (1.0 + z.tanh()) * b
        }),
    ];
    let a: Vec<f32> = random.floats(length).iter().map(|a| a * 12.0).collect();
    let b = random.floats(length);
    let mut compared = 0;
    for (name, kernel, definition) in kernels {
        let mut out = vec![f32::NAN; length];
        kernel(&a, &b, &mut out);
        let exact = a.iter().zip(&b).map(|(a, b)| definition(f64::from(*a), f64::from(*b)));
        compared += compare(name, &out, exact, 1e-6, |i| f64::from(a[i].abs() + 1.0))?;
    }
    Ok(compared)
}

/// A kernel of one input, and its definition.
type Single = (&'static str, fn(&[f32], &mut [f32]), fn(f64) -> f64);

fn singles(length: usize, random: &mut Random) -> Result<usize, String> {
    let kernels: [Single; 4] = [
        ("gelu_tanh", gelu_tanh, |x| {
            let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + z.tanh())
        }),
        ("gelu_erf", gelu_erf, |x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))),
        ("softcap", |x, out| softcap(x, 5.0, out), |x| 5.0 * (x / 5.0).tanh()),
        ("scale", |x, out| scale(x, 0.3, out), |x| x * f64::from(0.3f32)),
    ];
    let x: Vec<f32> = random.floats(length).iter().map(|x| x * 12.0).collect();
    let mut compared = 0;
    for (name, kernel, definition) in kernels {
        let mut out = vec![f32::NAN; length];
        kernel(&x, &mut out);
        let exact = x.iter().map(|x| definition(f64::from(*x)));
        compared += compare(name, &out, exact, 1e-6, |i| f64::from(x[i].abs() + 1.0))?;
    }
    Ok(compared)
}

/// The error function by its series, which converges everywhere (DLMF 7.6.2).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let mut term = x * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt();
    let mut sum = term;
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    sum
}

fn layer(length: usize, random: &mut Random) -> Result<usize, String> {
    let heads = 1 + random.below(3);
    let width = heads * length;
    let (x, weight) = (random.floats(2 * width), random.floats(width));
    let bias = (random.below(2) == 1).then(|| random.floats(width));
    let mut out = vec![f32::NAN; x.len()];
    layer_norm(&x, length, &weight, bias.as_deref(), 1e-5, &mut out);
    let exact = (0..x.len()).map(|i| {
        let group = &x[i / length * length..][..length];
        let mean = group.iter().map(|x| f64::from(*x)).sum::<f64>() / length as f64;
        let squares: f64 = group.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum();
        let scale = 1.0 / (squares / length as f64 + 1e-5).sqrt();
        let bias = bias.as_ref().map_or(0.0, |bias| f64::from(bias[i % width]));
        (f64::from(x[i]) - mean) * scale * f64::from(weight[i % width]) + bias
    });
    compare("layer_norm", &out, exact, 4e-6, |_| 1.0)
}

fn experts(count: usize, random: &mut Random) -> Result<usize, String> {
    let (logits, used) = (random.floats(count), 1 + random.below(count.min(8)));
    let normalized = random.below(2) == 1;
    let (mut chosen, mut weights) = (vec![-1; used], vec![f32::NAN; used]);
    select_experts(&logits, normalized, &mut chosen, &mut weights);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    if !chosen.iter().map(|&at| at as usize).eq(order[..used].iter().copied()) {
        return Err(format!("select_experts: {chosen:?} of {logits:?}"));
    }
    let among = if normalized { &order[..used] } else { &order[..] };
    let sum: f64 = among.iter().map(|&at| f64::from(logits[at]).exp()).sum();
    let exact = order[..used].iter().map(|&at| f64::from(logits[at]).exp() / sum);
    let compared = compare("select_experts", &weights, exact, 2e-6, |_| 1.0)?;

    let parts = random.floats(used * 33);
    let mut out = vec![f32::NAN; 33];
    weighted_sum(&parts, &weights, &mut out);
    let exact = (0..33).map(|i| {
        let part = |(at, weight): (usize, &f32)| f64::from(*weight) * f64::from(parts[33 * at + i]);
        weights.iter().enumerate().map(part).sum::<f64>()
    });
    Ok(compared + compare("weighted_sum", &out, exact, 1e-6, |_| 1.0)?)
}

fn convolution(width: usize, random: &mut Random) -> Result<usize, String> {
    let taps = 1 + random.below(5);
    let (x, weight) = (random.floats(taps * width), random.floats(taps * width));
    let missing = random.below(taps);
    let rows: Vec<Option<&[f32]>> =
        (0..taps).map(|tap| (tap >= missing).then(|| &x[tap * width..][..width])).collect();
    let mut out = vec![f32::NAN; width];
    depthwise(&rows, &weight, &mut out);
    let exact = (0..width).map(|i| {
        let product = |tap| f64::from(x[tap * width + i]) * f64::from(weight[i * taps + tap]);
        (missing..taps).map(product).sum::<f64>()
    });
    compare("depthwise", &out, exact, 1e-6, |_| 1.0)
}

fn norm(length: usize, random: &mut Random) -> Result<usize, String> {
    let (x, weight) = (random.floats(3 * length), random.floats(length));
    let mut out = vec![f32::NAN; x.len()];
    rms_norm(&x, &weight, 1e-5, &mut out);
    let exact = x.chunks_exact(length).flat_map(|x| {
        let squares: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
        let scale = 1.0 / (squares / length as f64 + 1e-5).sqrt();
        x.iter().zip(&weight).map(move |(x, w)| f64::from(*x) * scale * f64::from(*w))
    });
    compare("rms_norm", &out, exact, 2e-6, |_| 1.0)
}

fn turn(half: usize, random: &mut Random) -> Result<usize, String> {
    let head_dim = 2 * half + 3;
    let (x, inv_freq) = (random.floats(2 * head_dim), random.floats(half));
    let (mut cos, mut sin) = (vec![0.0; half], vec![0.0; half]);
    let position = random.below(100_000) as u32;
    rope_angles(position, &inv_freq, 1.0, &mut cos, &mut sin);
    let mut compared = 0;
    for style in [RopeStyle::Norm, RopeStyle::Neox] {
        let mut out = x.clone();
        rope(&mut out, head_dim, 2 * half, &cos, &sin, style);
        let mut exact: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        for head in [0, head_dim] {
            for (i, freq) in inv_freq.iter().enumerate() {
                let (p, q) = match style {
                    RopeStyle::Norm => (head + 2 * i, head + 2 * i + 1),
                    RopeStyle::Neox => (head + i, head + i + half),
                };
                let (s, c) = (f64::from(position) * f64::from(*freq)).sin_cos();
                (exact[p], exact[q]) = (exact[p] * c - exact[q] * s, exact[p] * s + exact[q] * c);
            }
        }
        compared += compare("rope", &out, exact.into_iter(), 1e-6, |_| 1.0)?;
    }
    Ok(compared)
}

fn activations(blocks: usize, random: &mut Random) -> Result<usize, String> {
    let size = random.float() * 50.0;
    let x: Vec<f32> = random.floats(32 * blocks).iter().map(|x| x * size).collect();
    let mut out = vec![Act8::zeroed(); blocks];
    quantize_act8(&x, 1, SharedOut::new(&mut out), 0..1);
    for (i, a) in out.iter().enumerate() {
        let sum = |q: &[i8]| q.iter().map(|q| i16::from(*q)).sum::<i16>();
        if a.sums != [sum(&a.q[..16]), sum(&a.q[16..])] {
            return Err(format!("quantize_act8: block {i} has the sums {:?}", a.sums));
        }
    }
    let values = out.iter().flat_map(|a| a.q.map(|q| f64::from(q) * f64::from(a.d)));
    // Half a step, and the rounding of the step itself.
    compare("quantize_act8", &x, values, 0.5001, |i| f64::from(out[i / 32].d))
}
