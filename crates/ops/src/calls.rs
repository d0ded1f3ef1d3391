//! What models call: for each operator of ONNX the lowering to operators that run, a file each, or a
//! file for a family whose members differ by a function.
//!
//! A lowering sees the call with what is known of its operands ([`Scope`]) and applies operators.
//! Those of TensorFlow's graphs are in [`tensorflow`], those of TFLite in [`tflite`].

mod arg;
mod arrange;
mod attention;
mod cached;
mod cast;
mod compress;
mod concat;
mod constant;
mod control;
mod conv;
mod conv_transpose;
mod cumulative;
mod einsum;
mod elementwise;
mod gather;
mod index;
mod linear_attention;
mod loss;
mod mask;
mod matmul;
mod microsoft;
mod ml;
mod normalization;
mod pad;
mod pool;
mod qdq;
mod qlinear_conv;
mod quantize;
mod random;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod rotary;
mod sample;
mod scan;
mod scatter;
mod sequence;
mod shape;
mod signal;
mod softmax;
mod split;
mod strided;
mod suppress;
mod tensorflow;
mod tflite;
mod unique;

pub use arrange::arrange;
use sidestage_ir::{Call, Lower, Scope, Stop, Traced};
use std::cmp::Ordering;

/// A row of the table of calls.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo {
    /// The operator's name, after its domain if that is not ONNX's.
    pub op: &'static str,
    /// How it is lowered.
    pub lower: Lower,
}

const fn row(op: &'static str, lower: Lower) -> CallInfo {
    CallInfo { op, lower }
}

/// All of them.
pub const CALLS: &[&[CallInfo]] = &[
    cast::CALLS,
    sequence::CALLS,
    scatter::CALLS,
    resize::CALLS,
    rotary::CALLS,
    sample::CALLS,
    quantize::CALLS,
    pad::CALLS,
    mask::CALLS,
    loss::CALLS,
    index::CALLS,
    einsum::CALLS,
    cumulative::CALLS,
    compress::CALLS,
    attention::CALLS,
    arg::CALLS,
    concat::CALLS,
    constant::CALLS,
    control::CALLS,
    conv::CALLS,
    conv_transpose::CALLS,
    elementwise::CALLS,
    gather::CALLS,
    linear_attention::CALLS,
    matmul::CALLS,
    microsoft::activation::CALLS,
    microsoft::attention::CALLS,
    microsoft::blocks::CALLS,
    microsoft::embed::CALLS,
    microsoft::fused::CALLS,
    microsoft::group_query::CALLS,
    microsoft::multi_head::CALLS,
    microsoft::norm::CALLS,
    microsoft::qlinear::CALLS,
    microsoft::quantized::CALLS,
    microsoft::rotary::CALLS,
    ml::CALLS,
    normalization::CALLS,
    pool::CALLS,
    random::CALLS,
    recurrent::CALLS,
    reduce::CALLS,
    reshape::CALLS,
    scan::CALLS,
    shape::CALLS,
    signal::CALLS,
    softmax::CALLS,
    split::CALLS,
    strided::CALLS,
    suppress::CALLS,
    tflite::control::CALLS,
    tflite::conv::CALLS,
    tflite::dense::CALLS,
    tflite::detect::CALLS,
    tflite::elementwise::CALLS,
    tflite::gather::CALLS,
    tflite::indices::CALLS,
    tflite::layout::CALLS,
    tflite::pad::CALLS,
    tflite::pool::CALLS,
    tflite::quantize::CALLS,
    tflite::recurrent::CALLS,
    tflite::reduce::CALLS,
    tflite::resize::CALLS,
    tflite::shape::CALLS,
    tflite::slice::CALLS,
    tflite::softmax::CALLS,
    unique::CALLS,
];

/// Every operator that a model may call.
pub fn callable() -> impl Iterator<Item = &'static CallInfo> {
    CALLS.iter().chain(tensorflow::CALLS).copied().flatten()
}

/// The lowering of a call; `None`: the operator is not supported.
pub fn lowering(call: &Call) -> Option<Lower> {
    callable().find(|row| row.op == call.op).map(|row| row.lower)
}

