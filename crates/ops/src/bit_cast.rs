#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::cmp::Ordering;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "BitCast", summary: "the same bits as elements of another type" };

/// The bits of a tensor as another type (ONNX 26). Of a smaller one there are several along a new last
/// dimension; of a larger one each is made of a whole last dimension.
#[derive(Debug)]
pub struct BitCast {
    /// That type.
    pub to: DType,
}

impl Operator for BitCast {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let (old, new) = (x.dtype.block_bytes(), self.to.block_bytes());
        let mut dims = x.dims.clone();
        let fits = match old.cmp(&new) {
            Ordering::Equal => true,
            Ordering::Greater => {
                dims.push(Dim::Fixed(old / new));
                true
            }
            Ordering::Less => dims.pop() == Some(Dim::Fixed(new / old)),
        };
        if !fits || !x.dtype.is_plain() || !self.to.is_plain() {
            return Err(format!("{} {:?} as {}", x.dtype, x.dims, self.to));
        }
        Ok(vec![ValueType::new(self.to, dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 2 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let size = out.dtype.block_bytes();
        let span = units.start * size..units.end * size;
        // SAFETY: no two threads have the same elements.
        unsafe { out.bytes.part(span.clone()) }.copy_from_slice(&x.bytes[span]);
    }
}
