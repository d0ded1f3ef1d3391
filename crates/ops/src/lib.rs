//! The operators, one file each: shape rule, checks, the call of its kernel, its tests; and the
//! one [table](OPS) of them.
//!
//! Names are ONNX's where ONNX has the operator.

mod add;
mod arg;
mod attention;
mod binary;
mod bit_cast;
mod calls;
mod cast;
mod col2im;
mod combine_experts;
mod concat;
mod conv;
mod conv_depthwise;
mod conv_weights;
mod cumulative;
mod deform_im2col;
mod depthwise_conv;
mod depthwise_qlinear_conv;
mod dequantize_affine;
mod det;
mod dft;
mod dot_product_attention;
mod dynamic_range;
mod elementwise;
mod expert_linear;
#[cfg(test)]
mod extremes;
mod finish;
mod gather;
mod gather_elements;
mod gather_nd;
mod geglu;
mod gelu;
mod gemm;
mod grid_sample;
mod interpolate;
mod kv_write;
mod layer_normalization;
mod linear;
mod linear_attention;
mod matmul;
mod matmul_integer;
mod merge_attention;
mod mul;
mod n_grams;
mod pack;
mod pack_blocks;
mod pack_int8;
mod pack_strided;
mod pack_taps;
mod pool;
mod pool_images;
mod qlinear_binary;
mod qlinear_conv;
mod quantize;
mod quantize_affine;
mod quantize_linear;
mod quantized_binary;
mod quantized_conv;
mod random;
mod recurrent;
mod reduce;
mod rms_normalization;
mod roi_align;
mod rotary_angles;
mod rotary_embedding;
mod rows;
mod rules;
mod scale;
mod scatter;
mod select_experts;
mod sequence_lstm;
mod short_convolution;
mod soft_cap;
mod softmax;
mod state_write;
mod strided_copy;
mod swiglu;
mod take;
mod take_rows;
mod top_k;
mod tree_ensemble;
mod unary;
mod r#where;
mod winograd_conv;
mod winograd_weights;

pub use add::Add;
pub use arg::Arg;
pub use attention::{Attention, AttentionParts};
pub use binary::Binary;
pub use bit_cast::BitCast;
pub use calls::{CALLS, CallInfo, arrange, callable, decoder_lowering, lowering};
pub use cast::Cast;
pub use col2im::Col2Im;
pub use combine_experts::CombineExperts;
pub use concat::Concat;
pub use conv::Conv;
pub use conv_depthwise::ConvDepthwise;
pub use conv_weights::ConvWeights;
pub use cumulative::Cumulative;
pub use deform_im2col::DeformIm2Col;
pub use depthwise_conv::DepthwiseConv;
pub use depthwise_qlinear_conv::DepthwiseQLinearConv;
pub use dequantize_affine::DequantizeAffine;
pub use det::Det;
pub use dft::Dft;
pub use dot_product_attention::DotProductAttention;
pub use dynamic_range::DynamicRange;
pub use elementwise::Elementwise;
pub use expert_linear::ExpertLinear;
pub use gather::Gather;
pub use gather_elements::GatherElements;
pub use gather_nd::GatherNd;
pub use geglu::GeGlu;
pub use gelu::Gelu;
pub use gemm::{Finish, Gemm};
pub use grid_sample::{GridSample, Padding, Sampling};
pub use interpolate::Interpolate;
pub use kv_write::KvWrite;
pub use layer_normalization::LayerNormalization;
pub use linear::Linear;
pub use linear_attention::LinearAttention;
pub use matmul::MatMul;
pub use matmul_integer::MatMulInteger;
pub use merge_attention::MergeAttention;
pub use mul::Mul;
pub use n_grams::NGrams;
pub use pack::Pack;
pub use pack_blocks::PackBlocks;
pub use pack_int8::PackInt8;
pub use pack_strided::PackStrided;
pub use pack_taps::PackTaps;
pub use pool::{Pool, Pooling};
pub use pool_images::PoolImages;
pub use qlinear_binary::QLinearBinary;
pub use qlinear_conv::{QLinearConv, ToBytes};
pub use quantize::Quantize;
pub use quantize_affine::QuantizeAffine;
pub use quantize_linear::QuantizeLinear;
pub use quantized_binary::{QuantizedBinary, QuantizedFunction};
pub use quantized_conv::QuantizedConv;
pub use random::{Distribution, Random};
pub use recurrent::{Cell, Recurrent, Squash};
pub use reduce::Reduce;
pub use rms_normalization::RmsNormalization;
pub use roi_align::RoiAlign;
pub use rotary_angles::RotaryAngles;
pub use rotary_embedding::{RopeStyle, RotaryEmbedding};
pub use scale::Scale;
pub use scatter::{Places, Scatter};
pub use select_experts::SelectExperts;
pub use sequence_lstm::SequenceLstm;
pub use short_convolution::ShortConvolution;
pub use soft_cap::SoftCap;
pub use softmax::Softmax;
pub use state_write::StateWrite;
pub use strided_copy::StridedCopy;
pub use swiglu::SwiGlu;
pub use take::Take;
pub use take_rows::TakeRows;
pub use top_k::TopK;
pub use tree_ensemble::{Aggregate, Next, Question, TreeEnsemble, TreeNode};
pub use unary::Unary;
pub use r#where::Where;
pub use winograd_conv::WinogradConv;
pub use winograd_weights::WinogradWeights;

