//! The operators of quantised graph models: MobileNetV2's at 224 by 224, and the layers of a
//! MiniLM-shaped encoder at 128 tokens.

use crate::case::{Arithmetic, Case, Work, fill};
use crate::graphs::windows;
use sidestage_ir::{Dim, GraphBuilder, GraphError, Operator};
use sidestage_kernels::{DepthwiseInt8, PANEL, Requantize, Windows, packed_steps, panels};
use sidestage_ops::{
    DepthwiseQLinearConv, DynamicRange, MatMulInteger, QLinearBinary, QLinearConv, QuantizeLinear,
    ToBytes,
};
use sidestage_tensor::DType;

/// Side of the image, channels, outputs, side of the window, stride.
const CONVOLUTIONS: [[usize; 5]; 8] = [
    [224, 3, 32, 3, 2],
    [112, 32, 16, 1, 1],
    [112, 16, 96, 1, 1],
    [56, 24, 144, 1, 1],
    [14, 96, 576, 1, 1],
    [14, 576, 96, 1, 1],
    [7, 960, 160, 1, 1],
    [7, 320, 1280, 1, 1],
];

/// Side of the image, channels, stride.
const CHANNELS: [[usize; 3]; 5] =
    [[112, 32, 1], [112, 96, 2], [56, 144, 1], [14, 576, 1], [7, 960, 1]];

/// Rows, steps and columns.
const PRODUCTS: [[usize; 3]; 4] = [[1024; 3], [128, 384, 384], [128, 384, 1536], [128, 1536, 384]];

/// Adds them to the list.
pub(crate) fn all(add: &mut impl FnMut(String, Box<dyn Fn() -> Case>)) {
    for shape @ [side, channels, outputs, kernel, stride] in CONVOLUTIONS {
        let name = format!("int8/conv/{side}/{channels}-{outputs}/{kernel}s{stride}");
        add(name, Box::new(move || convolution(shape).expect("a graph that fits")));
    }
    for shape @ [side, channels, stride] in CHANNELS {
        let name = format!("int8/depthwise/{side}/{channels}/3s{stride}");
        add(name, Box::new(move || depthwise(shape).expect("a graph that fits")));
    }
    for shape @ [m, k, n] in PRODUCTS {
        let name = format!("int8/matmul/{m}x{k}x{n}");
        add(name, Box::new(move || product(shape).expect("a graph that fits")));
    }
    add("int8/add".into(), Box::new(|| sum().expect("a graph that fits")));
    add("int8/quantize".into(), Box::new(|| quantize().expect("a graph that fits")));
}

fn to_bytes(outputs: usize) -> ToBytes {
    let factors = vec![0.001_234; outputs];
    ToBytes { x_zero: -3, to: Requantize::new(factors, -128, [-128, 127], true) }
}

/// An operator of bytes, with a bias.
fn with_bias(
    op: impl Operator + 'static,
    input: &[usize],
    weights: &[usize],
    outputs: usize,
    macs: usize,
) -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let dims: Vec<Dim> = input.iter().map(|dim| Dim::Fixed(*dim)).collect();
    let x = builder.input("x", DType::I8, &dims);
    let of_weights = builder.weight("weights", DType::I8, weights);
    let bias = builder.weight("bias", DType::I32, &[outputs]);
    let y = builder.apply("y", op, &[x, of_weights, bias])?;
    let bytes = input.iter().product::<usize>() + weights.iter().product::<usize>();
    let work = Work { bytes: bytes as f64, macs: macs as f64, arithmetic: Arithmetic::Int8 };
    Ok(Case::new(builder.finish(&[y]), work, 0, |executor| fill(executor, x)))
}

fn convolution([side, channels, outputs, kernel, stride]: [usize; 5]) -> Result<Case, GraphError> {
    let windows = windows(side, kernel, stride);
    let k = windows.taps() * channels;
    let macs = windows.outputs() * k * outputs;
    let op = QLinearConv { groups: 1, outputs, windows, zeros: vec![], to: to_bytes(outputs) };
    let weights = [1, panels(outputs), packed_steps(k), 4 * PANEL];
    with_bias(op, &[1, 1, side, side, channels], &weights, outputs, macs)
}

fn depthwise([side, channels, stride]: [usize; 3]) -> Result<Case, GraphError> {
    let windows: Windows = windows(side, 3, stride);
    let macs = windows.outputs() * windows.taps() * channels;
    let [rows, room] = DepthwiseInt8::packed(windows.kernel, channels);
    let op = DepthwiseQLinearConv { windows, to: to_bytes(channels) };
    with_bias(op, &[1, 1, side, side, channels], &[rows, room, 4], channels, macs)
}

/// With a scale and a bias, as behind a dynamic quantisation.
fn product([m, k, n]: [usize; 3]) -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let a = builder.input("a", DType::U8, &[Dim::Fixed(m), Dim::Fixed(k)]);
    let b = builder.weight("b", DType::I8, &[panels(n), packed_steps(k), 4 * PANEL]);
    let zero = builder.weight("zero", DType::U8, &[1]);
    let scale = builder.weight("scale", DType::F32, &[1]);
    let bias = builder.weight("bias", DType::F32, &[n]);
    let op = MatMulInteger { n, zeros: vec![], scaled: true, bias: true };
    let y = builder.apply("y", op, &[a, b, zero, scale, bias])?;
    let work = Work {
        bytes: (m * k + n * k) as f64,
        macs: (m * n * k) as f64,
        arithmetic: Arithmetic::Int8,
    };
    Ok(Case::new(builder.finish(&[y]), work, 0, |executor| fill(executor, a)))
}

fn moved(bytes: usize) -> Work {
    Work { bytes: bytes as f64, macs: 0.0, arithmetic: Arithmetic::Int8 }
}

/// The largest sum of MobileNetV2.
fn sum() -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let dims = [56, 56, 24].map(Dim::Fixed);
    let (a, b) = (builder.input("a", DType::I8, &dims), builder.input("b", DType::I8, &dims));
    let op = QLinearBinary {
        function: sidestage_kernels::Arithmetic::Sum,
        operands: [(0.5, -3), (0.31, 5)],
        scale: 0.77,
        to: Requantize::new(vec![1.0], 4, [-128, 127], true),
    };
    let y = builder.apply("y", op, &[a, b])?;
    Ok(Case::new(builder.finish(&[y]), moved(2 * 56 * 56 * 24), 0, |executor| {
        fill(executor, a);
        fill(executor, b);
    }))
}

/// Of the second layer of an encoder's feed-forward.
fn quantize() -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let x = builder.input("x", DType::F32, &[128, 1536].map(Dim::Fixed));
    let range = builder.apply_all("range", DynamicRange, &[x])?;
    let y = builder.apply("y", QuantizeLinear, &[x, range[0], range[1]])?;
    Ok(Case::new(builder.finish(&[y]), moved(4 * 128 * 1536), 0, |executor| fill(executor, x)))
}
