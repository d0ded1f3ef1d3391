//! The inner loops, on plain slices. Nothing here knows of graphs, models or threads.
//!
//! Every kernel that is not a plain loop is written once, over a set of [`lanes`]: portable arrays
//! (the reference), SSE2, wasm `simd128`, and `simd128` with the relaxed instructions. A build has
//! one native set, chosen by target features, since wasm has no run-time dispatch; [`selftest`]
//! holds it against the reference on the very machine it runs on.
//!
//! A result depends neither on the number of threads, nor on the rows computed beside it, nor on
//! how columns are split: each output element has its own accumulator and adds in one order.

// Its macro for loops over a tile is attention's too.
#[macro_use]
mod linear;

mod activation;
mod attention;
mod conv;
mod convolution;
mod depthwise;
mod dequantize;
mod dft;
mod elementwise;
mod epilogue;
mod exp;
mod experts;
mod fixed;
mod gemm;
mod grid;
mod groups;
mod int8;
mod interpolate;
mod kv;
mod lanes;
mod matmul;
mod norm;
mod pool;
mod program;
mod quant;
mod quantize;
mod rope;
mod selftest;
mod softmax;
mod strided;
mod weights;
mod wide;
mod window;
mod winograd;

pub use activation::{Act8Row, Act8Rows, activation_dtype, quantize_act8};
pub use attention::{
    Attention, KV_CHUNK, Paged, Queries, attention, merge_attention, paged_attention, partial_len,
};
pub use conv::{Conv, conv};
pub use convolution::depthwise;
pub use depthwise::{Depthwise, depthwise_lines};
pub use dequantize::dequantize_row;
pub use dft::{Complex, Dft};
pub use elementwise::{add, gelu_erf, gelu_glu, gelu_tanh, mul, scale, softcap, swiglu};
pub use epilogue::{Activation, Epilogue};
pub use exp::exp;
pub use experts::{select_experts, weighted_sum};
pub use fixed::{Multiplier, dot_i16};
pub use gemm::{Gemm, PANEL, gemm, pack, pack_in_place, pack_taps, panels};
pub use groups::{GROUP, arrange, embed, embed_graphs, grouped_rows};
pub use int8::{
    Arithmetic, BinaryInt8, ConvInt8, DepthwiseInt8, GemmInt8, Halves, Int8, Int8Results,
    Requantize, binary_int8, conv_int8, depthwise_int8, dequantize_int8, gemm_int8,
    pack_depthwise_int8, pack_int8, packed_steps, quantize_int8, range_with_zero,
};
pub use interpolate::interpolate;
pub use kv::{KV_PAGE, KvKind, kv_elements, kv_write};
pub use lanes::LANES;
pub use linear::{Activations, Linear, LinearError, linear, linear_graphs};
pub use matmul::{matmul, matmul_wide};
pub use norm::{layer_norm, rms_norm};
pub use pool::{ImagePool, pool_windows};
pub use program::{Program, Source, Step};
pub use quantize::{quantize_row, quantizes};
pub use rope::{RopeStyle, rope, rope_angles};
pub use selftest::selftest;
pub use softmax::{largest, log_softmax, softmax, softmax_in_place, total_weight};
pub use strided::{Strides, copy_strided};
pub use weights::{WeightKernel, supports, supports_graphs, weight_kernel};
pub use wide::{Binary, Reduction, Unary, Wide, WideKind, cast, wide_kind};
pub use window::{Windows, fold_row};
pub use winograd::{WINOGRAD, Winograd, winograd, winograd_fits, winograd_tiles, winograd_weights};
