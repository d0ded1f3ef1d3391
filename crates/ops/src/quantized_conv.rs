#![allow(unsafe_code, reason = "each thread writes the places it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Multiplier, Wide, Windows, dot_i16};
use sidestage_tensor::{DType, TensorRef};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QuantizedConv",
    summary: "convolution of integers with scales, channels innermost, in groups",
};

/// `x[n, h, w, c]` of integers of 8 or 16 bits, convolved with `weight[m, kh, kw, c / groups]` of `i16`
/// (whose zero is 0) and `bias[m]` of `i32` or `i64` (which may be missing), rounded to the result's
/// unit (LiteRT, "CONV_2D" and its kin: `ConvPerChannel`).
#[derive(Debug)]
pub struct QuantizedConv {
    /// Groups of channels that do not meet.
    pub groups: usize,
    /// How the windows lie, in the last two dimensions; over an operand between whose elements there
    /// are zeros, if it is spread.
    pub windows: Windows,
    /// From one element of the operand to the next where the windows lie: 1, or a transposed
    /// convolution's stride.
    pub spread: [usize; 2],
    /// What stands for 0 in `x`.
    pub x_zero: i32,
    /// From sums to the result's unit, for each channel or all.
    pub multipliers: Vec<Multiplier>,
    /// What stands for 0 in the result.
    pub zero: i32,
    /// The least and the most.
    pub limits: [i32; 2],
}

impl QuantizedConv {
    /// The elements of a window, group by group, without their zero.
    fn patch(&self, x: &[u8], load: fn(&[u8], usize) -> i16, at: [usize; 3], patch: &mut [i16]) {
        let [_, height, width] = self.windows.input;
        let [_, kernel_height, kernel_width] = self.windows.kernel;
        let taps = kernel_height * kernel_width;
        let per_group = patch.len() / self.groups / taps;
        let channels = per_group * self.groups;
        let place = |axis: usize, tap: usize, most: usize| {
            let at = at[axis] * self.windows.stride[axis] + tap * self.windows.dilation[axis];
            let at = at.checked_sub(self.windows.pad[axis])?;
            let spread = self.spread[axis - 1];
            (at.is_multiple_of(spread) && at / spread < most).then(|| at / spread)
        };
        for kh in 0..kernel_height {
            let h = place(1, kh, height);
            for kw in 0..kernel_width {
                let tap = kh * kernel_width + kw;
                let from = h.zip(place(2, kw, width));
                let from = from.map(|(h, w)| ((at[0] * height + h) * width + w) * channels);
                for group in 0..self.groups {
                    let to = &mut patch[(group * taps + tap) * per_group..][..per_group];
                    match from {
                        None => to.fill(0),
                        Some(from) => {
                            let first = from + group * per_group;
                            let zero = self.x_zero as i16;
                            for (to, at) in to.iter_mut().zip(first..) {
                                *to = load(x, at).wrapping_sub(zero);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Operator for QuantizedConv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weight, bias) = match *inputs {
            [x, weight] => (x, weight, None),
            [x, weight, bias] => (x, weight, Some(bias)),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        if !matches!(x.dtype, DType::I8 | DType::U8 | DType::I16) {
            return Err(format!("is not defined for {}", x.dtype));
        }
        rules::dtype("the weight", weight, DType::I16)?;
        let (x_dims, weight) = (rules::dims("x", x)?, rules::dims("the weight", weight)?);
        let (&[n, h, w, c], &[m, kh, kw, per_group]) = (&x_dims[..], &weight[..]) else {
            return Err(format!("x of {x_dims:?}, weights of {weight:?}"));
        };
        if [1, h, w] != self.windows.input || [1, kh, kw] != self.windows.kernel {
            return Err("the windows are those of other operands".into());
        }
        let whole = self.groups > 0 && m.is_multiple_of(self.groups);
        if !whole || per_group.checked_mul(self.groups) != Some(c) || self.spread.contains(&0) {
            return Err(format!("{c} channels, weights of {weight:?}, {} groups", self.groups));
        }
        if !matches!(self.multipliers.len(), 1) && self.multipliers.len() != m {
            return Err(format!("{} scales of {m} channels", self.multipliers.len()));
        }
        if let Some(bias) = bias {
            if !matches!(bias.dtype, DType::I32 | DType::I64) {
                return Err(format!("a bias of {}", bias.dtype));
            }
            rules::rank("the bias", bias, 1)?;
            rules::equal("the bias's length", rules::dims("the bias", bias)?[0], m)?;
        }
        let [_, height, width] = self.windows.output;
        Ok(vec![ValueType::fixed(x.dtype, &[n, height, width, m])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (weight, out) = (args.tensor(1).extents, args.outputs[0].extents);
        Work { units: out.rows(), grain: 1, cost: weight.elements() / 4 + 16 * out.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weight, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let load: fn(&[u8], usize) -> i16 = match x.dtype {
            DType::U8 => |bytes, at| i16::from(bytes[at]),
            DType::I8 => |bytes, at| i16::from(bytes[at].cast_signed()),
            _ => |bytes, at| i16::from_le_bytes(bytes.as_chunks().0[at]),
        };
        let bias = (args.inputs.len() > 2).then(|| args.tensor(2));
        let long = x.dtype == DType::I16 && bias.is_none_or(|bias| bias.dtype == DType::I64);
        let (m, size) = (out.extents.inner(), out.dtype.block_bytes());
        let weights: &[i16] = bytemuck::cast_slice(weight.bytes);
        let Some(window) = weights.len().checked_div(m).filter(|window| *window > 0) else {
            return self.empty(&out, bias, units);
        };
        let mut patch = vec![0_i16; window * self.groups];
        let per_group = m / self.groups;
        let [_, height, width] = self.windows.output;
        for unit in units {
            let at = [unit / width / height, unit / width % height, unit % width];
            self.patch(x.bytes, load, at, &mut patch);
            // SAFETY: units are whole places, and no two threads have the same.
            let cells = unsafe { out.bytes.part(unit * m * size..(unit + 1) * m * size) };
            for (channel, weights) in weights.chunks_exact(window).enumerate() {
                let patch = &patch[channel / per_group * window..][..window];
                let sum = dot_i16(patch, weights);
                let value = self.result(sum, bias, channel, long).to_le_bytes();
                cells[channel * size..][..size].copy_from_slice(&value[..size]);
            }
        }
    }
}

impl QuantizedConv {
    fn result(&self, sum: i64, bias: Option<TensorRef<'_>>, channel: usize, long: bool) -> i32 {
        let bias = bias.and_then(|bias| Some(i64::load(bias.dtype)?(bias.bytes, channel)));
        let sum = sum.wrapping_add(bias.unwrap_or(0));
        let multiplier = self.multipliers.get(channel).unwrap_or(&self.multipliers[0]);
        let y = if long { multiplier.of_long(sum) } else { multiplier.of(sum as i32) };
        y.saturating_add(self.zero).max(self.limits[0]).min(self.limits[1])
    }

    /// Windows of no elements.
    fn empty(
        &self,
        out: &sidestage_tensor::TensorOut<'_>,
        bias: Option<TensorRef<'_>>,
        units: Range<usize>,
    ) {
        let (m, size) = (out.extents.inner(), out.dtype.block_bytes());
        // SAFETY: units are whole places, and no two threads have the same.
        let cells = unsafe { out.bytes.part(units.start * m * size..units.end * m * size) };
        for (at, cell) in cells.chunks_exact_mut(size).enumerate() {
            cell.copy_from_slice(&self.result(0, bias, at % m, false).to_le_bytes()[..size]);
        }
    }
}
