use super::*;
use crate::{Activation, Depthwise, PANEL, Unary, depthwise_lines, pack, pack_in_place, pack_taps};

/// Xorshift.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.below(2001) as f32 / 1000.0 - 1.0).collect()
    }
}

fn windows(random: &mut Random) -> Windows {
    let mut windows = Windows {
        input: [1; 3],
        output: [1; 3],
        kernel: [1; 3],
        stride: [1; 3],
        dilation: [1; 3],
        pad: [0; 3],
    };
    for axis in random.below(3)..3 {
        let (kernel, dilation) = (1 + random.below(5), 1 + random.below(2));
        let (before, behind) = (random.below(kernel + 1), random.below(kernel + 1));
        let reach = (kernel - 1) * dilation + 1;
        let input = 1 + random.below(12);
        let stride = 1 + random.below(3);
        let Some(left) = (input + before + behind).checked_sub(reach) else { continue };
        windows.input[axis] = input;
        windows.kernel[axis] = kernel;
        windows.dilation[axis] = dilation;
        windows.stride[axis] = stride;
        windows.pad[axis] = before;
        windows.output[axis] = left / stride + 1;
    }
    windows
}

/// The definition (ONNX, "Conv"), in `f64`: weights of `[taps, channel of the group, output]` for each
/// group, with the epilogue and the sum of the sizes of the products.
pub(crate) fn plain(
    windows: &Windows,
    (groups, per, n): (usize, usize, usize),
    x: &[f32],
    weights: &[f32],
    epilogue: &Epilogue<'_>,
) -> Vec<(f64, f64)> {
    let images = x.len() / (windows.inputs() * groups * per);
    let mut y = Vec::new();
    let [planes, rows, columns] = windows.output;
    for row in 0..images * windows.outputs() {
        let (image, at) = (row / windows.outputs(), row % windows.outputs());
        let at = [at / columns / rows, at / columns % rows, at % columns];
        assert!(at[0] < planes);
        for output in 0..groups * n {
            let (group, column) = (output / n, output % n);
            let (mut sum, mut size) = (0.0, 0.0);
            for tap in 0..windows.taps() {
                let [_, kh, kw] = windows.kernel;
                let tap_at = [tap / kw / kh, tap / kw % kh, tap % kw];
                let places = [0, 1, 2].map(|axis| windows.place(axis, at[axis], tap_at[axis]));
                let [Some(d), Some(h), Some(w)] = places else { continue };
                let [depth, height, width] = windows.input;
                let pixel = ((image * depth + d) * height + h) * width + w;
                for channel in 0..per {
                    let x = x[pixel * groups * per + group * per + channel];
                    let step = (group * windows.taps() + tap) * per + channel;
                    let product = f64::from(x) * f64::from(weights[step * n + column]);
                    sum += product;
                    size += product.abs();
                }
            }
            sum += epilogue.bias.map_or(0.0, |bias| f64::from(bias[output]));
            sum += epilogue.add.map_or(0.0, |add| f64::from(add[row * groups * n + output]));
            let slope = epilogue.slopes.filter(|_| sum < 0.0);
            sum *= slope.map_or(1.0, |slopes| f64::from(slopes[output]));
            let done = match epilogue.activation {
                Activation::None => sum,
                Activation::Clip(least, most) => sum.clamp(least.into(), most.into()),
                Activation::Unary(_) => sum / (1.0 + (-sum).exp()),
            };
            y.push((done, size + 1.0));
        }
    }
    y
}

pub(crate) fn packed(weights: &[f32], groups: usize, k: usize, n: usize) -> Vec<f32> {
    let size = panels(n) * k * PANEL;
    let mut all = vec![f32::NAN; groups * size];
    for group in 0..groups {
        let (from, to) = (&weights[group * k * n..][..k * n], &mut all[group * size..][..size]);
        pack(from, (k, n), [n, 1], 0..panels(n), to);
        // The same steps, channel by channel.
        let taps = if k.is_multiple_of(3) { 3 } else { 1 };
        let step = |at: usize| at % taps * (k / taps) + at / taps;
        let turned: Vec<f32> = (0..k * n).map(|at| from[step(at % k) * n + at / k]).collect();
        let mut other = vec![f32::NAN; size];
        pack_taps(&turned, (n, k / taps, taps), 0..panels(n), &mut other);
        assert_eq!(to, other);
        if n.is_multiple_of(PANEL) {
            let mut own = turned;
            pack_in_place(&mut own, k / taps, taps).expect("memory");
            assert_eq!(to, own);
        }
    }
    all
}

