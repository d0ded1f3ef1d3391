//! Weights of 2, 4 and 8 bits in blocks, each with a scale: they become those of the language models,
//! and are multiplied by their linear layer.

use super::{CallInfo, Two, axis, cast, row, scalar, size, two};
use crate::{Binary, Gather, Linear, PackBlocks, Quantize, Take, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// A matrix in blocks.
struct Blocks {
    /// `[rows, bytes]`.
    q: Traced,
    /// `[rows, blocks]`.
    scales: Traced,
    /// As `q`, or as the scales.
    zeros: Option<Traced>,
    /// Without `to`.
    pack: PackBlocks,
}

impl Blocks {
    /// The type that holds its values: exactly, but for scales, which become halves.
    fn dtype(&self) -> DType {
        let PackBlocks { bits, block, signed, width, zero, .. } = self.pack;
        let fits = block % 32 == 0 && width % 32 == 0;
        let (Some(scales), true, true) = (self.scales.known(), self.q.known().is_some(), fits)
        else {
            return DType::F32;
        };
        let half = |scale: &f32| scale.is_finite() && scale.abs() < 65504.0 / 256.0;
        if !scales.elements::<f32>().iter().all(half) {
            return DType::F32;
        }
        // The largest and least value that is stored, and each zero.
        let bits = self.nibbles().unwrap_or(bits);
        let (least, most) =
            if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
        let zeros: Option<Vec<f32>> = match &self.zeros {
            None => Some(vec![zero]),
            Some(zeros) if zeros.dtype() == DType::F32 => {
                zeros.known().map(|known| known.elements::<f32>().to_vec())
            }
            Some(zeros) => zeros.known().map(|known| {
                let per_byte = 8 / self.pack.bits;
                let mask = 0xff >> (8 - self.pack.bits);
                let value = |byte: u8, at: usize| {
                    let byte = byte >> (at * self.pack.bits);
                    if signed { f32::from(byte as i8) } else { f32::from(byte & mask) }
                };
                let bytes = known.bytes().iter();
                bytes.flat_map(|byte| (0..per_byte).map(move |at| value(*byte, at))).collect()
            }),
        };
        let Some(zeros) = zeros else { return DType::F32 };
        let within = |low: i32, high: i32| {
            let fits = |zero: &f32| {
                zero.fract() == 0.0
                    && f64::from(least) - f64::from(*zero) >= f64::from(low)
                    && f64::from(most) - f64::from(*zero) <= f64::from(high)
            };
            zeros.iter().all(fits)
        };
        match bits {
            2 | 4 if within(-8, 7) => DType::Q4_0,
            2 | 4 => DType::Q4_1,
            _ if within(-128, 127) => DType::Q8_0,
            _ => DType::F32,
        }
    }

    /// The bits of values that have a byte each.
    fn nibbles(&self) -> Option<usize> {
        match self.q.dtype() {
            DType::I4 | DType::U4 => Some(4),
            DType::I2 | DType::U2 => Some(2),
            _ => None,
        }
    }

    /// The matrix as the linear layer reads it.
    fn packed(mut self, scope: &mut Scope<'_, '_>) -> Result<Traced, Stop> {
        self.scales = cast(scope, &self.scales, DType::F32)?;
        if let Some(zeros) = &self.zeros
            && [DType::F16, DType::BF16].contains(&zeros.dtype())
        {
            self.zeros = Some(cast(scope, zeros, DType::F32)?);
        }
        self.pack.to = self.dtype();
        let operands: Vec<Traced> = [self.q, self.scales].into_iter().chain(self.zeros).collect();
        scope.apply(self.pack, &operands)
    }
}

/// `x[…, k] * transpose(weight[n, k]) + bias[n]`.
fn linear(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    weight: Traced,
    bias: Option<Traced>,
) -> Result<Traced, Stop> {
    let [n, k] = *weight.dims() else { return Err("a weight must be a matrix".into()) };
    let Some((&inner, outer)) = x.dims().split_last() else { return Err("x is a number".into()) };
    if inner != k || k == 0 {
        return Err(Stop::Refused(format!("x of {:?} for weights of {k}", x.dims())));
    }
    let wide = cast(scope, x, DType::F32)?;
    let mut rows = scope.view(&wide, &[outer.iter().product(), k])?;
    if weight.dtype().is_quantized() {
        rows = scope.apply(Quantize, &[rows])?;
    }
    let mut operands = vec![rows, weight];
    if let Some(bias) = bias {
        let bias = cast(scope, &bias, DType::F32)?;
        operands.push(scope.view(&bias, &[n])?);
    }
    let y = scope.apply(Linear::<false> { outputs: None }, &operands)?;
    let y = scope.view(&y, &[outer, &[n]].concat())?;
    cast(scope, &y, x.dtype())
}

/// The weight of `MatMulNBits`; its operands begin at `first`.
fn weight(scope: &mut Scope<'_, '_>, first: usize) -> Result<Traced, Stop> {
    let (q, scales) = (scope.tensor(first)?, scope.tensor(first + 1)?);
    let zeros = scope.optional_tensor(first + 2)?;
    let n = size(scope, "N").ok_or("N is missing")?;
    let width = size(scope, "K").ok_or("K is missing")?;
    let bits = size(scope, "bits").unwrap_or(4);
    let block = size(scope, "block_size").ok_or("block_size is missing")?;
    if ![2, 4, 8].contains(&bits) || scope.int("weight_prepacked").unwrap_or(0) != 0 {
        return Err(Stop::Refused(format!("weights of {bits} bits, or in another layout")));
    }
    // Those of a weight whose inputs keep their order say nothing new.
    let groups = scope.integers(first + 3)?.unwrap_or_default();
    if groups.iter().enumerate().any(|(at, group)| *group != (at / block) as i64) {
        return Err("g_idx that puts the inputs in another order is not supported".into());
    }
    let (blocks, per_byte) = (width.div_ceil(block), 8 / bits);
    let q = scope.view(&q, &[n, q.dims().iter().product::<usize>() / n])?;
    let scales = scope.view(&scales, &[n, blocks])?;
    let zeros = match zeros {
        None => None,
        Some(zeros) => {
            let bytes = if zeros.dtype() == DType::U8 { blocks.div_ceil(per_byte) } else { blocks };
            Some(scope.view(&zeros, &[n, bytes])?)
        }
    };
    let zero = (1 << (bits - 1)) as f32;
    let pack = PackBlocks { bits, block, signed: false, width, zero, to: DType::F32 };
    Blocks { q, scales, zeros, pack }.packed(scope)
}

fn matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, bias) = (scope.tensor(0)?, scope.optional_tensor(5)?);
    let weight = weight(scope, 1)?;
    let y = linear(scope, &x, weight, bias)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `MatMulNBits` in two: the weight, of operands that are known,
