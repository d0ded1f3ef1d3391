use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_kernels::{KV_CHUNK, Paged, Queries, paged_attention, partial_len};
use sidestage_tensor::DType;
use smallvec::SmallVec;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Attention",
    summary: "causal grouped-query attention over a paged cache (ONNX 23; Kwon et al., arXiv:2309.06180)",
};

/// Vectors that one unit of work takes at once, if the rows are as many.
const TILE: usize = 32;

/// Causal attention of each row over the positions of its sequence up to its own, in parts that
/// [`crate::MergeAttention`] makes whole.
///
/// Operands: `q[rows, heads * head_dim]`, the key and value states of [`crate::KvWrite`],
/// `positions[rows]`, `sequences[rows]` (a row of the tables), `tables[sequences, pages]` (page
/// numbers in order). The result is `[parts, partial_len(head_dim)]`, as many parts as there is
/// room for; see [`AttentionParts`] for which they are.
#[derive(Debug)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Values of one head.
    pub head_dim: usize,
    /// Element type of the states.
    pub dtype: DType,
    /// Multiplies the scores.
    pub scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
    /// How the work is cut.
    pub parts: AttentionParts,
}

/// How attention over a long context is cut, so that threads share it even in a step of one row:
/// into chunks of the cache, whose results lie apart for each row and head, as long as there is room
/// for so many. A result is merged from the same chunks however they were cut.
#[derive(Clone, Copy, Debug)]
pub struct AttentionParts {
    /// Parts there is room for; at least one for each row and head.
    pub room: usize,
    /// Only this many latest positions are seen.
    pub window: Option<usize>,
}

impl AttentionParts {
    /// The positions that a row at `position` sees.
    fn seen(&self, position: i32) -> Range<usize> {
        let len = position.max(0) as usize + 1;
        self.window.map_or(0, |window| len.saturating_sub(window))..len
    }

    /// The chunks that rows at these positions see, and how many parts each row and head has: one
    /// for each chunk, or one for all.
    pub(crate) fn of(&self, positions: &[i32], heads: usize) -> (Range<usize>, usize) {
        let seen = || positions.iter().map(|&position| self.seen(position));
        let first = seen().map(|seen| seen.start / KV_CHUNK).min().unwrap_or(0);
        let end = seen().map(|seen| seen.end.div_ceil(KV_CHUNK)).max().unwrap_or(1);
        let parts = end - first;
        let fits = parts.saturating_mul(positions.len() * heads) <= self.room;
        (first..end, if fits { parts } else { 1 })
    }
}

impl Attention {
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Rows of one unit.
    fn tile(&self) -> usize {
        (TILE / self.group()).max(1)
    }
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
        rules::kv_page(keys, self.dtype, self.kv_heads, self.head_dim)?;
        if keys != values {
            return Err("keys and values must have the same shape".into());
        }
        rules::list("positions", positions, rows)?;
        rules::list("sequences", sequences, rows)?;
        rules::dtype("tables", tables, DType::I32)?;
        rules::rank("tables", tables, 2)?;
        let part = Dim::Fixed(partial_len(self.head_dim));
        Ok(vec![ValueType::new(DType::F32, [Dim::Fixed(self.parts.room), part])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let positions = args.tensor(3).i32s();
        let (chunks, parts) = self.parts.of(positions, self.heads);
        let seen = chunks.len() / parts * KV_CHUNK;
        let longest = positions.iter().map(|&at| self.parts.seen(at).len()).max().unwrap_or(0);
        let vectors = self.tile().min(positions.len()) * self.group();
        let cost = seen.min(longest).saturating_mul(2 * vectors * self.head_dim);
        let units = positions.len().div_ceil(self.tile()) * parts * self.kv_heads;
        Work { units, grain: 1, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let positions = args.tensor(3).i32s();
        let sequences = args.tensor(4).i32s();
        let (chunks, parts) = self.parts.of(positions, self.heads);
        for unit in units {
            // Heads are innermost: those of one page lie side by side.
            let (head, unit) = (unit % self.kv_heads, unit / self.kv_heads);
            let (part, tile) = (unit % parts, unit / parts);
            let chunks = match parts {
                1 => chunks.clone(),
                _ => chunks.start + part..chunks.start + part + 1,
            };
            let mut row = tile * self.tile();
            let end = (row + self.tile()).min(positions.len());
            while row < end {
                let same = sequences[row..end].iter().take_while(|of| **of == sequences[row]);
                let rows = row..row + same.count();
                row = rows.end;
                self.rows(args, rows, head, chunks.clone(), (part, parts));
            }
        }
    }
}

impl Attention {
    /// Rows of one sequence, one key head, some chunks.
    #[allow(unsafe_code, reason = "each thread writes the parts it was given")]
    fn rows(
        &self,
        args: &Args<'_>,
        rows: Range<usize>,
        head: usize,
        chunks: Range<usize>,
        (part, parts): (usize, usize),
    ) {
        let (group, width) = (self.group(), self.heads * self.head_dim);
        let positions = &args.tensor(3).i32s()[rows.clone()];
        let seen: SmallVec<[Range<usize>; TILE]> =
            positions.iter().map(|&position| self.parts.seen(position)).collect();
        let pages = args.tensor(5).extents.inner();
        let table = &args.tensor(5).i32s()[args.tensor(4).i32s()[rows.start] as usize * pages..];
        let cache = Paged {
            dtype: self.dtype,
            keys: args.pages(1),
            values: args.pages(2),
            table: &table[..pages],
            heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: self.scale,
            softcap: self.softcap,
        };
        let first = rows.start * width + head * group * self.head_dim;
        let q = &args.tensor(0).f32s()[first..];
        let queries = Queries { q, stride: width, group, seen: &seen };
        let first = (rows.start * self.heads + head * group) * parts + part;
        let out = args.outputs[0].cells::<f32>();
        let out = out.slice(first * partial_len(self.head_dim)..out.len());
        // SAFETY: the cache is written by `KvWrite` only, never while this node runs; units are parts
        // of rows and heads, and no two threads have the same.
        unsafe {
            paged_attention(&cache, head, &queries, chunks, out, [self.heads * parts, parts])
        };
    }
}
