//! The attention of a layer.

use super::{Builder, Places};
use crate::config::{Layer, Rope, Rotation};
use crate::family::Positions;
use crate::{LmError, PAGE};
use sidestage_ir::ValueId;
use sidestage_kernels::{KV_CHUNK, kv_elements};
use sidestage_ops::{
    Attention, AttentionParts, KvWrite, MergeAttention, RotaryAngles, RotaryEmbedding,
};

/// The angles of a step's positions; `None` where nothing is rotated.
pub(super) struct Angles {
    usual: Option<ValueId>,
    windowed: Option<ValueId>,
}

impl Builder<'_> {
    pub(super) fn attention(
        &mut self,
        layer: usize,
        x: ValueId,
        angles: &Angles,
    ) -> Result<ValueId, LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let config = self.config;
        let Layer { heads, kv_heads, window, rotation, .. } = config.layers[layer];
        let head_dim = config.head_dim;
        let q_width = heads * head_dim;

        let [q, k, v] = self.queries_keys_values(layer, x)?;
        let q = self.query_norm(&name("attn_q_norm"), q, heads)?;
        let k = self.query_norm(&name("attn_k_norm"), k, kv_heads)?;
        let angles = match rotation {
            Rotation::None => None,
            Rotation::Usual => angles.usual,
            Rotation::Windowed => angles.windowed,
        };
        let q = self.rotated(&name("q"), q, angles)?;
        let k = self.rotated(&name("k"), k, angles)?;
        let (kv_type, dtype) = (self.kv_type, self.kv_type.dtype());
        let elements = kv_elements(dtype, head_dim);
        let elements = elements.ok_or(LmError::KvType { kv_type, head_dim })?;
        let keys = self.graph.state(&name("keys"), dtype, &[kv_heads, elements]);
        let values = self.graph.state(&name("values"), dtype, &[kv_heads, elements]);
        let Places { slots, seen, sequences, tables, .. } = self.places;
        let write = KvWrite { head_dim, dtype };
        self.graph.effect(&name("kv"), write, &[k, v, slots, keys, values])?;
        let (scale, softcap) = (config.attention_scale, config.attention_softcap);
        // A row of a full context can be cut into all its chunks.
        let room = heads * self.max_rows.max((self.max_pages * PAGE).div_ceil(KV_CHUNK));
        let parts = AttentionParts { room, window };
        let attention = Attention { heads, kv_heads, head_dim, dtype, scale, softcap, parts };
        let operands = [q, keys, values, seen, sequences, tables];
        let attended = self.apply(&name("attention_parts"), attention, &operands)?;
        let merge = MergeAttention { heads, head_dim, parts };
        let attended = self.apply(&name("attention"), merge, &[attended, seen])?;
        self.linear(&name("attn_output"), attended, config.width, q_width)
    }

    /// Three products, of matrices of their own or of parts of a fused one.
    fn queries_keys_values(&mut self, layer: usize, x: ValueId) -> Result<[ValueId; 3], LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let Layer { heads, kv_heads, .. } = self.config.layers[layer];
        let (width, head_dim) = (self.config.width, self.config.head_dim);
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        if !self.has(&name("attn_qkv.weight")) {
            return Ok([
                self.linear(&name("attn_q"), x, q, width)?,
                self.linear(&name("attn_k"), x, kv, width)?,
                self.linear(&name("attn_v"), x, kv, width)?,
            ]);
        }
        let fused = name("attn_qkv");
        let n = q + 2 * kv;
        let weight = self.matrix(&name("attn_qkv.weight"), n, width)?;
        let mut part = |outputs| self.product(&fused, x, (weight, n), Some(outputs));
        Ok([part(0..q)?, part(q..q + kv)?, part(q + kv..q + 2 * kv)?])
    }

    fn rotated(
        &mut self,
        name: &str,
        x: ValueId,
        angles: Option<ValueId>,
    ) -> Result<ValueId, LmError> {
        match (self.config.family.positions, angles) {
            (Positions::Rotary(style), Some(angles)) => {
                let head_dim = self.config.head_dim;
                self.apply(name, RotaryEmbedding { head_dim, style }, &[x, angles])
            }
            _ => Ok(x),
        }
    }

    /// The angles for all layers.
    pub(super) fn angles(&mut self, context_length: usize) -> Result<Angles, LmError> {
        let config = self.config;
        let usual = match &config.rope {
            Some(rope) => Some(self.angles_of("angles", rope, context_length)?),
            None => None,
        };
        let windowed = match &config.window_rope {
            same if *same == config.rope => usual,
            Some(rope) => Some(self.angles_of("window_angles", rope, context_length)?),
            None => None,
        };
        Ok(Angles { usual, windowed })
    }

    fn angles_of(
        &mut self,
        name: &str,
        rope: &Rope,
        context_length: usize,
    ) -> Result<ValueId, LmError> {
        let angles = RotaryAngles { frequencies: rope.frequencies(), magnitude: rope.magnitude() };
        let mut inputs = vec![self.places.positions];
        // Llama 3 divides the frequencies by factors that its files hold, LongRoPE by those for
        // the context's length.
        let long = match context_length > rope.original_context {
            true => "rope_factors_long.weight",
            false => "rope_factors_short.weight",
        };
        let factors = ["rope_freqs.weight", long].into_iter().find(|tensor| self.has(tensor));
        if let Some(tensor) = factors {
            inputs.push(self.vector(tensor, rope.rotated / 2)?);
        }
        self.apply(name, angles, &inputs)
    }
}