use sidestage_ir::Pass;

/// One row of the table of operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpInfo {
    /// What [`sidestage_ir::Operator::name`] says.
    pub name: &'static str,
    /// What it computes.
    pub summary: &'static str,
}

/// Every operator there is.
pub const OPS: &[OpInfo] = &[
    add::INFO,
    arg::INFO,
    attention::INFO,
    binary::INFO,
    bit_cast::INFO,
    cast::INFO,
    r#where::INFO,
    col2im::INFO,
    combine_experts::INFO,
    concat::INFO,
    conv::INFO,
    conv_depthwise::INFO,
    conv_weights::INFO,
    cumulative::INFO,
    deform_im2col::INFO,
    depthwise_conv::INFO,
    depthwise_qlinear_conv::INFO,
    dequantize_affine::INFO,
    det::INFO,
    dft::INFO,
    dot_product_attention::INFO,
    dynamic_range::INFO,
    elementwise::INFO,
    expert_linear::INFO,
    gather::INFO,
    gather_elements::INFO,
    gather_nd::INFO,
    geglu::INFO,
    gelu::INFO,
    gemm::INFO,
    grid_sample::INFO,
    interpolate::INFO,
    kv_write::INFO,
    layer_normalization::INFO,
    linear::INFO,
    linear_attention::INFO,
    matmul::INFO,
    matmul_integer::INFO,
    merge_attention::INFO,
    mul::INFO,
    n_grams::INFO,
    pack::INFO,
    pack_blocks::INFO,
    pack_int8::INFO,
    pack_strided::INFO,
    pack_taps::INFO,
    pool::INFO,
    pool_images::INFO,
    qlinear_binary::INFO,
    qlinear_conv::INFO,
    quantize::INFO,
    quantize_affine::INFO,
    quantize_linear::INFO,
    quantized_binary::INFO,
    quantized_conv::INFO,
    random::INFO,
    recurrent::INFO,
    reduce::INFO,
    rms_normalization::INFO,
    roi_align::INFO,
    rotary_angles::INFO,
    rotary_embedding::INFO,
    scale::INFO,
    scatter::INFO,
    select_experts::INFO,
    sequence_lstm::INFO,
    short_convolution::INFO,
    soft_cap::INFO,
    softmax::INFO,
    state_write::INFO,
    strided_copy::INFO,
    swiglu::INFO,
    take::INFO,
    take_rows::INFO,
    top_k::INFO,
    tree_ensemble::INFO,
    unary::INFO,
    winograd_conv::INFO,
    winograd_weights::INFO,
];