fn close(y: &[f32], expected: &[(f64, f64)]) {
    assert_eq!(y.len(), expected.len());
    for (i, (y, (expected, size))) in y.iter().zip(expected).enumerate() {
        assert!((f64::from(*y) - expected).abs() <= 1e-6 * size, "{i}: {y}, expected {expected}");
    }
}

pub(crate) const ACTIVATIONS: [Activation; 4] = [
    Activation::None,
    Activation::Clip(0.0, f32::INFINITY),
    Activation::Clip(-0.3, 0.4),
    Activation::Unary(Unary::Swish(1.0)),
];

#[test]
fn windows_of_all_kinds_are_as_defined() {
    let mut random = Random(0x5eed);
    for round in 0..400 {
        let windows = windows(&mut random);
        let groups = 1 + random.below(3) * (round % 2);
        let (per, n) =
            (1 + random.below(if round % 7 == 0 { 300 } else { 9 }), 1 + random.below(20));
        let images = 1 + random.below(2);
        let x = random.floats(images * windows.inputs() * groups * per);
        let k = windows.taps() * per;
        let weights = random.floats(groups * k * n);
        let (rows, outputs) = (images * windows.outputs(), groups * n);
        let (bias, add) = (random.floats(outputs), random.floats(rows * outputs));
        let slopes = random.floats(outputs);
        let epilogue = Epilogue {
            bias: (round % 3 == 0).then_some(&bias[..]),
            add: (round % 5 == 0).then_some(&add[..]),
            slopes: (round % 8 == 0).then_some(&slopes[..]),
            activation: ACTIVATIONS[round % 4],
        };
        let weights_packed = packed(&weights, groups, k, n);
        let mut y = vec![f32::NAN; rows * outputs];
        let run = |y: &mut [f32], parts: &[(Range<usize>, Range<usize>)]| {
            let args = Conv {
                windows: &windows,
                groups,
                channels: (groups * per, outputs),
                x: &x,
                weights: &weights_packed,
                epilogue,
                y: SharedOut::new(y),
                before: 0,
            };
            parts.iter().for_each(|(rows, panels)| conv(&args, rows.clone(), panels.clone()));
        };
        let all = groups * panels(n);
        run(&mut y, &[(0..rows, 0..all)]);
        close(&y, &plain(&windows, (groups, per, n), &x, &weights, &epilogue));
        let mut again = vec![f32::NAN; y.len()];
        let (row, panel) = (random.below(rows + 1), random.below(all + 1));
        let cut = [
            (0..row, 0..panel),
            (row..rows, 0..panel),
            (0..row, panel..all),
            (row..rows, panel..all),
        ];
        run(&mut again, &cut);
        assert_eq!(
            y.iter().map(|y| y.to_bits()).collect::<Vec<_>>(),
            again.iter().map(|y| y.to_bits()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn channels_by_themselves_are_as_defined() {
    let mut random = Random(0xd5eed);
    for round in 0..400 {
        let windows = windows(&mut random);
        let (channels, images) = (1 + random.below(40), 1 + random.below(2));
        let x = random.floats(images * windows.inputs() * channels);
        let weights = random.floats(windows.taps() * channels);
        let rows = images * windows.outputs();
        let (bias, add) = (random.floats(channels), random.floats(rows * channels));
        let slopes = random.floats(channels);
        let epilogue = Epilogue {
            bias: (round % 3 == 0).then_some(&bias[..]),
            add: (round % 5 == 0).then_some(&add[..]),
            slopes: (round % 8 == 0).then_some(&slopes[..]),
            activation: ACTIVATIONS[round % 4],
        };
        let mut y = vec![f32::NAN; rows * channels];
        let args = Depthwise {
            windows: &windows,
            channels,
            x: &x,
            before: 0,
            weights: &weights,
            epilogue,
            y: SharedOut::new(&mut y),
        };
        let lines = images * windows.output[0] * windows.output[1];
        let cut = random.below(lines + 1);
        depthwise_lines(&args, cut..lines);
        depthwise_lines(&args, 0..cut);
        // Each channel is a group of its own.
        let taps = windows.taps();
        let of_groups: Vec<f32> =
            (0..taps * channels).map(|at| weights[at % taps * channels + at / taps]).collect();
        close(&y, &plain(&windows, (channels, 1, 1), &x, &of_groups, &epilogue));
    }
}
