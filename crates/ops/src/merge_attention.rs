use crate::rows::rows;
use crate::{AttentionParts, OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_kernels::partial_len;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "MergeAttention",
    summary: "makes the results of attention of those of its chunks (Dao, arXiv:2307.08691)",
};

/// The results `[rows, heads * head_dim]` from the parts of [`crate::Attention`]. Operands: the
/// parts, `positions[rows]`.
#[derive(Debug)]
pub struct MergeAttention {
    /// Query heads.
    pub heads: usize,
    /// Values of one head.
    pub head_dim: usize,
    /// How [`crate::Attention`] cut its work.
    pub parts: AttentionParts,
}

impl Operator for MergeAttention {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [parts, positions] = rules::operands(inputs)?;
        let (room, len) = rules::matrix("parts", parts)?;
        if room != Dim::Fixed(self.parts.room) {
            return Err("the parts must be those of the attention".into());
        }
        rules::equal("the parts' width", len, partial_len(self.head_dim))?;
        let rows = positions.dims.first().copied().unwrap_or(Dim::Fixed(0));
        rules::list("positions", positions, rows)?;
        let width = Dim::Fixed(self.heads * self.head_dim);
        Ok(vec![ValueType::new(parts.dtype, [rows, width])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let positions = args.tensor(1).i32s();
        let (_, parts) = self.parts.of(positions, self.heads);
        Work { units: positions.len(), grain: 1, cost: 2 * parts * self.heads * self.head_dim }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let parts = args.tensor(0).f32s();
        let (_, count) = self.parts.of(args.tensor(1).i32s(), self.heads);
        let len = count * partial_len(self.head_dim);
        let (span, out) = rows::<f32>(args, units);
        let parts = &parts[span.start / self.head_dim * len..];
        for (parts, out) in parts.chunks_exact(len).zip(out.chunks_exact_mut(self.head_dim)) {
            sidestage_kernels::merge_attention(parts, out);
        }
    }
}