/// The passes over graphs of models, in the order in which they are taken.
pub const PASSES: &[Pass] = &[
    dot_product_attention::PASS,
    pack_strided::PASS,
    layer_normalization::PASS,
    rms_normalization::PASS,
    unary::PASS,
    finish::PASS,
    winograd_conv::PASS,
    conv_depthwise::PASS,
    matmul_integer::PASS,
    elementwise::PASS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use sidestage_ir::{Dim, Operator, ValueType};
    use sidestage_kernels::{Program, Source, Step, Windows};
    use sidestage_tensor::DType;

    fn every() -> Vec<Box<dyn Operator>> {
        let (head_dim, style) = (8, RopeStyle::Norm);
        let (heads, kv_heads, scale, softcap) = (4, 2, 1.0, None);
        let (dtype, parts) = (DType::F16, AttentionParts { room: 8, window: None });
        let windows = Windows {
            input: [1; 3],
            output: [1; 3],
            kernel: [1; 3],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [0; 3],
        };
        let (finish, plan) = (Finish::default(), sidestage_kernels::Dft::new(1, false));
        let step = Step::Unary(sidestage_kernels::Unary::Abs, 0);
        let one = sidestage_kernels::Multiplier::new(1.0);
        let to = sidestage_kernels::Requantize::new(vec![1.0], 0, [-128, 127], true);
        let function = sidestage_kernels::Arithmetic::Sum;
        let operands = [(1.0, 0); 2];
        let sum = QLinearBinary { function, operands, scale: 1.0, to: to.clone() };
        let to = ToBytes { x_zero: 0, to };
        let (sampling, padding) = (Sampling::Linear, Padding::Zeros);
        let region =
            RoiAlign { output: [1; 2], scale: 1.0, samples: 1, largest: false, half_pixel: true };
        let recurrence = LinearAttention { heads, kv_heads, scale, gated: true, delta: true };
        vec![
            Box::new(Add),
            Box::new(Arg { largest: true, last: false }),
            Box::new(Attention { heads, kv_heads, head_dim, dtype, scale, softcap, parts }),
            Box::new(Binary { function: sidestage_kernels::Binary::Add }),
            Box::new(BitCast { to: DType::I32 }),
            Box::new(Cast { to: DType::I32 }),
            Box::new(Where),
            Box::new(Col2Im { windows }),
            Box::new(CombineExperts),
            Box::new(Concat { axis: 0 }),
            Box::new(Conv { groups: 1, outputs: 1, windows, finish }),
            Box::new(ConvDepthwise {
                conv: Conv { groups: 1, outputs: 1, windows, finish },
                depthwise: DepthwiseConv { windows, finish },
            }),
            Box::new(ConvWeights { groups: 1 }),
            Box::new(Cumulative { product: false, exclusive: false, reverse: false }),
            Box::new(DeformIm2Col { groups: 1, windows }),
            Box::new(DepthwiseConv { windows, finish }),
            Box::new(DepthwiseQLinearConv { windows, to: to.clone() }),
            Box::new(DequantizeAffine { scale: 1.0, zero: 0 }),
            Box::new(Det),
            Box::new(Dft { plan, inverse: false, onesided: false }),
            Box::new(DotProductAttention {
                keys: 1,
                values: 1,
                functions: None,
                masked: false,
                turned: [false; 2],
            }),
            Box::new(DynamicRange),
            Box::new(Elementwise {
                program: Program::new(vec![Source::Dense], vec![step]).unwrap(),
                lengths: vec![6],
                dims: vec![2, 3],
            }),
            Box::new(ExpertLinear),
            Box::new(Gather::<true>),
            Box::new(GatherElements { axis: 0 }),
            Box::new(GatherNd { batch: 0 }),
            Box::new(GeGlu),
            Box::new(Gelu::Exact),
            Box::new(Gemm { n: 1, finish }),
            Box::new(GridSample { sampling, padding, align_corners: false }),
            Box::new(Interpolate { axis: 2, taps: [].into() }),
            Box::new(KvWrite { head_dim, dtype }),
            Box::new(LayerNormalization { group: 32, epsilon: 1e-5 }),
            Box::new(Linear::<true> { outputs: None }),
            Box::new(recurrence),
            Box::new(MatMul),
            Box::new(MatMulInteger { n: 1, zeros: vec![], scaled: false, bias: false }),
            Box::new(MergeAttention { heads, head_dim, parts }),
            Box::new(Mul),
            Box::new(NGrams {
                pool: Default::default(),
                lengths: 1..2,
                skips: 0,
                width: 1,
                once: false,
            }),
            Box::new(Pack { transposed: false }),
            Box::new(PackBlocks {
                bits: 4,
                block: 32,
                signed: false,
                width: 32,
                zero: 8.0,
                to: DType::Q4_0,
            }),
            Box::new(PackInt8 { transposed: false }),
            Box::new(PackStrided {
                dims: vec![1; 2],
                start: 0,
                steps: vec![1; 2],
                transposed: false,
            }),
            Box::new(PackTaps { kernel: [1; 3] }),
            Box::new(Pool { pooling: Pooling::Lp { p: 2.0 }, windows }),
            Box::new(PoolImages { pooling: Pooling::Average { ends: None }, windows }),
            Box::new(sum),
            Box::new(QLinearConv { groups: 1, outputs: 1, windows, zeros: vec![], to }),
            Box::new(Quantize),
            Box::new(QuantizeAffine { to: DType::I8, scale: 1.0, zero: 0, limits: [-128, 127] }),
            Box::new(QuantizeLinear),
            Box::new(QuantizedBinary {
                function: QuantizedFunction::Product,
                zeros: [0; 2],
                last: one,
                zero: 0,
                limits: [-128, 127],
            }),
            Box::new(QuantizedConv {
                groups: 1,
                windows,
                spread: [1; 2],
                x_zero: 0,
                multipliers: vec![one],
                zero: 0,
                limits: [-128, 127],
            }),
            Box::new(Random {
                distribution: Distribution::Uniform,
                key: [0; 2],
                dims: vec![1],
                low: 0.0,
                width: 1.0,
            }),
            Box::new(Recurrent {
                cell: Cell::Rnn,
                reverse: false,
                clip: None,
                functions: [Squash::Tanh; 3],
            }),
            Box::new(Reduce { reduction: sidestage_kernels::Reduction::Sum }),
            Box::new(RmsNormalization { epsilon: 1e-5 }),
            Box::new(region),
            Box::new(RotaryAngles { frequencies: vec![1.0; 4], magnitude: 1.0 }),
            Box::new(RotaryEmbedding { head_dim, style }),
            Box::new(Scale { factor: 2.0 }),
            Box::new(Scatter { places: Places::Slices, reduction: None }),
            Box::new(SelectExperts { used: 2, normalized: true }),
            Box::new(SequenceLstm {
                reverse: false,
                coupled: false,
                normalized: false,
                projected: false,
                clips: [0.0; 2],
                function: Squash::Tanh,
            }),
            Box::new(ShortConvolution),
            Box::new(SoftCap { cap: 30.0 }),
            Box::new(Softmax { log: false }),
            Box::new(StateWrite),
            Box::new(StridedCopy { dims: vec![1], start: 0, steps: vec![1] }),
            Box::new(SwiGlu),
            Box::new(Take { axis: 0 }),
            Box::new(TakeRows),
            Box::new(TopK { k: 1, largest: true }),
            Box::new(TreeEnsemble {
                nodes: Vec::new(),
                leaves: Vec::new(),
                roots: Vec::new(),
                targets: 1,
                aggregate: Aggregate::Sum,
            }),
            Box::new(Unary { function: sidestage_kernels::Unary::Abs }),
            Box::new(WinogradConv { outputs: 1, windows, finish }),
            Box::new(WinogradWeights),
        ]
    }

    #[test]
    fn the_table_names_every_operator_once() {
        let names: Vec<&str> = every().iter().map(|op| op.name()).collect();
        assert_eq!(names, OPS.iter().map(|info| info.name).collect::<Vec<_>>());
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        let good = ValueType::fixed(DType::F32, &[3, 32]);
        let symbolic = ValueType::new(DType::F32, [Dim::Fixed(3)]);
        let integers = ValueType::fixed(DType::I32, &[3, 32]);
        for op in every().into_iter().filter(|op| !general(op.name())) {
            for count in 0..8 {
                for bad in [&symbolic, &integers] {
                    let types = vec![bad; count];
                    assert!(op.infer(&types).is_err(), "{} of {count} {bad:?}", op.name());
                }
                let fits = match op.name() {
                    "Add" | "GeGLU" | "Mul" | "SwiGLU" => 2,
                    // A weight of 32 for each part of one value.
                    "CombineExperts" => 2,
                    "Gelu" | "Quantize" | "Scale" | "SelectExperts" | "SoftCap" => 1,
                    "Linear" => 2,
                    _ => usize::MAX,
                };
                let types = vec![&good; count];
                assert_eq!(op.infer(&types).is_ok(), count == fits, "{} of {count}", op.name());
            }
        }
    }

    /// Whether an operator is for tensors of any shape, and mostly of any type.
    fn general(name: &str) -> bool {
        let of_models = ["Arg", "Binary", "BitCast", "Cast", "Concat", "Conv", "Cumulative", "DFT"];
        let more = [
            "Elementwise",
            "GatherElements",
            "GatherND",
            "MatMul",
            "Pool",
            "Reduce",
            "Scatter",
            "Softmax",
        ];
        let rest = [
            "Pack",
            "PackStrided",
            "StridedCopy",
            "Take",
            "TopK",
            "TreeEnsemble",
            "Unary",
            "Where",
        ];
        let affine = ["DequantizeAffine", "DynamicRange", "QLinearBinary", "QuantizeAffine"];
        let affine = affine.iter().chain(&["QuantizedBinary"]);
        of_models.iter().chain(&more).chain(affine).chain(&rest).any(|known| *known == name)
    }

    #[test]
    fn general_operators_refuse_blocks_and_operands_that_are_missing() {
        let blocks = ValueType::fixed(DType::Q8_0, &[3, 32]);
        for op in every().into_iter().filter(|op| general(op.name())) {
            for count in 0..8 {
                let types = vec![&blocks; count];
                assert!(op.infer(&types).is_err(), "{} of {count}", op.name());
            }
        }
    }

    #[test]
    fn a_part_of_a_layer_lies_inside_it() {
        let x = ValueType::fixed(DType::F32, &[3, 32]);
        let weight = ValueType::fixed(DType::F32, &[8, 32]);
        let part = |outputs| Linear::<true> { outputs: Some(outputs) }.infer(&[&x, &weight]);
        assert_eq!(part(2..7), Ok(vec![ValueType::fixed(DType::F32, &[3, 5])]));
        assert_eq!(part(0..8), Linear::<true> { outputs: None }.infer(&[&x, &weight]));
        assert!(part(2..9).is_err() && part(3..3).is_err());
    }
}
