//! The short convolution that some layers have in place of attention.

use super::{Builder, Places};
use crate::{LmError, PAGE};
use sidestage_ir::ValueId;
use sidestage_ops::{Mul, ShortConvolution, StateWrite};
use sidestage_tensor::DType;

impl Builder<'_> {
    /// `c * convolution(b * x)` of three products of the input. What is convolved is kept in pages
    /// like keys, so that forks and prefixes work as they do for attention.
    pub(super) fn convolution(
        &mut self,
        layer: usize,
        x: ValueId,
        taps: usize,
    ) -> Result<ValueId, LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let width = self.config.width;
        let weight = self.matrix(&name("shortconv.in_proj.weight"), 3 * width, width)?;
        let mut part = |at: usize| {
            let outputs = at * width..(at + 1) * width;
            self.product(&name("shortconv.in_proj"), x, (weight, 3 * width), Some(outputs))
        };
        let (b, c, x) = (part(0)?, part(1)?, part(2)?);
        let gated = self.apply(&name("shortconv.gated"), Mul, &[b, x])?;
        let state = self.graph.state(&name("shortconv.state"), DType::F32, &[PAGE, width]);
        let Places { slots, positions, sequences, tables, .. } = self.places;
        self.graph.effect(&name("shortconv.write"), StateWrite, &[gated, slots, state])?;
        let tensor = name("shortconv.conv.weight");
        let shape = [width, taps];
        let weight = self.weight(&tensor, &shape, &shape, |dtype| dtype == DType::F32)?;
        let operands = [state, positions, sequences, tables, weight];
        let mixed = self.apply(&name("shortconv.conv"), ShortConvolution, &operands)?;
        let gated = self.apply(&name("shortconv.out"), Mul, &[c, mixed])?;
        self.linear(&name("shortconv.out_proj"), gated, width, width)
    }
}
