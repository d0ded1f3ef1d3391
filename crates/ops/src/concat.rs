#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "Concat", summary: "tensors one behind the other" };

/// Tensors behind each other along an axis; their other dimensions are the same.
#[derive(Debug)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let first = inputs.first().ok_or("takes at least one operand")?;
        let mut dims = rules::dims("operand 0", first)?;
        if self.axis >= dims.len() || !first.dtype.is_plain() {
            return Err(format!("axis {} of {:?} {}", self.axis, dims, first.dtype));
        }
        for (index, ty) in inputs.iter().enumerate().skip(1) {
            let what = format!("operand {index}");
            rules::dtype(&what, ty, first.dtype)?;
            let mut other = rules::dims(&what, ty)?;
            rules::rank(&what, ty, dims.len())?;
            let sum = dims[self.axis].checked_add(other[self.axis]);
            other[self.axis] = dims[self.axis];
            if other != dims {
                return Err(format!("{what} has other dimensions than the first"));
            }
            dims[self.axis] = sum.ok_or("the result is too large")?;
        }
        Ok(vec![ValueType::fixed(first.dtype, &dims)])
    }

    fn permuted(&self, axes: &[usize]) -> Option<Box<dyn Operator>> {
        let axis = axes.iter().position(|axis| *axis == self.axis)?;
        Some(Box::new(Self { axis }))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (outer, inner) = args.outputs[0].extents.dims().split_at(self.axis);
        Work { units: outer.iter().product(), grain: 1, cost: inner.iter().product() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let out = args.outputs[0];
        let row = |dims: &[usize]| dims[self.axis..].iter().product::<usize>();
        let size = out.dtype.block_bytes();
        let width = row(out.extents.dims()) * size;
        for unit in units {
            // SAFETY: units are whole rows, and no two threads have the same.
            let mut rest = unsafe { out.bytes.part(unit * width..(unit + 1) * width) };
            for index in 0..args.inputs.len() {
                let x = args.tensor(index);
                let part = row(x.extents.dims()) * size;
                let (to, behind) = rest.split_at_mut(part);
                to.copy_from_slice(&x.bytes[unit * part..(unit + 1) * part]);
                rest = behind;
            }
        }
    }
}
