#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Unary as Function;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Unary", summary: "a function of each element: Relu, Exp, Not, …" };

/// A function of each element of a tensor of any shape.
#[derive(Debug)]
pub struct Unary {
    /// The function.
    pub function: Function,
}

impl Operator for Unary {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let dtype = self.function.result(x.dtype);
        let dtype = dtype.ok_or_else(|| format!("is not defined for {}", x.dtype))?;
        Ok(vec![ValueType::new(dtype, x.dims.clone())])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(Self { function: self.function }))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 8 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let span = |size: usize| units.start * size..units.end * size;
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(span(out.dtype.block_bytes())) };
        self.function.run(x.dtype, &x.bytes[span(x.dtype.block_bytes())], cells);
    }
}
