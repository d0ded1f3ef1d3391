#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Arithmetic, BinaryInt8, Requantize, Strides, binary_int8};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QLinearBinary",
    summary: "sums, differences and products of bytes with scales, broadcast",
};

/// A function of two bytes with scales, of one type, as that of the numbers that they are (ONNX
/// Runtime, "QLinearAdd" and "QLinearMul").
#[derive(Clone, Debug)]
pub struct QLinearBinary {
    /// The function.
    pub function: Arithmetic,
    /// What one more means in each operand, and what stands for 0 there.
    pub operands: [(f32, i32); 2],
    /// What one more means in the result.
    pub scale: f32,
    /// What becomes of numbers in the result's unit.
    pub to: Requantize,
}

impl Operator for QLinearBinary {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [a, b] = rules::operands(inputs)?;
        rules::dtype("b", b, a.dtype)?;
        let zeros = match a.dtype {
            DType::I8 => -128..128,
            DType::U8 => 0..256,
            other => return Err(format!("is not defined for {other}")),
        };
        if !self.operands.iter().all(|(_, zero)| zeros.contains(zero)) {
            return Err(format!("a zero that is no {}", a.dtype));
        }
        if self.to.signed() != (a.dtype == DType::I8) {
            return Err(format!("results of another type than {}", a.dtype));
        }
        let dims = rules::broadcast(&rules::dims("a", a)?, &rules::dims("b", b)?)?;
        Ok(vec![ValueType::fixed(a.dtype, &dims)])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(self.clone()))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 2 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let operands = [a.extents.dims(), b.extents.dims()];
        let strides = Strides::broadcast(out.extents.dims(), operands);
        let kernel = BinaryInt8 {
            function: self.function,
            operands: self.operands,
            scale: self.scale,
            results: &self.to,
        };
        let first = units.start;
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.clone()) };
        strides.rows(units, |at, from, count, by| {
            // Operands lie as their dimensions say: in a row their elements are side by side, or one.
            let row = |side: usize| from[side]..from[side] + if by[side] == 0 { 1 } else { count };
            let operands = [&a.bytes[row(0)], &b.bytes[row(1)]];
            binary_int8(&kernel, operands, &mut cells[at - first..][..count]);
        });
    }
}
