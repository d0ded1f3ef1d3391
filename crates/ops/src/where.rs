#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Strides;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Where",
    summary: "of two tensors, element by element, the one that a third says",
};

/// `condition ? x : y`, broadcast.
#[derive(Debug)]
pub struct Where;

impl Operator for Where {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [condition, x, y] = rules::operands(inputs)?;
        rules::dtype("the condition", condition, DType::Bool)?;
        rules::dtype("y", y, x.dtype)?;
        if !x.dtype.is_plain() {
            return Err(format!("is not defined for {}", x.dtype));
        }
        let dims = rules::broadcast(&rules::dims("x", x)?, &rules::dims("y", y)?)?;
        let dims = rules::broadcast(&rules::dims("the condition", condition)?, &dims)?;
        Ok(vec![ValueType::fixed(x.dtype, &dims)])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(Self))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let out = args.outputs[0];
        let all = [args.tensor(0), args.tensor(1), args.tensor(2)];
        let [condition, x, y] = all.map(|operand| operand.bytes);
        let dims = all.each_ref().map(|operand| operand.extents.dims());
        let strides = Strides::broadcast(out.extents.dims(), dims);
        let (size, first) = (out.dtype.block_bytes(), units.start);
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        strides.rows(units, |at, [c, a, b], count, [k, i, j]| {
            let cells = cells[(at - first) * size..][..count * size].chunks_exact_mut(size);
            for (n, cell) in cells.enumerate() {
                let (from, at) = match condition[c + n * k as usize] {
                    0 => (y, b + n * j as usize),
                    _ => (x, a + n * i as usize),
                };
                cell.copy_from_slice(&from[at * size..][..size]);
            }
        });
    }
}