/// The same in a decoder, whose calls may also be those that know the KV cache: `sidestage::…`. Only a
/// model that was made for it may be lowered so, not one as a file has it.
pub fn decoder_lowering(call: &Call) -> Option<Lower> {
    let own = cached::CALLS.iter().find(|row| row.op == call.op).map(|row| row.lower);
    own.or_else(|| lowering(call))
}

/// Sorts places; equal ones stay as they are. One sort for all lowerings: each of its own is 7 KB.
fn sort(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|&a, &b| compare(a, b));
}

/// An axis, counted from the end if it is below 0.
fn axis(axis: i64, rank: usize) -> Result<usize, Stop> {
    let found = if axis < 0 { axis + rank as i64 } else { axis };
    let found = usize::try_from(found).ok().filter(|found| *found < rank);
    found.ok_or_else(|| Stop::Refused(format!("axis {axis} of {rank} dimensions")))
}

/// Several axes.
fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Stop> {
    let mut found = list.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    let all = found.len();
    found.dedup();
    if found.len() < all {
        return Err(Stop::Refused(format!("axes {list:?} name one twice")));
    }
    Ok(found)
}

/// Elements from one to the next along each dimension of a dense tensor.
fn steps(dims: &[usize]) -> Vec<isize> {
    let mut steps = vec![1_isize; dims.len()];
    for axis in (1..dims.len()).rev() {
        steps[axis - 1] = steps[axis] * dims[axis] as isize;
    }
    steps
}

/// A tensor with its axes in another order.
fn transpose(scope: &mut Scope<'_, '_>, x: &Traced, order: &[usize]) -> Result<Traced, Stop> {
    if x.order() == Some(order) {
        return scope.in_order(x, order, transpose);
    }
    let dims: Vec<usize> = order.iter().map(|&axis| x.dims()[axis]).collect();
    // Where no axis longer than one moves, the elements stay where they are.
    let moved: Vec<usize> = order.iter().copied().filter(|&axis| x.dims()[axis] != 1).collect();
    if moved.is_sorted() {
        return scope.view(x, &dims);
    }
    let all = steps(x.dims());
    let steps = order.iter().map(|&axis| all[axis]).collect();
    let copy = crate::StridedCopy { dims, start: 0, steps };
    scope.apply(copy, std::slice::from_ref(x))
}

/// A tensor as a larger one to which it is broadcast.
fn expand(scope: &mut Scope<'_, '_>, x: &Traced, dims: &[usize]) -> Result<Traced, Stop> {
    if x.dims() == dims {
        return Ok(x.clone());
    }
    let missing = dims.len().checked_sub(x.dims().len());
    let missing = missing.ok_or("more dimensions than the result has")?;
    let mut all = vec![0; dims.len()];
    for (axis, step) in steps(x.dims()).into_iter().enumerate() {
        match x.dims()[axis] {
            dim if dim == dims[missing + axis] => all[missing + axis] = step,
            1 => {}
            _ => {
                return Err(Stop::Refused(format!(
                    "{:?} cannot be broadcast to {dims:?}",
                    x.dims()
                )));
            }
        }
    }
    let copy = crate::StridedCopy { dims: dims.to_vec(), start: 0, steps: all };
    scope.apply(copy, std::slice::from_ref(x))
}

/// A tensor of another type.
fn cast(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    to: sidestage_tensor::DType,
) -> Result<Traced, Stop> {
    if x.dtype() == to {
        return Ok(x.clone());
    }
    scope.apply(crate::Cast { to }, std::slice::from_ref(x))
}

/// A number of one element, of some type.
fn scalar(
    scope: &Scope<'_, '_>,
    dtype: sidestage_tensor::DType,
    value: f64,
) -> Result<Traced, Stop> {
    use sidestage_kernels::{Wide, cast};
    use sidestage_tensor::{DType, Tensor};
    let (mut wide, mut bytes) = ([0; 8], vec![0; dtype.block_bytes()]);
    f64::store(DType::F64).ok_or("")?(&mut wide, 0, value);
    cast(DType::F64, &wide, dtype, &mut bytes);
    let tensor = Tensor::new(dtype, &[], &bytes).map_err(|_| "no memory")?;
    Ok(scope.constant(tensor))
}
