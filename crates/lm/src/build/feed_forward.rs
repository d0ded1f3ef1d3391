//! The feed-forward part of a layer.

use super::Builder;
use crate::LmError;
use crate::family::Activation;
use sidestage_ir::ValueId;
use sidestage_ops::{GeGlu, SwiGlu};

impl Builder<'_> {
    pub(super) fn feed_forward(&mut self, layer: usize, x: ValueId) -> Result<ValueId, LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (width, size) = (self.config.width, self.config.layers[layer].feed_forward);
        let inner = match self.config.family.activation {
            Activation::SwiGlu => {
                let both = self.gate_and_up(layer, x)?;
                self.apply(&name("ffn_gated"), SwiGlu, &both)?
            }
            Activation::GeGlu => {
                let both = self.gate_and_up(layer, x)?;
                self.apply(&name("ffn_gated"), GeGlu, &both)?
            }
            Activation::Gelu(gelu) => {
                let up = self.linear(&name("ffn_up"), x, size, width)?;
                self.apply(&name("ffn_gelu"), gelu, &[up])?
            }
        };
        self.linear(&name("ffn_down"), inner, width, size)
    }

    /// Two products, of matrices of their own or of the halves of a fused one.
    fn gate_and_up(&mut self, layer: usize, x: ValueId) -> Result<[ValueId; 2], LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (width, size) = (self.config.width, self.config.layers[layer].feed_forward);
        let rows = self.weights.get(&name("ffn_up.weight")).and_then(|info| info.extents.first());
        let fused = rows == Some(&(2 * size as u64)) && !self.has(&name("ffn_gate.weight"));
        if !fused {
            return Ok([
                self.linear(&name("ffn_gate"), x, size, width)?,
                self.linear(&name("ffn_up"), x, size, width)?,
            ]);
        }
        let weight = (self.matrix(&name("ffn_up.weight"), 2 * size, width)?, 2 * size);
        let mut half = |outputs| self.product(&name("ffn_up"), x, weight, Some(outputs));
        Ok([half(0..size)?, half(size..2 * size)?])
    }
}
