#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Binary as Function, Strides};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Binary",
    summary: "a function of two elements, broadcast: Add, Less, And, …",
};

/// A function of the elements of two tensors of one type, whose shapes are broadcast (ONNX,
/// "Multidirectional Broadcasting").
#[derive(Debug)]
pub struct Binary {
    /// The function.
    pub function: Function,
}

impl Operator for Binary {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [a, b] = rules::operands(inputs)?;
        rules::dtype("b", b, a.dtype)?;
        let dtype = self.function.result(a.dtype);
        let dtype = dtype.ok_or_else(|| format!("is not defined for {}", a.dtype))?;
        let dims = rules::broadcast(&rules::dims("a", a)?, &rules::dims("b", b)?)?;
        Ok(vec![ValueType::fixed(dtype, &dims)])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(Self { function: self.function }))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let operands = [a.extents.dims(), b.extents.dims()];
        let strides = Strides::broadcast(out.extents.dims(), operands);
        let size = out.dtype.block_bytes();
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        self.function.run(a.dtype, &strides, [a.bytes, b.bytes], units.start, cells);
    }
}
