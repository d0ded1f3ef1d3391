use crate::{OpInfo, rules};
use bytemuck::bytes_of;
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::GROUP;
use sidestage_tensor::DType;
use sidestage_tensor::blocks::{BlockQ4_0, BlockQ4_1, BlockQ8_0, F16};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "PackBlocks", summary: "weights of few bits, as the linear layer reads them" };

/// Values of a block of the types that it packs to.
const LEN: usize = 32;

/// Weights `(q - zero) * scale` of a few bits, of which each block along a row has a scale, as a weight
/// of another type, arranged ([`sidestage_kernels::arrange`]).
///
/// Operands: `q[rows, bytes]`, the first value of a byte in its lowest bits; `scales[rows, blocks]` in
/// `f32`; perhaps the zeros, as `q` or in `f32`.
#[derive(Clone, Debug)]
pub struct PackBlocks {
    /// Bits of one value: 2, 4 or 8.
    pub bits: usize,
    /// Values of one block.
    pub block: usize,
    /// Whether the values have a sign: then they have 8 bits.
    pub signed: bool,
    /// Values of one row; those of its last block that are more are not read.
    pub width: usize,
    /// What is taken from each value, if there are no zeros.
    pub zero: f32,
    /// To this type: `Q4_0`, `Q4_1`, `Q8_0` or `F32`.
    pub to: DType,
}

impl PackBlocks {
    fn blocks(&self) -> usize {
        self.width.div_ceil(self.block.max(1))
    }

    /// The n-th value of a row.
    fn value(&self, row: &[u8], at: usize) -> i32 {
        let per_byte = 8 / self.bits;
        let byte = row[at / per_byte] >> (at % per_byte * self.bits);
        if self.signed { (byte as i8).into() } else { (byte & (0xff >> (8 - self.bits))).into() }
    }

    /// Packs one row.
    fn row(&self, q: &[u8], scales: &[f32], zero: &dyn Fn(usize) -> f32, out: &mut [u8]) {
        let whole = |at: usize, zero: f32, from: i32| self.value(q, at) - zero as i32 + from;
        if self.to == DType::F32 {
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            for (at, out) in out.iter_mut().enumerate() {
                let block = at / self.block;
                *out = (self.value(q, at) as f32 - zero(block)) * scales[block];
            }
            return;
        }
        for (at, out) in out.chunks_exact_mut(self.to.block_bytes()).enumerate() {
            let (first, block) = (at * LEN, at * LEN / self.block);
            let (scale, zero) = (scales[block], zero(block));
            let d = F16::from_f32(scale);
            // Nibbles: the second half of a block lies in the high ones.
            let nibbles = |value: &dyn Fn(usize) -> i32| -> [u8; LEN / 2] {
                let nibble = |at: usize| value(first + at).clamp(0, 15) as u8;
                std::array::from_fn(|i| nibble(i) | nibble(i + LEN / 2) << 4)
            };
            match self.to {
                DType::Q4_0 => {
                    let qs = nibbles(&|at| whole(at, zero, 8));
                    out.copy_from_slice(bytes_of(&BlockQ4_0 { d, qs }));
                }
                DType::Q4_1 => {
                    let from = if self.signed { 8 } else { 0 };
                    let m = F16::from_f32(-(zero + from as f32) * scale);
                    let qs = nibbles(&|at| whole(at, 0.0, from));
                    out.copy_from_slice(bytes_of(&BlockQ4_1 { d, m, qs }));
                }
                _ => {
                    let value = |i: usize| whole(first + i, zero, 0).clamp(-128, 127) as i8;
                    let qs = std::array::from_fn(value);
                    out.copy_from_slice(bytes_of(&BlockQ8_0 { d, qs }));
                }
            }
        }
    }
}

impl Operator for PackBlocks {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (q, scales, zeros) = match *inputs {
            [q, scales] => (q, scales, None),
            [q, scales, zeros] => (q, scales, Some(zeros)),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        if ![2, 4, 8].contains(&self.bits) || self.block == 0 || self.signed && self.bits != 8 {
            return Err(format!("values of {} bits in blocks of {}", self.bits, self.block));
        }
        let packed = [DType::Q4_0, DType::Q4_1, DType::Q8_0].contains(&self.to);
        if self.to != DType::F32 && !packed {
            return Err(format!("cannot pack to {}", self.to));
        }
        if packed && !(self.block.is_multiple_of(LEN) && self.width.is_multiple_of(LEN)) {
            return Err(format!("rows of {} in blocks of {}", self.width, self.block));
        }
        let bytes = |what: &str, ty: &ValueType, most: usize| {
            if ty.dtype.is_quantized() || ty.dtype.block_bytes() != 1 {
                return Err(format!("{what} must be bytes, not {}", ty.dtype));
            }
            match rules::dims(what, ty)?.as_slice() {
                [rows, width] if width.saturating_mul(8 / self.bits) >= most => Ok(*rows),
                dims => Err(format!("{what} of {dims:?} for {most} values a row")),
            }
        };
        let rows = bytes("q", q, self.width)?;
        let expected = ValueType::fixed(DType::F32, &[rows, self.blocks()]);
        if *scales != expected {
            return Err(format!("scales must be one for each of {} blocks", self.blocks()));
        }
        if let Some(zeros) = zeros
            && *zeros != expected
        {
            rules::equal("the zeros' rows", bytes("zeros", zeros, self.blocks())?, rows)?;
        }
        Ok(vec![ValueType::fixed(self.to, &[rows, self.width])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let out = args.outputs[0].extents;
        // A group of rows lies together.
        Work { units: out.rows().div_ceil(GROUP), grain: 1, cost: 4 * GROUP * out.inner() }
    }

    #[allow(unsafe_code, reason = "each thread writes the groups of rows it was given")]
    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (q, scales, out) = (args.tensor(0), args.tensor(1).f32s(), args.outputs[0]);
        let (rows, blocks) = (out.extents.rows(), self.blocks());
        let row_bytes = self.width / self.to.block_len() * self.to.block_bytes();
        let zeros = (args.inputs.len() > 2).then(|| args.tensor(2));
        for unit in units {
            let group = unit * GROUP..rows.min((unit + 1) * GROUP);
            let span = group.start * row_bytes..group.end * row_bytes;
            // SAFETY: units are groups of rows, and no two threads have the same.
            let cells = unsafe { out.bytes.part(span) };
            for (row, out) in group.clone().zip(cells.chunks_exact_mut(row_bytes.max(1))) {
                let zero = |block: usize| match &zeros {
                    None => self.zero,
                    Some(zeros) if zeros.dtype == DType::F32 => zeros.f32s()[row * blocks + block],
                    Some(zeros) => {
                        let width = zeros.extents.inner();
                        self.value(&zeros.bytes[row * width..(row + 1) * width], block) as f32
                    }
                };
                let width = q.extents.inner();
                let q = &q.bytes[row * width..(row + 1) * width];
                self.row(q, &scales[row * blocks..(row + 1) * blocks], &zero, out);
            }
            if group.len() == GROUP {
                sidestage_kernels::arrange(self.to, (GROUP, self.width), cells);
            }
        }
    }
}
