//! What is measured.

use crate::case::{Arithmetic, Case, Work, fill};
use sidestage_ir::{Dim, GraphBuilder, GraphError, ValueId};
use sidestage_kernels::{KV_CHUNK, KV_PAGE, kv_elements};
use sidestage_ops::{
    Attention, AttentionParts, Linear, MergeAttention, Quantize, RmsNormalization, SwiGlu,
};
use sidestage_tensor::DType;

/// Name of a case, and what makes it.
pub(crate) type Named = (String, Box<dyn Fn() -> Case>);

/// Inputs of every row of weights: that of a 300M Llama.
const WIDTH: usize = 1024;
/// Bytes of weights that stay in a second-level cache.
const CACHED: usize = 1 << 20;
/// Bytes that come from memory, or from a large third-level cache, as a small model's do.
const STREAMED: usize = 96 << 20;
/// Rows of a chunk of a prompt.
const CHUNK: usize = 128;

/// Heads of queries and of keys: SmolLM2-135M, a 300M Llama, Qwen2.5-0.5B; as many of both.
const HEADS: [[usize; 2]; 4] = [[9, 3], [16, 4], [14, 2], [4, 4]];

const WEIGHTS: [DType; 11] = [
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::Q8_0,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
    DType::F16,
    DType::BF16,
    DType::F32,
];

/// All cases, in the order they run.
pub(crate) fn all() -> Vec<Named> {
    let mut list: Vec<Named> = Vec::new();
    let mut add = |name: String, make: Box<dyn Fn() -> Case>| list.push((name, make));
    for dtype in WEIGHTS {
        let name = dtype.name().to_ascii_lowercase();
        let row = WIDTH / dtype.block_len() * dtype.block_bytes();
        let outputs = move |bytes: usize| bytes / row / 64 * 64;
        add(format!("decode/{name}/cached"), Box::new(move || linear(dtype, 1, outputs(CACHED))));
        add(
            format!("decode/{name}/streamed"),
            Box::new(move || linear(dtype, 1, outputs(STREAMED))),
        );
        add(format!("prompt/{name}"), Box::new(move || linear(dtype, CHUNK, WIDTH)));
    }
    for heads in HEADS {
        let of = format!("{}x{}", heads[0] / heads[1], heads[1]);
        for positions in [32, 512, 4096] {
            add(
                format!("attention/{of}/decode/{positions}"),
                Box::new(move || attention(heads, 1, positions).expect("a graph that fits")),
            );
        }
        for positions in [128, 512, 4096] {
            add(
                format!("attention/{of}/prompt/{positions}"),
                Box::new(move || attention(heads, CHUNK, positions).expect("a graph that fits")),
            );
        }
    }
    for rows in [1, CHUNK] {
        add(
            format!("quantize/{rows}"),
            Box::new(move || quantize(rows).expect("a graph that fits")),
        );
        add(format!("norm/{rows}"), Box::new(move || norm(rows).expect("a graph that fits")));
        add(format!("swiglu/{rows}"), Box::new(move || swiglu(rows).expect("a graph that fits")));
    }
    crate::graphs::all(&mut add);
    crate::int8::all(&mut add);
    list
}

fn matrix(builder: &mut GraphBuilder, dtype: DType, rows: usize, width: usize) -> ValueId {
    builder.input("x", dtype, &[Dim::Fixed(rows), Dim::Fixed(width)])
}

/// A linear layer; its activations are quantised already.
fn linear(dtype: DType, rows: usize, outputs: usize) -> Case {
    let mut builder = GraphBuilder::new();
    let kind = sidestage_kernels::activation_dtype(dtype);
    let x = matrix(&mut builder, kind, rows, WIDTH);
    let weight = builder.weight("weight", dtype, &[outputs, WIDTH]);
    let y = builder.apply("y", Linear::<true>::default(), &[x, weight]);
    let graph = builder.finish(&[y.expect("a layer that fits")]);
    let bytes = outputs * (WIDTH / dtype.block_len() * dtype.block_bytes());
    let arithmetic = if kind == DType::F32 { Arithmetic::F32 } else { Arithmetic::Int8 };
    let macs = (rows * outputs * WIDTH) as f64;
    let work = Work { bytes: bytes as f64, macs, arithmetic };
    Case::new(graph, work, 0, |executor| fill(executor, x))
}