pub(in crate::calls) fn weight_alone(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let weight = weight(scope, 0)?;
    scope.give_tensor(0, weight);
    Ok(())
}

/// and the product.
pub(in crate::calls) fn linear_alone(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight, bias) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let y = linear(scope, &x, weight, bias)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Rows of a matrix in blocks.
fn gather(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (q, indices, scales) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let zeros = scope.optional_tensor(3)?;
    let block = size(scope, "block_size").unwrap_or(128);
    let [rows, ..] = *q.dims() else { return Err("the data has no dimensions".into()) };
    let inner: usize = q.dims()[1..].iter().product();
    let along = axis(scope.int("quantize_axis").unwrap_or(1), q.dims().len())?;
    if axis(scope.int("gather_axis").unwrap_or(0), q.dims().len())? != 0
        || along + 1 != q.dims().len()
        || q.dims().len() != 2
    {
        return Err("only rows of a matrix in blocks along its rows can be taken".into());
    }
    let bits = match q.dtype() {
        DType::U8 => size(scope, "bits").unwrap_or(4),
        // A byte each.
        _ => 8,
    };
    if ![2, 4, 8].contains(&bits) {
        return Err(Stop::Refused(format!("values of {bits} bits")));
    }
    let signed = matches!(q.dtype(), DType::I4 | DType::I2 | DType::I8);
    let zero = if q.dtype() == DType::U8 { (1 << (bits - 1)) as f32 } else { 0.0 };
    let width = inner * (8 / bits);
    let dtype = scales.dtype();
    let pack = PackBlocks { bits, block, signed, width, zero, to: DType::F32 };
    let table = Blocks { q, scales, zeros, pack }.packed(scope)?;
    let dims = [indices.dims(), &[width]].concat();
    let y = if table.dtype() == DType::F32 {
        scope.apply(Take { axis: 0 }, &[table, indices])?
    } else {
        let count = indices.dims().iter().product();
        let list = cast(scope, &indices, DType::I32)?;
        let list = scope.view(&list, &[count])?;
        // Those below 0 count from the end.
        let (end, zero) =
            (scalar(scope, DType::I32, rows as f64)?, scalar(scope, DType::I32, 0.0)?);
        let moved = two(scope, Two::Add, &list, &end)?;
        let below = scope.apply(Binary { function: Two::Less }, &[list.clone(), zero])?;
        let list = scope.apply(Where, &[below, moved, list])?;
        scope.apply(Gather::<false>, &[list, table])?
    };
    let y = scope.view(&y, &dims)?;
    let y = cast(scope, &y, dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[
    row("com.microsoft::GatherBlockQuantized", gather),
    row("com.microsoft::MatMulNBits", matmul),
];
