//! Products of bytes with every set of integer products, against their definition: all bits.

#![allow(unsafe_code, reason = "results are read while kernels may write them again")]

use super::Random;
use crate::int8::Int8Work;
use crate::lanes::{Dots, Generic, every};
use crate::{
    Arithmetic, BinaryInt8, ConvInt8, DepthwiseInt8, GemmInt8, Int8, Int8Results, Requantize,
    Windows, binary_int8, pack_depthwise_int8, pack_int8, packed_steps, panels,
};
use sidestage_tensor::SharedOut;

pub(super) fn check(random: &mut Random) -> Result<usize, String> {
    let mut compared = rounding(random)?;
    for _ in 0..24 {
        compared += product(random)? + convolution(random)? + channels(random)?;
        compared += binary(random)?;
    }
    Ok(compared)
}

fn bytes(count: usize, random: &mut Random) -> Vec<u8> {
    (0..count).map(|_| (random.bits() >> 40) as u8).collect()
}

/// What a byte is.
fn number(byte: u8, signed: bool) -> i32 {
    if signed { byte.cast_signed().into() } else { byte.into() }
}

/// A zero of bytes.
fn zero(signed: bool, random: &mut Random) -> i32 {
    number((random.bits() >> 40) as u8, signed)
}

/// Results that are spread over all bytes, of sums of so many products.
struct Rounding {
    factors: Vec<f32>,
    zero: i32,
    limits: [i32; 2],
    signed: bool,
}

impl Rounding {
    fn new(columns: usize, terms: usize, random: &mut Random) -> Self {
        let signed = random.below(2) == 1;
        let least = if signed { -128 } else { 0 };
        let zero = zero(signed, random);
        let limits = match random.below(3) {
            0 => [least, least + 255],
            1 => [zero, least + 255],
            _ => [zero, (zero + 100).min(least + 255)],
        };
        let unit = 64.0 / (5000.0 * (terms.max(1) as f32).sqrt());
        // Some are powers of two, whose results often lie between two bytes.
        let one = |random: &mut Random| match random.below(4) {
            0 => 0.5_f32.powi(1 + random.below(12) as i32),
            _ => unit * (1.1 + random.float()),
        };
        let count = if random.below(3) == 0 { 1 } else { columns };
        Self { factors: (0..count).map(|_| one(random)).collect(), zero, limits, signed }
    }

    fn kernel(&self) -> Requantize {
        Requantize::new(self.factors.clone(), self.zero, self.limits, self.signed)
    }

    fn of(&self, column: usize, sum: i32) -> u8 {
        let at = if self.factors.len() == 1 { 0 } else { column };
        self.rounded(sum as f32 * self.factors[at])
    }

    fn rounded(&self, value: f32) -> u8 {
        let y = value.round_ties_even() + self.zero as f32;
        y.clamp(self.limits[0] as f32, self.limits[1] as f32) as i32 as u8
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &[T],
    theirs: &[T],
) -> Result<usize, String> {
    match ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs) {
        None if ours.len() == theirs.len() => Ok(ours.len()),
        None => Err(format!("{what}: {} results of {}", ours.len(), theirs.len())),
        Some(at) => Err(format!("{what}: {at} is {:?}, expected {:?}", ours[at], theirs[at])),
    }
}

fn rounding(random: &mut Random) -> Result<usize, String> {
    let mut compared = 0;
    for scale in [0.9, 0.5, 0.25, 0.1, 1.0 / 64.0, 0.003, 1e-5, 2.5, 1e30] {
        for _ in 0..4 {
            let mut rounding = Rounding::new(1, 1, random);
            rounding.factors = vec![scale];
            let most = (300.0 / scale) as usize + 2;
            let sums: Vec<i32> = (0..300)
                .map(|_| random.below(2 * most) as i32 - most as i32)
                .chain([i32::MIN, i32::MIN / 4, i32::MAX / 4, i32::MAX, 0, 1, -1])
                .collect();
            let kernel = rounding.kernel();
            let ours: Vec<u8> = sums.iter().map(|sum| kernel.of(0, *sum)).collect();
            let theirs: Vec<u8> = sums.iter().map(|sum| rounding.of(0, *sum)).collect();
            compared += same("requantize", &ours, &theirs)?;
        }
    }
    Ok(compared)
}

