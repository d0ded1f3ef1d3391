//! The operators of graph models: products of matrices, and the convolutions of ResNet-50 and
//! MobileNetV2 at 224 by 224.

use crate::case::{Arithmetic, Case, Work, fill};
use sidestage_ir::{Dim, GraphBuilder, GraphError, Operator};
use sidestage_kernels::{Activation, PANEL, WINOGRAD, Windows, panels, winograd_tiles};
use sidestage_ops::{Conv, DepthwiseConv, Finish, Gemm, Pack, WinogradConv};
use sidestage_tensor::DType;

/// Rows, steps and columns.
const PRODUCTS: [[usize; 3]; 8] = [
    [512; 3],
    [1024; 3],
    [2048; 3],
    // MiniLM's layers at 128 tokens.
    [128, 384, 384],
    [128, 384, 1536],
    [128, 1536, 384],
    // The last layers of the images' models.
    [1, 2048, 1000],
    [1, 1280, 1000],
];

/// Side of the image, channels, outputs, side of the window, stride.
const CONVOLUTIONS: [(&str, [usize; 5]); 16] = [
    ("resnet50", [224, 3, 64, 7, 2]),
    ("resnet50", [56, 64, 64, 1, 1]),
    ("resnet50", [56, 64, 64, 3, 1]),
    ("resnet50", [56, 64, 256, 1, 1]),
    ("resnet50", [28, 128, 128, 3, 1]),
    ("resnet50", [28, 128, 512, 1, 1]),
    ("resnet50", [14, 256, 256, 3, 1]),
    ("resnet50", [14, 1024, 256, 1, 1]),
    ("resnet50", [7, 512, 512, 3, 1]),
    ("resnet50", [7, 512, 2048, 1, 1]),
    ("mobilenetv2", [224, 3, 32, 3, 2]),
    ("mobilenetv2", [112, 32, 16, 1, 1]),
    ("mobilenetv2", [56, 24, 144, 1, 1]),
    ("mobilenetv2", [14, 96, 576, 1, 1]),
    ("mobilenetv2", [7, 960, 160, 1, 1]),
    ("mobilenetv2", [7, 320, 1280, 1, 1]),
];

/// Side of the image, channels, stride.
const CHANNELS: [[usize; 3]; 6] =
    [[112, 32, 1], [112, 96, 2], [56, 144, 1], [28, 192, 1], [14, 576, 1], [7, 960, 1]];

/// Adds them to the list.
pub(crate) fn all(add: &mut impl FnMut(String, Box<dyn Fn() -> Case>)) {
    for shape @ [m, k, n] in PRODUCTS {
        let make = move || product(shape).expect("a graph that fits");
        add(format!("gemm/{m}x{k}x{n}"), Box::new(make));
    }
    for rows in [128, 2048] {
        add(format!("pack/{rows}"), Box::new(move || pack(rows).expect("a graph that fits")));
    }
    for (model, shape @ [side, channels, outputs, kernel, stride]) in CONVOLUTIONS {
        let name = format!("conv/{model}/{side}/{channels}-{outputs}/{kernel}s{stride}");
        add(name, Box::new(move || convolution(shape).expect("a graph that fits")));
        if (kernel, stride) == (3, 1) {
            let name = format!("winograd/{model}/{side}/{channels}-{outputs}");
            add(name, Box::new(move || winograd(shape).expect("a graph that fits")));
        }
    }
    for shape @ [side, channels, stride] in CHANNELS {
        let name = format!("depthwise/{side}/{channels}/3s{stride}");
        add(name, Box::new(move || depthwise(shape).expect("a graph that fits")));
    }
}

fn work(bytes: usize, macs: f64) -> Work {
    Work { bytes: (4 * bytes) as f64, macs, arithmetic: Arithmetic::F32 }
}

/// An operator of weights and of an input of these dimensions, with a bias and a limit of the results.
fn with_bias(
    op: impl Operator + 'static,
    input: &[usize],
    weights: &[usize],
    outputs: usize,
    macs: f64,
) -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let dims: Vec<Dim> = input.iter().map(|dim| Dim::Fixed(*dim)).collect();
    let x = builder.input("x", DType::F32, &dims);
    let of_weights = builder.weight("weights", DType::F32, weights);
    let bias = builder.weight("bias", DType::F32, &[outputs]);
    let y = builder.apply("y", op, &[x, of_weights, bias])?;
    let bytes = input.iter().product::<usize>() + weights.iter().product::<usize>();
    Ok(Case::new(builder.finish(&[y]), work(bytes, macs), 0, |executor| fill(executor, x)))
}

const FINISH: Finish = Finish {
    bias: true,
    add: false,
    slopes: false,
    activation: Activation::Clip(0.0, f32::INFINITY),
};

fn product([m, k, n]: [usize; 3]) -> Result<Case, GraphError> {
    with_bias(
        Gemm { n, finish: FINISH },
        &[m, k],
        &[panels(n), k, PANEL],
        n,
        (m * k) as f64 * n as f64,
    )
}

fn pack(rows: usize) -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let b = builder.input("b", DType::F32, &[Dim::Fixed(rows), Dim::Fixed(rows)]);
    let y = builder.apply("y", Pack { transposed: false }, &[b])?;
    Ok(Case::new(builder.finish(&[y]), work(rows * rows, 0.0), 0, |executor| fill(executor, b)))
}

pub(crate) fn windows(side: usize, kernel: usize, stride: usize) -> Windows {
    let (pad, output) = (kernel / 2, side.div_ceil(stride));
    Windows {
        input: [1, side, side],
        output: [1, output, output],
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
        dilation: [1; 3],
        pad: [0, pad, pad],
    }
}

fn convolution([side, channels, outputs, kernel, stride]: [usize; 5]) -> Result<Case, GraphError> {
    let windows = windows(side, kernel, stride);
    let k = windows.taps() * channels;
    let macs = (windows.outputs() * k) as f64 * outputs as f64;
    let op = Conv { groups: 1, outputs, windows, finish: FINISH };
    let weights = [1, panels(outputs), k, PANEL];
    with_bias(op, &[1, 1, side, side, channels], &weights, outputs, macs)
}

fn winograd([side, channels, outputs, ..]: [usize; 5]) -> Result<Case, GraphError> {
    let windows = windows(side, 3, 1);
    let tiles: usize = winograd_tiles(&windows).iter().product();
    let macs = (WINOGRAD * tiles * channels) as f64 * outputs as f64;
    let op = WinogradConv { outputs, windows, finish: FINISH };
    let weights = [WINOGRAD, panels(outputs), channels, PANEL];
    with_bias(op, &[1, 1, side, side, channels], &weights, outputs, macs)
}

fn depthwise([side, channels, stride]: [usize; 3]) -> Result<Case, GraphError> {
    let windows = windows(side, 3, stride);
    let macs = (windows.outputs() * windows.taps() * channels) as f64;
    let op = DepthwiseConv { windows, finish: FINISH };
    let weights = [windows.taps(), channels];
    with_bias(op, &[1, 1, side, side, channels], &weights, channels, macs)
}
