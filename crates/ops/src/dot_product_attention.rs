#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::elementwise::chains;
use crate::{Elementwise, Gemm, OpInfo, Softmax, StridedCopy, Unary, Where, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueId, ValueType, Work};
use sidestage_kernels::{Epilogue, PANEL, Program, Source, Strides, Unary as One, panels};
use sidestage_tensor::{DType, SharedOut};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "DotProductAttention",
    summary: "softmax(functions(q * k)) * v, of a few rows at once (arXiv:1706.03762)",
};

pub(crate) const PASS: Pass = Pass {
    name: "attention",
    summary: "a product, functions of its elements, Softmax, a second product, and heads that are moved, to attention",
    rule,
};

/// Scores that are there at once, 64 KB of them, stay in the second-level cache with the keys and the
/// values of a head.
const SCORES: usize = 16 << 10;

/// `softmax(functions(q · k)) · v` in `f32`, of `q[…, m, width]` and of what [`Pack`](crate::Pack) makes
/// of `k[…, width, keys]` and `v[…, keys, values]`; the dimensions before them are broadcast.
///
/// The operands behind them are those of the functions, without the scores.
#[derive(Clone, Debug)]
pub struct DotProductAttention {
    /// Columns of `k` before it was packed.
    pub keys: usize,
    /// Columns of `v` before it was packed.
    pub values: usize,
    /// What becomes of the scores, the first operand, before the softmax.
    pub functions: Option<Elementwise>,
    /// Whether a row of which everything is masked has shares of 0; else they are no numbers.
    pub masked: bool,
    /// Whether `q` and the result lie as `[…, m, heads, width]`, rows outside: as products with weights
    /// make them and take them.
    pub turned: [bool; 2],
}

/// Dimensions whose rows and heads have changed places.
fn turned(mut dims: Vec<usize>, turn: bool) -> Vec<usize> {
    if let (true, Some([rows, heads, _])) = (turn, dims.last_chunk_mut()) {
        std::mem::swap(rows, heads);
    }
    dims
}

/// Whether a copy does just that.
fn turns(copy: &StridedCopy) -> bool {
    let Some([_, _, _]) = copy.dims.last_chunk() else { return false };
    let from = turned(copy.dims.clone(), true);
    let mut steps = vec![1_isize; from.len()];
    for at in (1..from.len()).rev() {
        steps[at - 1] = steps[at] * from[at] as isize;
    }
    let heads = steps.len() - 3;
    steps.swap(heads, heads + 1);
    let mut all = copy.dims.iter().zip(&copy.steps).zip(steps);
    copy.start == 0 && all.all(|((dim, step), own)| *dim == 1 || *step == own)
}

/// Where the rows of a matrix lie: the first one, and how far apart they are.
fn lines(matrix: usize, [heads, m, width]: [usize; 3], turn: bool) -> [usize; 2] {
    match turn {
        true => [(matrix / heads * m * heads + matrix % heads) * width, heads * width],
        false => [matrix * m * width, width],
    }
}

impl DotProductAttention {
    /// How many rows are computed at once.
    fn rows(&self) -> usize {
        // Tiles of a product have four rows.
        (SCORES / self.keys.max(1)).clamp(4, 64) / 4 * 4
    }
}

