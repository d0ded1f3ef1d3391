//! Of the domain ai.onnx.ml what has to do with numbers, and runs of integers.

use super::{CallInfo, row, scalar};
use crate::tree_ensemble::{Aggregate, Next, Question, TreeEnsemble, TreeNode};
use crate::{Binary, Cast, NGrams, Softmax, Take, Unary};
use sidestage_ir::{Attribute, Scope, Stop};
use sidestage_kernels::{Binary as Two, Unary as One, Wide};
use sidestage_tensor::DType;
use std::collections::HashMap;

fn array_feature_extractor(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, y) = (scope.tensor(0)?, scope.tensor(1)?);
    let list = scope.view(&y, &[y.dims().iter().product()])?;
    let x = match x.dims() {
        [n] => scope.view(&x, &[1, *n])?,
        _ => x,
    };
    let axis = x.dims().len().checked_sub(1).ok_or("x must have a dimension")?;
    let y = scope.apply(Take { axis }, &[x, list])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn binarizer(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let (dtype, threshold) = (x.dtype(), scope.float("threshold").unwrap_or(0.0));
    let threshold = scalar(scope, dtype, threshold.into())?;
    let y = scope.apply(Binary { function: Two::Greater }, &[x, threshold])?;
    let y = scope.apply(Cast { to: dtype }, &[y])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A tensor among the attributes, as numbers.
fn numbers(scope: &Scope<'_, '_>, name: &str) -> Result<Vec<f64>, Stop> {
    let Some(Attribute::Tensor(tensor)) = scope.call().attribute(name) else {
        return Ok(Vec::new());
    };
    if let Some(integers) = tensor.integers() {
        return Ok(integers.into_iter().map(|one| one as f64).collect());
    }
    let load = f64::load(tensor.dtype()).ok_or("an attribute that is no tensor of numbers")?;
    Ok((0..tensor.len()).map(|at| load(tensor.bytes(), at)).collect())
}

fn tree_ensemble(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let list = |name: &str| scope.ints(name).unwrap_or_default();
    let place = |value: i64| usize::try_from(value).map_err(|_| "a place below 0");
    let (modes, splits) = (numbers(scope, "nodes_modes")?, numbers(scope, "nodes_splits")?);
    let members = numbers(scope, "membership_values")?;
    let mut members = members.split(|value| value.is_nan());
    let next = |leaf: &str, node: &str, at: usize| -> Result<Next, Stop> {
        let (leaf, node) = (list(leaf).get(at), list(node).get(at));
        let node = node.copied().ok_or("a node that leads nowhere")?;
        let node = place(node)?;
        Ok(if leaf.is_some_and(|leaf| *leaf != 0) { Next::Leaf(node) } else { Next::Node(node) })
    };
    let mut nodes = Vec::new();
    for (at, &mode) in modes.iter().enumerate() {
        let value = splits.get(at).copied().ok_or("a node without a split")?;
        let question = match mode as i64 {
            0 => Question::AtMost(value),
            1 => Question::Less(value),
            2 => Question::AtLeast(value),
            3 => Question::More(value),
            4 => Question::Equal(value),
            5 => Question::Other(value),
            6 => Question::Member(members.next().unwrap_or_default().to_vec()),
            _ => return Err(Stop::Refused(format!("nodes of the mode {mode}"))),
        };
        let feature = list("nodes_featureids").get(at).copied();
        let missing = list("nodes_missing_value_tracks_true").get(at) == Some(&1);
        let yes = next("nodes_trueleafs", "nodes_truenodeids", at)?;
        let no = next("nodes_falseleafs", "nodes_falsenodeids", at)?;
        let feature = place(feature.ok_or("a node without a feature")?)?;
        nodes.push(TreeNode { feature, question, missing, next: [yes, no] });
    }
    let weights = numbers(scope, "leaf_weights")?;
    let leaves = list("leaf_targetids").iter().zip(weights);
    let leaves = leaves.map(|(target, weight)| Ok((place(*target)?, weight)));
    let leaves = leaves.collect::<Result<Vec<_>, &str>>()?;
    let roots = list("tree_roots").iter().map(|root| place(*root).map(Next::Node));
    let roots = roots.collect::<Result<Vec<_>, _>>()?;
    let aggregate = match scope.int("aggregate_function").unwrap_or(1) {
        0 => Aggregate::Average,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        _ => Aggregate::Sum,
    };
    let targets = place(scope.int("n_targets").unwrap_or(1))?;
    let trees = TreeEnsemble { nodes, leaves, roots, targets, aggregate };
    let y = scope.apply(trees, &[x])?;
    let y = match scope.int("post_transform").unwrap_or(0) {
        0 => y,
        1 => scope.apply(Softmax { log: false }, &[y])?,
        2 => scope.apply(Unary { function: One::Sigmoid }, &[y])?,
        other => return Err(Stop::Refused(format!("the post transform {other}"))),
    };
    scope.give_tensor(0, y);
    Ok(())
}

fn tf_idf(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    if scope.call().attribute("pool_strings").is_some() {
        return Err("strings are not supported".into());
    }
    let list = |name: &str| scope.ints(name).unwrap_or_default();
    let place = |value: i64| usize::try_from(value).map_err(|_| "a number below 0");
    let number = |name: &str| place(scope.int(name).unwrap_or(0));
    let (least, most) = (number("min_gram_length")?, number("max_gram_length")?);
    let skips = number("max_skip_count")?;
    let (items, starts, places) =
        (list("pool_int64s"), list("ngram_counts"), list("ngram_indexes"));
    let weights = match scope.call().attribute("weights") {
        Some(Attribute::Floats(weights)) => weights.as_slice(),
        _ => &[],
    };
    let once = scope.text("mode") == Some("IDF");
    let weighted = scope.text("mode") != Some("TF");
    let mut pool = HashMap::new();
    for (at, &start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(Ok(items.len()), |end| place(*end))?;
        let runs = items.get(place(start)?..end).ok_or("counts that are not those of the pool")?;
        for run in runs.chunks_exact(at + 1) {
            let known = pool.len();
            let place = place(*places.get(known).ok_or("a run without an index")?)?;
            let weight = weights.get(known).copied().filter(|_| weighted).unwrap_or(1.0);
            pool.insert(run.to_vec(), (place, weight));
        }
    }
    let last = places.iter().copied().max().map_or(Ok(0), place)?;
    let width = if places.is_empty() { 0 } else { last.saturating_add(1) };
    let lengths = least..most.saturating_add(1);
    let (rows, mut dims) = match x.dims() {
        [] => (scope.view(&x, &[1, 1])?, Vec::new()),
        [n] => (scope.view(&x, &[1, *n])?, Vec::new()),
        [n, _] => (x.clone(), vec![*n]),
        other => return Err(Stop::Refused(format!("x of {other:?}"))),
    };
    let rows = if x.dtype() == DType::I64 {
        rows
    } else {
        scope.apply(Cast { to: DType::I64 }, &[rows])?
    };
    let y = scope.apply(NGrams { pool, lengths, skips, width, once }, &[rows])?;
    dims.push(width);
    let y = scope.view(&y, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TfIdfVectorizer", tf_idf),
    row("ai.onnx.ml::ArrayFeatureExtractor", array_feature_extractor),
    row("ai.onnx.ml::Binarizer", binarizer),
    row("ai.onnx.ml::TreeEnsemble", tree_ensemble),
];
