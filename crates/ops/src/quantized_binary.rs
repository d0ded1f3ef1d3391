#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Multiplier, Requantize, Strides, Wide, requantize};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QuantizedBinary",
    summary: "sums, differences and products of integers with scales, broadcast",
};

/// What two integers become, without their zeros.
#[derive(Clone, Copy, Debug)]
pub enum QuantizedFunction {
    /// `a + b` or `a - b`, in units that both are multiplied to.
    Sum {
        /// Bits by which both are made larger before.
        left: u32,
        /// To the common unit.
        each: [Multiplier; 2],
        /// Whether b is subtracted.
        minus: bool,
    },
    /// `a * b`.
    Product,
}

/// A function of two integers of 8 or 16 bits with scales, by integers only, step by step as LiteRT's
/// reference kernels (`AddElementwise`, `MulElementwise`).
#[derive(Debug)]
pub struct QuantizedBinary {
    /// The function.
    pub function: QuantizedFunction,
    /// What stands for 0 in the operands.
    pub zeros: [i32; 2],
    /// From the function's unit to the result's.
    pub last: Multiplier,
    /// What stands for 0 in the result.
    pub zero: i32,
    /// The least and the most.
    pub limits: [i32; 2],
}

impl QuantizedBinary {
    fn of(&self, a: i32, b: i32) -> i32 {
        let (a, b) = (a.wrapping_sub(self.zeros[0]), b.wrapping_sub(self.zeros[1]));
        let raw = match self.function {
            QuantizedFunction::Product => a.wrapping_mul(b),
            QuantizedFunction::Sum { left, each, minus } => {
                let a = each[0].of(a.wrapping_shl(left));
                let b = each[1].of(b.wrapping_shl(left));
                if minus { a.wrapping_sub(b) } else { a.wrapping_add(b) }
            }
        };
        self.last.of(raw).saturating_add(self.zero).max(self.limits[0]).min(self.limits[1])
    }
}

/// Results from which on a table is made of what each operand's bytes become: of 256 each.
const TABLES: usize = 1024;

/// Sums that become bytes at once.
const SUMS: usize = 512;

impl QuantizedBinary {
    /// What each byte of either operand becomes before the two come together.
    fn tables(&self, signed: bool) -> [[i32; 256]; 2] {
        [0, 1].map(|side| {
            std::array::from_fn(|byte| {
                let x = if signed { i32::from(byte as i8) } else { byte as i32 };
                let x = x.wrapping_sub(self.zeros[side]);
                match self.function {
                    QuantizedFunction::Product => x,
                    QuantizedFunction::Sum { left, each, minus } => {
                        let x = each[side].of(x.wrapping_shl(left));
                        if minus && side == 1 { x.wrapping_neg() } else { x }
                    }
                }
            })
        })
    }

    /// A row of results.
    fn bytes(
        &self,
        [a, b]: [&[u8]; 2],
        ([x, y], [i, j]): ([usize; 2], [usize; 2]),
        (tables, signed): (&[[i32; 256]; 2], bool),
        out: &mut [u8],
    ) {
        let to = Requantize::new(vec![self.last], self.zero, self.limits, signed);
        let product = matches!(self.function, QuantizedFunction::Product);
        let mut sums = [0; SUMS];
        for (part, out) in out.chunks_mut(SUMS).enumerate() {
            let sums = &mut sums[..out.len()];
            for (n, sum) in sums.iter_mut().enumerate() {
                let n = part * SUMS + n;
                let a = tables[0][usize::from(a[x + n * i])];
                let b = tables[1][usize::from(b[y + n * j])];
                *sum = if product { a.wrapping_mul(b) } else { a.wrapping_add(b) };
            }
            requantize(&to, sums, out);
        }
    }
}

impl Operator for QuantizedBinary {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [a, b] = rules::operands(inputs)?;
        rules::dtype("b", b, a.dtype)?;
        if !matches!(a.dtype, DType::I8 | DType::U8 | DType::I16) {
            return Err(format!("is not defined for {}", a.dtype));
        }
        let dims = rules::broadcast(&rules::dims("a", a)?, &rules::dims("b", b)?)?;
        Ok(vec![ValueType::fixed(a.dtype, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let grain = if args.outputs[0].dtype == DType::I16 { 64 } else { TABLES };
        Work { units: args.outputs[0].extents.elements(), grain, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let operands = [a.extents.dims(), b.extents.dims()];
        let strides = Strides::broadcast(out.extents.dims(), operands);
        let (size, first) = (out.dtype.block_bytes(), units.start);
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        if matches!(a.dtype, DType::I8 | DType::U8) && units.len() >= TABLES {
            let tables = self.tables(a.dtype == DType::I8);
            strides.rows(units, |at, from, count, by| {
                let out = &mut cells[at - first..][..count];
                let by = by.map(|by| by as usize);
                self.bytes([a.bytes, b.bytes], (from, by), (&tables, a.dtype == DType::I8), out);
            });
            return;
        }
        let load = |bytes: &[u8], at: usize| match a.dtype {
            DType::U8 => i32::from(bytes[at]),
            DType::I8 => i32::from(bytes[at].cast_signed()),
            _ => i64::load(DType::I16).map_or(0, |load| load(bytes, at)) as i32,
        };
        strides.rows(units, |at, [x, y], count, [i, j]| {
            for n in 0..count {
                let (x, y) = (x + n * i as usize, y + n * j as usize);
                let value = self.of(load(a.bytes, x), load(b.bytes, y)).to_le_bytes();
                let to = (at - first + n) * size;
                cells[to..to + size].copy_from_slice(&value[..size]);
            }
        });
    }
}
