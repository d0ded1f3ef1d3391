//! The operators, one file each: shape rule, checks, the call of its kernel, its tests; and the
//! one [table](OPS) of them.
//!
//! Names are ONNX's where ONNX has the operator.

mod add;
mod attention;
mod binary;
mod calls;
mod cast;
mod choose;
mod combine_experts;
mod concat;
mod conv;
mod expert_linear;
mod gather;
mod geglu;
mod gelu;
mod kv_write;
mod layer_normalization;
mod linear;
mod matmul;
mod merge_attention;
mod mul;
mod pool;
mod quantize;
mod reduce;
mod rms_normalization;
mod rotary_angles;
mod rotary_embedding;
mod rows;
mod rules;
mod scale;
mod select_experts;
mod short_convolution;
mod soft_cap;
mod softmax;
mod state_write;
mod strided_copy;
mod swiglu;
mod take;
mod take_rows;
mod unary;

pub use add::Add;
pub use attention::{Attention, AttentionParts};
pub use binary::Binary;
pub use calls::{CALLS, CallInfo, lowering};
pub use cast::Cast;
pub use choose::Where;
pub use combine_experts::CombineExperts;
pub use concat::Concat;
pub use conv::Conv;
pub use expert_linear::ExpertLinear;
pub use gather::Gather;
pub use geglu::GeGlu;
pub use gelu::Gelu;
pub use kv_write::KvWrite;
pub use layer_normalization::LayerNormalization;
pub use linear::Linear;
pub use matmul::MatMul;
pub use merge_attention::MergeAttention;
pub use mul::Mul;
pub use pool::{Pool, Pooling};
pub use quantize::Quantize;
pub use reduce::Reduce;
pub use rms_normalization::RmsNormalization;
pub use rotary_angles::RotaryAngles;
pub use rotary_embedding::{RopeStyle, RotaryEmbedding};
pub use scale::Scale;
pub use select_experts::SelectExperts;
pub use short_convolution::ShortConvolution;
pub use soft_cap::SoftCap;
pub use softmax::Softmax;
pub use state_write::StateWrite;
pub use strided_copy::StridedCopy;
pub use swiglu::SwiGlu;
pub use take::Take;
pub use take_rows::TakeRows;
pub use unary::Unary;

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
    attention::INFO,
    combine_experts::INFO,
    expert_linear::INFO,
    gather::INFO,
    geglu::INFO,
    gelu::INFO,
    kv_write::INFO,
    layer_normalization::INFO,
    linear::INFO,
    merge_attention::INFO,
    mul::INFO,
    quantize::INFO,
    rms_normalization::INFO,
    rotary_angles::INFO,
    rotary_embedding::INFO,
    scale::INFO,
    select_experts::INFO,
    short_convolution::INFO,
    soft_cap::INFO,
    state_write::INFO,
    swiglu::INFO,
    take_rows::INFO,
];

#[cfg(test)]
mod tests {
    use super::*;
    use sidestage_ir::{Dim, Operator, ValueType};
    use sidestage_tensor::DType;

    fn every() -> Vec<Box<dyn Operator>> {
        let (head_dim, style) = (8, RopeStyle::Norm);
        let (heads, kv_heads, scale, softcap) = (4, 2, 1.0, None);
        let (dtype, parts) = (DType::F16, AttentionParts { room: 8, window: None });
        vec![
            Box::new(Add),
            Box::new(Attention { heads, kv_heads, head_dim, dtype, scale, softcap, parts }),
            Box::new(CombineExperts),
            Box::new(ExpertLinear),
            Box::new(Gather),
            Box::new(GeGlu),
            Box::new(Gelu::Exact),
            Box::new(KvWrite { head_dim, dtype }),
            Box::new(LayerNormalization { group: 32, epsilon: 1e-5 }),
            Box::new(Linear { outputs: None }),
            Box::new(MergeAttention { heads, head_dim, parts }),
            Box::new(Mul),
            Box::new(Quantize),
            Box::new(RmsNormalization { epsilon: 1e-5 }),
            Box::new(RotaryAngles { frequencies: vec![1.0; 4], magnitude: 1.0 }),
            Box::new(RotaryEmbedding { head_dim, style }),
            Box::new(Scale { factor: 2.0 }),
            Box::new(SelectExperts { used: 2, normalized: true }),
            Box::new(ShortConvolution),
            Box::new(SoftCap { cap: 30.0 }),
            Box::new(StateWrite),
            Box::new(SwiGlu),
            Box::new(TakeRows),
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
        for op in every() {
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

    #[test]
    fn a_part_of_a_layer_lies_inside_it() {
        let x = ValueType::fixed(DType::F32, &[3, 32]);
        let weight = ValueType::fixed(DType::F32, &[8, 32]);
        let part = |outputs| Linear { outputs: Some(outputs) }.infer(&[&x, &weight]);
        assert_eq!(part(2..7), Ok(vec![ValueType::fixed(DType::F32, &[3, 5])]));
        assert_eq!(part(0..8), Linear { outputs: None }.infer(&[&x, &weight]));
        assert!(part(2..9).is_err() && part(3..3).is_err());
    }
}
