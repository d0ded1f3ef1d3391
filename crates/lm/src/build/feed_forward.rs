//! The feed-forward part of a layer.

use super::Builder;
use crate::LmError;
use crate::config::Experts;
use crate::family::Activation;
use sidestage_ir::ValueId;
use sidestage_kernels::supports;
use sidestage_ops::{CombineExperts, ExpertLinear, GeGlu, SelectExperts, SwiGlu};

impl Builder<'_> {
    pub(super) fn feed_forward(&mut self, layer: usize, x: ValueId) -> Result<ValueId, LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        if let Some(experts) = self.config.experts
            && self.has(&name("ffn_gate_inp.weight"))
        {
            return self.experts(layer, x, experts);
        }
        let (width, size) = (self.config.width, self.config.layers[layer].feed_forward);
        let products = if self.gated() {
            self.gate_and_up(layer, x)?.to_vec()
        } else {
            vec![self.linear(&name("ffn_up"), x, size, width)?]
        };
        let inner = self.activated(&name("ffn_inner"), &products)?;
        self.linear(&name("ffn_down"), inner, width, size)
    }

    /// Whether there are two products before the activation.
    fn gated(&self) -> bool {
        !matches!(self.config.family.activation, Activation::Gelu(_))
    }

    fn activated(&mut self, name: &str, products: &[ValueId]) -> Result<ValueId, LmError> {
        match self.config.family.activation {
            Activation::SwiGlu => self.apply(name, SwiGlu, products),
            Activation::GeGlu => self.apply(name, GeGlu, products),
            Activation::Gelu(gelu) => self.apply(name, gelu, products),
        }
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

    /// Each position takes some of the experts, by the logits of `ffn_gate_inp`.
    fn experts(&mut self, layer: usize, x: ValueId, experts: Experts) -> Result<ValueId, LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let Experts { count, used, feed_forward: size, normalized } = experts;
        let width = self.config.width;
        let logits = self.linear(&name("ffn_gate_inp"), x, count, width)?;
        let select = SelectExperts { used, normalized };
        let selected = self.graph.apply_all(&name("experts"), select, &[logits])?;
        let (chosen, weights) = (selected[0], selected[1]);
        let mut products = Vec::new();
        if self.gated() {
            let shape = [count, size, width];
            products.push(self.expert_linear(&name("ffn_gate_exps"), x, chosen, shape)?);
        }
        products.push(self.expert_linear(&name("ffn_up_exps"), x, chosen, [count, size, width])?);
        let inner = self.activated(&name("ffn_inner"), &products)?;
        let shape = [count, width, size];
        let down = self.expert_linear(&name("ffn_down_exps"), inner, chosen, shape)?;
        self.apply(&name("ffn_mixed"), CombineExperts, &[down, weights])
    }

    fn expert_linear(
        &mut self,
        name: &str,
        x: ValueId,
        chosen: ValueId,
        shape: [usize; 3],
    ) -> Result<ValueId, LmError> {
        let weight = self.weight(&format!("{name}.weight"), &shape, &shape, supports)?;
        let x = self.activations(name, x, weight)?;
        self.apply(name, ExpertLinear, &[x, weight, chosen])
    }
}
