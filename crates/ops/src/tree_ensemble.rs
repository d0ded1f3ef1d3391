#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "TreeEnsemble", summary: "decisions of trees, taken together" };

/// What a node asks of its feature.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "they say it themselves")]
pub enum Question {
    AtMost(f64),
    Less(f64),
    AtLeast(f64),
    More(f64),
    Equal(f64),
    Other(f64),
    Member(Vec<f64>),
}

/// Where a tree goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At [`TreeEnsemble::nodes`].
    Node(usize),
    /// It ends, at [`TreeEnsemble::leaves`].
    Leaf(usize),
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeNode {
    /// Which element of a row is asked.
    pub feature: usize,
    /// What it is asked.
    pub question: Question,
    /// Whether it is true of what is no number.
    pub missing: bool,
    /// Where it goes on if it is true, and if not.
    pub next: [Next; 2],
}

/// How the trees' leaves become one number (`aggregate_function`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ONNX's own names")]
pub enum Aggregate {
    Average,
    Sum,
    Min,
    Max,
}

/// Sends each row of `[rows, features]` through trees. Gives `[rows, targets]` (ai.onnx.ml 5,
/// "TreeEnsemble").
#[derive(Debug)]
pub struct TreeEnsemble {
    /// All trees' nodes.
    pub nodes: Vec<TreeNode>,
    /// All trees' leaves: which target, and its weight.
    pub leaves: Vec<(usize, f64)>,
    /// Where the trees begin.
    pub roots: Vec<Next>,
    /// Elements of a result.
    pub targets: usize,
    /// How the leaves are taken together.
    pub aggregate: Aggregate,
}

impl Operator for TreeEnsemble {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 2)?;
        if wide_kind(x.dtype) != Some(WideKind::Float) {
            return Err(format!("is not defined for {}", x.dtype));
        }
        let dims = rules::dims("x", x)?;
        let there = |next: &Next| match next {
            Next::Node(at) => *at < self.nodes.len(),
            Next::Leaf(at) => *at < self.leaves.len(),
        };
        let ways = self.nodes.iter().flat_map(|node| &node.next).chain(&self.roots);
        if !ways.into_iter().all(there) {
            return Err("a tree leads to a node that is not there".into());
        }
        if self.nodes.iter().any(|node| node.feature >= dims[1]) {
            return Err(format!("a tree asks for more than {} features", dims[1]));
        }
        if self.leaves.iter().any(|(target, _)| *target >= self.targets) {
            return Err("a leaf is of a target that is not there".into());
        }
        Ok(vec![ValueType::fixed(x.dtype, &[dims[0], self.targets])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let depth = usize::BITS - self.nodes.len().leading_zeros();
        let cost = self.roots.len() * 8 * depth as usize + self.targets + 8;
        Work { units: args.tensor(0).extents.dims()[0], grain: 1, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let (Some(load), Some(store)) = (f64::load(x.dtype), f64::store(x.dtype)) else { return };
        let (features, size) = (x.extents.inner(), x.dtype.block_bytes() * self.targets);
        let mut sums = vec![(0.0_f64, false); self.targets];
        for unit in units {
            sums.fill((0.0, false));
            for root in &self.roots {
                let mut next = *root;
                // No way is longer than there are nodes, unless it goes in a circle.
                for _ in 0..=self.nodes.len() {
                    let Next::Node(at) = next else { break };
                    let node = &self.nodes[at];
                    let yes = node.asks(load(x.bytes, unit * features + node.feature));
                    next = node.next[usize::from(!yes)];
                }
                let Next::Leaf(at) = next else { continue };
                let (target, weight) = self.leaves[at];
                let (sum, given) = &mut sums[target];
                *sum = match self.aggregate {
                    Aggregate::Min if *given => sum.min(weight),
                    Aggregate::Max if *given => sum.max(weight),
                    _ => *sum + weight,
                };
                *given = true;
            }
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.bytes.part(unit * size..(unit + 1) * size) };
            for (at, (sum, _)) in sums.iter().enumerate() {
                let count = if self.aggregate == Aggregate::Average { self.roots.len() } else { 1 };
                store(cells, at, sum / count as f64);
            }
        }
    }
}

impl TreeNode {
    fn asks(&self, x: f64) -> bool {
        if x.is_nan() && self.missing {
            return true;
        }
        match &self.question {
            Question::AtMost(value) => x <= *value,
            Question::Less(value) => x < *value,
            Question::AtLeast(value) => x >= *value,
            Question::More(value) => x > *value,
            Question::Equal(value) => x == *value,
            Question::Other(value) => x != *value,
            Question::Member(values) => values.contains(&x),
        }
    }
}
