use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use smallvec::SmallVec;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Attention",
    summary: "causal grouped-query attention over a paged cache (ONNX 23; Kwon et al., arXiv:2309.06180)",
};

/// Causal attention of each row over the positions of its sequence up to its own.
///
/// Operands: `q[rows, heads * head_dim]`, the key and value states (pages `[positions, kv_heads *
/// head_dim]`), `positions[rows]`, `sequences[rows]` (a row of the tables), `tables[sequences,
/// pages]` (page numbers in order). The result has `q`'s shape.
#[derive(Debug)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Values of one head.
    pub head_dim: usize,
    /// Multiplies the scores.
    pub scale: f32,
    /// Only this many latest positions are seen.
    pub window: Option<usize>,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
}

impl Operator for Attention {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [q, keys, values, positions, sequences, tables] = rules::operands(inputs)?;
        let (rows, width) = rules::matrix("q", q)?;
        rules::equal("q's width", width, self.heads * self.head_dim)?;
        rules::equal("the rest of heads by kv_heads", self.heads % self.kv_heads.max(1), 0)?;
        let (_, kv_width) = rules::matrix("keys", keys)?;
        rules::equal("the keys' width", kv_width, self.kv_heads * self.head_dim)?;
        if keys != values {
            return Err("keys and values must have the same shape".into());
        }
        for (what, list) in [("positions", positions), ("sequences", sequences)] {
            rules::dtype(what, list, DType::I32)?;
            rules::rank(what, list, 1)?;
            if list.dims[0] != rows {
                return Err(format!("q and {what} must have the same rows"));
            }
        }
        rules::dtype("tables", tables, DType::I32)?;
        rules::rank("tables", tables, 2)?;
        Ok(vec![q.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let positions = args.tensor(3).i32s();
        let longest = positions.iter().copied().max().unwrap_or(0).max(0) as usize + 1;
        let group = self.heads / self.kv_heads;
        let units = positions.len() * self.kv_heads;
        let cost = longest.saturating_mul(3 * group * self.head_dim);
        Work { units, grain: 1, cost }
    }

    #[allow(unsafe_code, reason = "each thread writes the heads it was given")]
    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let q = args.tensor(0).f32s();
        let positions = args.tensor(3).i32s();
        let sequences = args.tensor(4).i32s();
        let tables = args.tensor(5);
        let (group, stride) = (self.heads / self.kv_heads, self.kv_heads * self.head_dim);
        let span = group * self.head_dim;
        let block = args.pages(1).first().map_or(0, |page| page.len() / (4 * stride));
        let mut keys: SmallVec<[&[f32]; 128]> = SmallVec::new();
        let mut values: SmallVec<[&[f32]; 128]> = SmallVec::new();
        let mut listed = None;
        for unit in units {
            let (row, head) = (unit / self.kv_heads, unit % self.kv_heads);
            let sequence = sequences[row] as usize;
            let pages = tables.extents.inner();
            if listed != Some(sequence) {
                listed = Some(sequence);
                let table = &tables.i32s()[sequence * pages..(sequence + 1) * pages];
                // SAFETY: the cache is written by `KvWrite` only, never while this node runs.
                let read = |state: usize, page: i32| unsafe {
                    let page = args.pages(state)[page as usize];
                    bytemuck::cast_slice::<u8, f32>(page.read(0..page.len()))
                };
                keys.clear();
                values.clear();
                for &page in table.iter().take_while(|page| **page >= 0) {
                    keys.push(read(1, page));
                    values.push(read(2, page));
                }
            }
            let len = positions[row] as usize + 1;
            let start = unit * span;
            // SAFETY: units are groups of heads of one row, and no two threads have the same.
            let out = unsafe { args.outputs[0].cells::<f32>().part(start..start + span) };
            let head = sidestage_kernels::Attention {
                q: &q[start..start + span],
                keys: &keys,
                values: &values,
                block,
                row_stride: stride,
                offset: head * self.head_dim,
                head_dim: self.head_dim,
                first: self.window.map_or(0, |window| len.saturating_sub(window)),
                len,
                scale: self.scale,
                softcap: self.softcap,
            };
            sidestage_kernels::attention(&head, out);
        }
    }
}