fn binary(random: &mut Random) -> Result<usize, String> {
    let rounding = Rounding::new(1, 1, random);
    let (count, signed) = (1 + random.below(40), rounding.signed);
    let scale = |random: &mut Random| 0.01 + random.float().abs();
    let operands = [0, 1].map(|_| (scale(random), zero(signed, random)));
    let lengths = [0, 1].map(|_| if random.below(3) == 0 { 1 } else { count });
    let all = lengths.map(|length| bytes(length, random));
    let mut compared = 0;
    for function in [Arithmetic::Sum, Arithmetic::Difference, Arithmetic::Product] {
        let results = rounding.kernel();
        let of = BinaryInt8 { function, operands, scale: scale(random), results: &results };
        let mut ours = vec![0; count];
        binary_int8(&of, [&all[0], &all[1]], &mut ours);
        let theirs: Vec<u8> = (0..count)
            .map(|at| {
                let [a, b] = [0, 1].map(|side| {
                    let byte = all[side][at.min(lengths[side] - 1)];
                    (number(byte, signed) - operands[side].1) as f32 * operands[side].0
                });
                let value = match function {
                    Arithmetic::Sum => a + b,
                    Arithmetic::Difference => a - b,
                    Arithmetic::Product => a * b,
                };
                rounding.rounded(value / of.scale)
            })
            .collect();
        compared += same("a function of two bytes", &ours, &theirs)?;
    }
    Ok(compared)
}

/// Does some work with a set of products, and says which.
#[derive(Clone, Copy)]
struct By<'a>(&'a Int8Work<'a>, &'a dyn Fn(&str));

impl Generic for By<'_> {
    type Output = ();

    fn run<D: Dots>(self) {
        self.0.clone().run::<D>();
        self.1(D::NAME);
    }
}

/// Compares what every set writes over `ours`.
fn with_every<T: PartialEq + Copy + std::fmt::Debug + Default>(
    what: &str,
    ours: SharedOut<'_, T>,
    work: &Int8Work<'_>,
    theirs: &[T],
) -> Result<usize, String> {
    let problem = std::cell::RefCell::new(Ok(0));
    let compare = |set: &str| {
        let all = 0..theirs.len();
        // SAFETY: the kernel is done, and there is one thread.
        let ours = unsafe { ours.part(all) };
        let found = same(&format!("{what} by {set}"), ours, theirs);
        ours.fill(T::default());
        let mut problem = problem.borrow_mut();
        if problem.is_ok() {
            *problem = found;
        }
    };
    every(By(work, &compare));
    problem.into_inner()
}

