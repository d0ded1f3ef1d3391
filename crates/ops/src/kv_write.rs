use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{KV_PAGE, KvKind};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "KvWrite", summary: "writes keys and values of new positions into the cache" };

/// Writes each row of `k[rows, kv_heads * head_dim]` and of `v`, which has the same shape, to its
/// slot (page * 32 + position in it, `slots[rows]`) of the key and value states. Operands: `k`, `v`,
/// the slots, the two states. A row whose slot is below 0 is not written.
///
/// A page is `[kv_heads, elements]`: [`sidestage_kernels::kv_elements`] of each head, laid out as
/// [`sidestage_kernels::kv_write`] says.
#[derive(Debug)]
pub struct KvWrite {
    /// Values of one head.
    pub head_dim: usize,
    /// Element type of the states.
    pub dtype: DType,
}

impl Operator for KvWrite {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [k, v, slots, keys, values] = rules::operands(inputs)?;
        let (rows, width) = rules::matrix("k", k)?;
        rules::list("slots", slots, rows)?;
        rules::equal("the rest of k's width by the head", width % self.head_dim.max(1), 0)?;
        rules::kv_page(keys, self.dtype, width / self.head_dim.max(1), self.head_dim)?;
        if k != v || keys != values {
            return Err("keys and values must have the same shape".into());
        }
        Ok(Vec::new())
    }

    fn has_effect(&self) -> bool {
        true
    }

    fn work(&self, args: &Args<'_>) -> Work {
        // A head of all rows, of keys and then of values: rows may share a page, in which a head's
        // positions lie interleaved.
        let extents = args.tensor(0).extents;
        let cost = extents.rows().saturating_mul(4 * self.head_dim);
        Work { units: 2 * (extents.inner() / self.head_dim), grain: 1, cost }
    }

    #[allow(unsafe_code, reason = "each thread writes the heads it was given")]
    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let extents = args.tensor(0).extents;
        let (width, slots) = (extents.inner(), args.tensor(2).i32s());
        let heads = width / self.head_dim;
        for unit in units {
            let (source, head) = (unit / heads, unit % heads);
            let kind = [KvKind::Keys, KvKind::Values][source];
            let (x, pages) = (args.tensor(source).f32s(), args.pages(3 + source));
            for (x, &slot) in x.chunks_exact(width).zip(slots).filter(|(_, slot)| **slot >= 0) {
                let (page, position) = (slot as usize / KV_PAGE, slot as usize % KV_PAGE);
                let bytes = pages[page].len() / heads;
                let span = head * bytes..(head + 1) * bytes;
                // SAFETY: no two threads have the same head of keys, or of values.
                let to = unsafe { pages[page].part(span) };
                let x = &x[head * self.head_dim..][..self.head_dim];
                sidestage_kernels::kv_write(self.dtype, kind, x, position, to);
            }
        }
    }
}
