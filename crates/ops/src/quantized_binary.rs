#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Multiplier, Strides, Wide};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QuantizedBinary",
    summary: "sums, differences and products of 16 bits with scales, broadcast",
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

/// A function of two integers of 16 bits with scales, by integers only, step by step as LiteRT's
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

impl Operator for QuantizedBinary {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [a, b] = rules::operands(inputs)?;
        rules::dtype("a", a, DType::I16)?;
        rules::dtype("b", b, DType::I16)?;
        let dims = rules::broadcast(&rules::dims("a", a)?, &rules::dims("b", b)?)?;
        Ok(vec![ValueType::fixed(a.dtype, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let operands = [a.extents.dims(), b.extents.dims()];
        let strides = Strides::broadcast(out.extents.dims(), operands);
        let (size, first) = (out.dtype.block_bytes(), units.start);
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        let load = |bytes: &[u8], at: usize| {
            i64::load(DType::I16).map_or(0, |load| load(bytes, at)) as i32
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