fn product(random: &mut Random) -> Result<usize, String> {
    let (rows, k, n) = (1 + random.below(70), random.below(90), 1 + random.below(30));
    let (signed, of_weights) = (random.below(2) == 1, random.below(2) == 1);
    let (a, b) = (bytes(rows * k, random), bytes(k * n, random));
    let a_zero = zero(signed, random);
    let zeros: Vec<i32> = match random.below(3) {
        0 => vec![if of_weights { 0 } else { 128 }],
        1 => vec![zero(of_weights, random)],
        _ => (0..n).map(|_| zero(of_weights, random)).collect(),
    };
    let mut packed = vec![0; panels(n) * packed_steps(k) * 32];
    pack_int8(&b, of_weights, (k, n), false, 0..panels(n), &mut packed);
    // As bytes with a sign.
    let moved: Vec<i32> =
        zeros.iter().map(|zero| if of_weights { *zero } else { zero - 128 }).collect();
    let mut theirs = Vec::new();
    for row in 0..rows {
        for column in 0..n {
            let b_zero = zeros[if zeros.len() == 1 { 0 } else { column }];
            let product = |step: usize| {
                let a = number(a[row * k + step], signed) - a_zero;
                a * (number(b[step * n + column], of_weights) - b_zero)
            };
            theirs.push((0..k).map(product).sum::<i32>());
        }
    }
    let mut sums = vec![0; rows * n];
    let y = SharedOut::new(&mut sums);
    let args = GemmInt8 {
        a: Int8 { bytes: &a, signed, zero: a_zero },
        b: &packed,
        zeros: &moved,
        shape: (k, n),
        bias: None,
        results: Int8Results::Sums(y),
    };
    let work = Int8Work::Gemm(&args, 0..rows, 0..panels(n));
    with_every("a product of bytes", y, &work, &theirs)
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

/// Sums of `x[n, …, channels]` times `weights[outputs, taps, channels / groups]`, with a bias.
fn sums(
    windows: &Windows,
    groups: usize,
    (x, channels): (Int8<'_>, usize),
    (weights, outputs, of_weights): (&[u8], usize, Option<i32>),
    bias: &[i32],
) -> Vec<i32> {
    let images = x.bytes.len() / (windows.inputs() * channels);
    let (per, n) = (channels / groups, outputs / groups);
    let [planes, rows, columns] = windows.output;
    let mut sums = Vec::new();
    for row in 0..images * windows.outputs() {
        let (image, at) = (row / windows.outputs(), row % windows.outputs());
        let at = [at / columns / rows % planes, at / columns % rows, at % columns];
        for output in 0..outputs {
            let mut sum = bias[output];
            for tap in 0..windows.taps() {
                let [_, kh, kw] = windows.kernel;
                let tap_at = [tap / kw / kh, tap / kw % kh, tap % kw];
                let places = [0, 1, 2].map(|axis| windows.place(axis, at[axis], tap_at[axis]));
                let [Some(d), Some(h), Some(w)] = places else { continue };
                let [depth, height, width] = windows.input;
                let pixel = ((image * depth + d) * height + h) * width + w;
                for channel in 0..per {
                    let at = pixel * channels + output / n * per + channel;
                    let weight = weights[(output * windows.taps() + tap) * per + channel];
                    let weight = match of_weights {
                        None => number(weight, true),
                        Some(zero) => number(weight, false) - zero,
                    };
                    sum += (number(x.bytes[at], x.signed) - x.zero) * weight;
                }
            }
            sums.push(sum);
        }
    }
    sums
}

fn convolution(random: &mut Random) -> Result<usize, String> {
    let windows = windows(random);
    let groups = 1 + random.below(3);
    let (per, n, images) = (1 + random.below(20), 1 + random.below(12), 1 + random.below(2));
    let (channels, outputs, k) = (groups * per, groups * n, windows.taps() * per);
    let signed = random.below(2) == 1;
    let of_weights = (random.below(2) == 1).then(|| zero(false, random));
    let x = bytes(images * windows.inputs() * channels, random);
    let x = Int8 { bytes: &x, signed, zero: zero(signed, random) };
    let weights = bytes(outputs * k, random);
    let bias: Vec<i32> = (0..outputs).map(|_| random.below(20_000) as i32 - 10_000).collect();
    let size = panels(n) * packed_steps(k) * 32;
    let mut packed = vec![0; groups * size];
    for group in 0..groups {
        let b = &weights[group * n * k..][..n * k];
        let out = &mut packed[group * size..][..size];
        pack_int8(b, of_weights.is_none(), (k, n), true, 0..panels(n), out);
    }
    let rounding = Rounding::new(outputs, k, random);
    let kernel = rounding.kernel();
    let sums = sums(&windows, groups, (x, channels), (&weights, outputs, of_weights), &bias);
    let theirs: Vec<u8> =
        sums.iter().enumerate().map(|(at, sum)| rounding.of(at % outputs, *sum)).collect();
    let mut ours = vec![0; theirs.len()];
    let y = SharedOut::new(&mut ours);
    let args = ConvInt8 {
        windows: &windows,
        groups,
        channels: (channels, outputs),
        x,
        weights: &packed,
        zeros: &of_weights.map_or(vec![], |zero| vec![zero - 128]),
        bias: Some(&bias),
        results: Int8Results::Bytes(&kernel, y),
    };
    let work = Int8Work::Conv(&args, 0..images * windows.outputs(), 0..groups * panels(n));
    with_every("a convolution of bytes", y, &work, &theirs)
}

fn channels(random: &mut Random) -> Result<usize, String> {
    let mut windows = windows(random);
    if windows.dilation[2] > 1 {
        windows.dilation[2] = 1;
        let reach = windows.input[2] + windows.pad[2];
        let Some(left) = reach.checked_sub(windows.kernel[2]) else { return Ok(0) };
        windows.output[2] = left / windows.stride[2] + 1;
    }
    let channels = 1 + random.below(40);
    let signed = random.below(2) == 1;
    let x = bytes(windows.inputs() * channels, random);
    let x = Int8 { bytes: &x, signed, zero: zero(signed, random) };
    let weights = bytes(windows.taps() * channels, random);
    let bias: Vec<i32> = (0..channels).map(|_| random.below(20_000) as i32 - 10_000).collect();
    let rounding = Rounding::new(channels, windows.taps(), random);
    let turned: Vec<u8> = (0..channels)
        .flat_map(|channel| weights[channel..].iter().step_by(channels).copied())
        .collect();
    let sums = sums(&windows, channels, (x, channels), (&turned, channels, None), &bias);
    let theirs: Vec<u8> =
        sums.iter().enumerate().map(|(at, sum)| rounding.of(at % channels, *sum)).collect();
    let [rows, room] = DepthwiseInt8::packed(windows.kernel, channels);
    let mut packed = vec![0; rows * room * 4];
    pack_depthwise_int8(&weights, true, windows.kernel, channels, &mut packed);
    let mut ours = vec![0; theirs.len()];
    let y = SharedOut::new(&mut ours);
    let results = &rounding.kernel();
    let args = DepthwiseInt8 {
        windows: &windows,
        channels,
        x,
        weights: &packed,
        bias: Some(&bias),
        results,
        y,
    };
    let lines = 0..windows.output[0] * windows.output[1];
    let work = Int8Work::Depthwise(&args, lines, 0..channels);
    with_every("channels of bytes by themselves", y, &work, &theirs)
}