impl Operator for DotProductAttention {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [q, k, v, others @ ..] = inputs else {
            return Err(format!("takes at least 3 operands, got {}", inputs.len()));
        };
        for (what, ty) in [("q", q), ("k", k), ("v", v)] {
            rules::dtype(what, ty, DType::F32)?;
        }
        let [q, k, v] = [rules::dims("q", q)?, rules::dims("k", k)?, rules::dims("v", v)?];
        if self.turned != [false; 2] && q.len() < 3 {
            return Err("there are no heads to be moved".into());
        }
        let q = turned(q, self.turned[0]);
        let ([batch @ .., m, width], [of_k @ .., a, b, PANEL], [of_v @ .., c, d, PANEL]) =
            (q.as_slice(), k.as_slice(), v.as_slice())
        else {
            return Err("q must be matrices, k and v packed ones".into());
        };
        if [*a, *b, *c, *d] != [panels(self.keys), *width, panels(self.values), self.keys] {
            return Err(format!("q of {q:?}, k of {k:?}, v of {v:?}"));
        }
        if *m == 0 || self.keys == 0 {
            return Err("there are no scores".into());
        }
        let mut dims = rules::broadcast(&rules::broadcast(batch, of_k)?, of_v)?;
        let scores =
            [*m, self.keys].iter().chain(&dims).try_fold(1_usize, |a, b| a.checked_mul(*b));
        match &self.functions {
            None => rules::equal("the number of other operands", others.len(), 0)?,
            Some(functions) => {
                let scores = ValueType::fixed(DType::F32, &[scores.ok_or("too many scores")?]);
                let all: Vec<&ValueType> =
                    [&scores].into_iter().chain(others.iter().copied()).collect();
                functions.infer(&all)?;
                if functions.program.sources()[0] != Source::Part {
                    return Err("the functions must be of scores".into());
                }
            }
        }
        dims.extend([*m, self.values]);
        let dims = turned(dims, self.turned[1]);
        Ok(vec![ValueType::fixed(DType::F32, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (width, out) = (args.tensor(0).extents.inner(), args.outputs[0].extents);
        // Of a score: its products, the functions and the exponential.
        let cost = self.keys.saturating_mul(width + self.values + 20);
        Work { units: out.rows(), grain: 16, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let [q, k, v] = [0, 1, 2].map(|index| args.tensor(index));
        let out: SharedOut<'_, f32> = args.outputs[0].cells();
        let dims = turned(args.outputs[0].extents.dims().to_vec(), self.turned[1]);
        let of_q = turned(q.extents.dims().to_vec(), self.turned[0]);
        let [batch @ .., m, _] = &dims[..] else { return };
        let (m, width) = (*m, q.extents.inner());
        let outer = |dims: &'_ [usize], last: usize| dims[..dims.len() - last].to_vec();
        let sides = [outer(&of_q, 2), outer(k.extents.dims(), 3), outer(v.extents.dims(), 3)];
        let strides = Strides::broadcast(batch, sides.each_ref().map(Vec::as_slice));
        let heads = [sides[0].last(), batch.last()].map(|heads| heads.copied().unwrap_or(1));
        let sizes = [panels(self.keys) * width * PANEL, panels(self.values) * self.keys * PANEL];
        let most = self.rows();
        let mut room = vec![0.0_f32; most * self.keys];
        let mut more = vec![0.0_f32; if self.functions.is_some() { room.len() } else { 0 }];
        let others: Vec<&[f32]> =
            (3..args.inputs.len()).map(|index| args.tensor(index).f32s()).collect();
        let mut unit = units.start;
        while unit < units.end {
            let (matrix, row) = (unit / m, unit % m);
            let rows = most.min(m - row).min(units.end - unit);
            let mut at = [0; 3];
            strides.rows(matrix..matrix + 1, |_, from, _, _| at = from);
            let [k, v] = [(k, 0), (v, 1)]
                .map(|(of, side)| &of.f32s()[at[side + 1] * sizes[side]..][..sizes[side]]);
            let [first, apart] = lines(at[0], [heads[0], m, width], self.turned[0]);
            let mut scores = &mut room[..rows * self.keys];
            let product = sidestage_kernels::Gemm {
                a: &q.f32s()[first + row * apart..],
                apart: [apart, self.keys],
                b: k,
                shape: (width, self.keys),
                epilogue: Epilogue::default(),
                c: SharedOut::new(scores),
            };
            sidestage_kernels::gemm(&product, 0..rows, 0..panels(self.keys));
            if let Some(functions) = &self.functions {
                let to = &mut more[..rows * self.keys];
                let mut operands: Vec<&[f32]> = vec![scores];
                operands.extend(&others);
                functions.program.run(&operands, unit * self.keys, to);
                scores = to;
            }
            for row in scores.chunks_exact_mut(self.keys) {
                sidestage_kernels::softmax_in_place(row);
                if self.masked && row[0].is_nan() {
                    row.iter_mut()
                        .for_each(|share| *share = if share.is_nan() { 0.0 } else { *share });
                }
            }
            let [first, apart] = lines(matrix, [heads[1], m, self.values], self.turned[1]);
            let first = first + row * apart;
            let product = sidestage_kernels::Gemm {
                a: scores,
                apart: [self.keys, apart],
                b: v,
                shape: (self.keys, self.values),
                epilogue: Epilogue::default(),
                c: out.slice(first..first + (rows - 1) * apart + self.values),
            };
            sidestage_kernels::gemm(&product, 0..rows, 0..panels(self.values));
            unit += rows;
        }
    }
}

/// A product without anything behind it, which nobody else reads.
fn product(site: &Site<'_>, value: ValueId) -> Option<(usize, [ValueId; 2])> {
    let (op, inputs) = site.made::<Gemm>(value).filter(|_| site.only_here(value))?;
    let plain = op.finish == crate::Finish::default();
    Some((op.n, inputs.try_into().ok().filter(|_| plain)?))
}

/// The functions whose first operand, at this place, comes to the front and is a part of itself.
fn of_scores(
    at: usize,
    inputs: &[ValueId],
    chain: &Elementwise,
) -> Option<(Elementwise, Vec<ValueId>)> {
    let order: Vec<usize> =
        std::iter::once(at).chain((0..inputs.len()).filter(|index| *index != at)).collect();
    let mut sources: Vec<Source> =
        order.iter().map(|&index| chain.program.sources()[index]).collect();
    sources[0] = Source::Part;
    let place = |value: usize| order.iter().position(|index| *index == value).unwrap_or(value);
    let steps = chain.program.steps().iter().map(|step| step.with(place)).collect();
    let functions = Elementwise {
        program: Program::new(sources, steps)?,
        lengths: order.iter().map(|&index| chain.lengths[index]).collect(),
        dims: chain.dims.clone(),
    };
    Some((functions, order[1..].iter().map(|&index| inputs[index]).collect()))
}

/// The shares before those without a number became 0.
fn unmasked(site: &Site<'_>, shares: ValueId) -> Option<ValueId> {
    let (_, inputs) = site.made::<Where>(shares).filter(|_| site.only_here(shares))?;
    let &[odd, zero, all] = inputs else { return None };
    let (test, of) = site.made::<Unary>(odd).filter(|_| site.only_here(odd))?;
    let same = test.function == One::IsNaN && site.root(of[0]) == site.root(all);
    // The test reads them, and the choice.
    let known = same && site.number(zero) == Some(0.0) && site.readers(all) == 2;
    (known && site.dims(shares) == site.dims(all)).then_some(all)
}

/// Attention whose result is turned.
fn result_turned(site: &Site<'_>) -> Option<Made> {
    let copy = site.op::<StridedCopy>().filter(|copy| turns(copy))?;
    let &[of] = site.inputs() else { return None };
    let (op, inputs) = site.made::<DotProductAttention>(of).filter(|_| site.only_here(of))?;
    let dims = site.dims(site.root(of))?;
    let same = dims.last_chunk::<3>() == turned(copy.dims.clone(), true).last_chunk();
    let turned = [op.turned[0], true];
    (same && !op.turned[1]).then(|| Made::new(DotProductAttention { turned, ..op.clone() }, inputs))
}

/// The operand of which `q` is a turned copy.
fn of_turned(site: &mut Site<'_>, q: ValueId) -> Option<ValueId> {
    let dims = site.dims(q)?;
    let (copy, inputs) = site.made::<StridedCopy>(q).filter(|(copy, _)| turns(copy))?;
    let (from, same) = (*inputs.first()?, dims.last_chunk::<3>() == copy.dims.last_chunk());
    site.view(from, &turned(dims, true)).filter(|_| same)
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    if let Some(made) = result_turned(site) {
        return Some(made);
    }
    let second = site.op::<Gemm>().filter(|op| op.finish == crate::Finish::default())?;
    let values = second.n;
    let &[given, v] = site.inputs() else { return None };
    let unmasked = unmasked(site, given);
    let shares = unmasked.unwrap_or(given);
    let (softmax, inputs) = site.made::<Softmax>(shares)?;
    let scores = inputs[0];
    let alone = site.readers(shares) == 1 + usize::from(unmasked.is_some());
    if softmax.log || !alone || !site.only_here(scores) {
        return None;
    }
    let keys = *site.dims(scores)?.get(1)?;
    let (functions, others, of) = match product(site, scores) {
        Some(_) => (None, Vec::new(), scores),
        None => chains(site, scores).find_map(|(inputs, chain)| {
            let at = (0..inputs.len()).find(|&at| {
                chain.program.sources()[at] == Source::Dense && product(site, inputs[at]).is_some()
            })?;
            let (functions, others) = of_scores(at, &inputs, &chain)?;
            Some((Some(functions), others, inputs[at]))
        })?,
    };
    let (n, [q, k]) = product(site, of)?;
    // Rows of scores are rows of the second product, whatever shapes they had in between.
    if n != keys || site.dims(site.root(of)) != site.dims(given) {
        return None;
    }
    let masked = unmasked.is_some();
    let of = of_turned(site, q);
    let turned = [of.is_some(), false];
    let op = DotProductAttention { keys, values, functions, masked, turned };
    Some(Made::new(op, [vec![of.unwrap_or(q), k, v], others].concat()))
}
