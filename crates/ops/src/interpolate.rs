#![allow(unsafe_code, reason = "each thread writes the slices it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;
use std::sync::Arc;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Interpolate", summary: "slices along an axis mixed of those of the operand" };

/// Slices along an axis of `x` in `f32`, each the sum of some of `x`, multiplied by their weights.
#[derive(Clone, Debug)]
pub struct Interpolate {
    /// The axis.
    pub axis: usize,
    /// For each slice of the result those of `x` that it is made of, and their weights.
    pub taps: Arc<[Taps]>,
}

/// Slices and their weights, in order.
pub(crate) type Taps = Vec<(usize, f32)>;

impl Operator for Interpolate {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        let mut dims = rules::dims("x", x)?;
        let Some(dim) = dims.get_mut(self.axis) else {
            return Err(format!("axis {} of {dims:?}", self.axis));
        };
        if self.taps.iter().flatten().any(|(at, _)| at >= dim) {
            return Err(format!("more than the {dim} slices that there are"));
        }
        *dim = self.taps.len();
        Ok(vec![ValueType::fixed(DType::F32, &dims)])
    }

    fn permuted(&self, axes: &[usize]) -> Option<Box<dyn Operator>> {
        let axis = axes.iter().position(|axis| *axis == self.axis)?;
        Some(Box::new(Self { axis, ..self.clone() }))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (outer, inner) = args.outputs[0].extents.dims().split_at(self.axis + 1);
        let taps = self.taps.iter().map(Vec::len).sum::<usize>().div_ceil(self.taps.len().max(1));
        let cost = taps.saturating_mul(inner.iter().product()).saturating_add(8);
        Work { units: outer.iter().product(), grain: 1, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0].cells::<f32>());
        let (outer, inner) = x.extents.dims().split_at(self.axis + 1);
        let inner = inner.iter().product::<usize>();
        // SAFETY: units are whole slices, and no two threads have the same.
        let out = unsafe { out.part(units.start * inner..units.end * inner) };
        sidestage_kernels::interpolate(x.f32s(), outer[self.axis], &self.taps, units, out);
    }
}