/// Attention of the last `rows` of `positions`.
fn attention(
    [heads, kv_heads]: [usize; 2],
    rows: usize,
    positions: usize,
) -> Result<Case, GraphError> {
    let (head_dim, dtype) = (64, DType::F16);
    let (pages, scale, softcap) = (positions.div_ceil(KV_PAGE), 0.125, None);
    let room = heads * rows.max(positions.div_ceil(KV_CHUNK));
    let parts = AttentionParts { room, window: None };
    let elements = kv_elements(dtype, head_dim).unwrap_or(0);
    let mut builder = GraphBuilder::new();
    let q = matrix(&mut builder, DType::F32, rows, heads * head_dim);
    let keys = builder.state("keys", dtype, &[kv_heads, elements]);
    let values = builder.state("values", dtype, &[kv_heads, elements]);
    let at = builder.input("positions", DType::I32, &[Dim::Fixed(rows)]);
    let sequences = builder.input("sequences", DType::I32, &[Dim::Fixed(rows)]);
    let tables = builder.input("tables", DType::I32, &[Dim::Fixed(1), Dim::Fixed(pages)]);
    let page_bytes = builder.ty(keys).bytes(&[]).unwrap_or(0);
    let op = Attention { heads, kv_heads, head_dim, dtype, scale, softcap, parts };
    let all = builder.apply("parts", op, &[q, keys, values, at, sequences, tables])?;
    let y = builder.apply("y", MergeAttention { heads, head_dim, parts }, &[all, at])?;
    // Each row sees all up to its own: query times keys, weights times values.
    let seen: usize = (positions - rows..positions).map(|position| position + 1).sum();
    let work = Work {
        bytes: (2 * pages * page_bytes) as f64,
        macs: (2 * seen * heads * head_dim) as f64,
        arithmetic: Arithmetic::F32,
    };
    Ok(Case::new(builder.finish(&[y]), work, pages, |executor| {
        fill(executor, q);
        for (row, position) in executor.input::<i32>(at).iter_mut().enumerate() {
            *position = (positions - rows + row) as i32;
        }
        executor.input::<i32>(sequences).fill(0);
        for (page, entry) in executor.input::<i32>(tables).iter_mut().enumerate() {
            *entry = page as i32;
        }
    }))
}

fn moved(values: usize) -> Work {
    Work { bytes: (4 * values) as f64, macs: 0.0, arithmetic: Arithmetic::F32 }
}

fn quantize(rows: usize) -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let x = matrix(&mut builder, DType::F32, rows, WIDTH);
    let y = builder.apply("y", Quantize, &[x])?;
    Ok(Case::new(builder.finish(&[y]), moved(rows * WIDTH), 0, |executor| fill(executor, x)))
}

fn norm(rows: usize) -> Result<Case, GraphError> {
    let mut builder = GraphBuilder::new();
    let x = matrix(&mut builder, DType::F32, rows, WIDTH);
    let weight = builder.weight("weight", DType::F32, &[WIDTH]);
    let y = builder.apply("y", RmsNormalization { epsilon: 1e-5 }, &[x, weight])?;
    Ok(Case::new(builder.finish(&[y]), moved(rows * WIDTH), 0, |executor| fill(executor, x)))
}

fn swiglu(rows: usize) -> Result<Case, GraphError> {
    let width = 2816;
    let mut builder = GraphBuilder::new();
    let gate = matrix(&mut builder, DType::F32, rows, width);
    let up = matrix(&mut builder, DType::F32, rows, width);
    let y = builder.apply("y", SwiGlu, &[gate, up])?;
    Ok(Case::new(builder.finish(&[y]), moved(2 * rows * width), 0, |executor| {
        fill(executor, gate);
        fill(executor, up);
    }))
}
