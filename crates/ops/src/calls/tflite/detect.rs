//! Of boxes that lie on each other the best: computed when they are known.

use super::of_operand;
use crate::calls::{CallInfo, row, sort};
use sidestage_ir::{Attribute, Scope, Stop};
use sidestage_kernels::Wide;
use sidestage_tensor::{DType, Tensor};

/// Top, left, bottom, right.
type Corners = [f32; 4];

/// Numbers that an operand is, and its shape.
fn known(scope: &Scope<'_, '_>, index: usize) -> Result<(Vec<f32>, Vec<usize>), Stop> {
    let tensor = scope.known(&scope.tensor(index)?)?;
    let dims = tensor.dims().to_vec();
    if let Some(load) = f64::load(tensor.dtype()) {
        let all = (0..tensor.len()).map(|at| load(tensor.bytes(), at) as f32);
        return Ok((all.collect(), dims));
    }
    let integers = tensor.integers().ok_or("boxes and scores must be numbers")?;
    let (scale, zero) = match of_operand(scope, index)? {
        Some(of) => of.single()?,
        None => (1.0, 0),
    };
    let number = |x: i64| x.wrapping_sub(zero.into()) as f32 * scale;
    Ok((integers.into_iter().map(number).collect(), dims))
}

/// A single number that an operand is.
fn number(scope: &Scope<'_, '_>, index: usize) -> Result<f32, Stop> {
    Ok(known(scope, index)?.0.first().copied().ok_or("a number is missing")?)
}

/// The share of what two boxes cover that both cover.
fn overlap(a: &Corners, b: &Corners) -> f32 {
    let area = |one: &Corners| (one[2] - one[0]) * (one[3] - one[1]);
    if area(a) <= 0.0 || area(b) <= 0.0 {
        return 0.0;
    }
    let side = |at: usize| (a[at + 2].min(b[at + 2]) - a[at].max(b[at])).max(0.0);
    let both = side(0) * side(1);
    both / (area(a) + area(b) - both)
}

/// The best boxes by their scores, the best first.
fn best(
    boxes: &[Corners],
    scores: &[f32],
    (least, threshold): (f32, f32),
    most: usize,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|&at| scores[at] >= least).collect();
    sort(&mut order, &|a, b| scores[b].total_cmp(&scores[a]));
    let mut kept: Vec<usize> = Vec::new();
    for at in order {
        if kept.len() == most {
            break;
        }
        if kept.iter().all(|&other| overlap(&boxes[at], &boxes[other]) <= threshold) {
            kept.push(at);
        }
    }
    kept
}

/// Numbers as a result.
fn give(scope: &mut Scope<'_, '_>, index: usize, dims: &[usize], all: &[f32]) -> Result<(), Stop> {
    let y = super::floats(scope, dims, all)?;
    scope.give_tensor(index, y);
    Ok(())
}

/// A box, the class and score that it is found with.
type Found = (usize, usize, f32);

/// SSD's last step: boxes relative to anchors, and scores of classes, to the best boxes.
fn postprocess(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let ((codes, dims), (scores, classes)) = (known(scope, 0)?, known(scope, 1)?);
    let (anchors, anchor_dims) = known(scope, 2)?;
    let wrong = || Stop::Refused(format!("boxes {dims:?}, scores {classes:?}, {anchor_dims:?}"));
    let (&[1, count, width], &[1, rows, labels]) = (&dims[..], &classes[..]) else {
        return Err(wrong());
    };
    if rows != count || anchor_dims != [count, 4] || width < 4 {
        return Err(wrong());
    }
    let size = |name: &str, default: i64| {
        usize::try_from(scope.int(name).unwrap_or(default)).ok().filter(|size| *size < 1 << 24)
    };
    let option = |name: &str| scope.float(name).unwrap_or(1.0);
    let wanted = size("num_classes", 1).filter(|wanted| (1..=labels).contains(wanted));
    let (wanted, most) = wanted.zip(size("max_detections", 1)).ok_or_else(wrong)?;
    let each = size("max_classes_per_detection", 1).ok_or_else(wrong)?;
    let per_class = size("detections_per_class", 100).ok_or_else(wrong)?;
    let by = [option("y_scale"), option("x_scale"), option("h_scale"), option("w_scale")];
    let limits = (option("nms_score_threshold"), option("nms_iou_threshold"));
    let corners: Vec<Corners> = codes
        .chunks_exact(width)
        .zip(anchors.as_chunks::<4>().0)
        .map(|(code, [y, x, height, width])| {
            let (y, x) = (code[0] / by[0] * height + y, code[1] / by[1] * width + x);
            let half =
                [0.5 * (code[2] / by[2]).exp() * height, 0.5 * (code[3] / by[3]).exp() * width];
            [y - half[0], x - half[1], y + half[0], x + half[1]]
        })
        .collect();
    // The classes that count come last.
    let score = |at: usize, class: usize| scores[at * labels + labels - wanted + class];
    let mut found: Vec<Found> = Vec::new();
    let room = if scope.int("use_regular_nms") == Some(1) {
        for class in 0..wanted {
            let scores: Vec<f32> = (0..count).map(|at| score(at, class)).collect();
            let kept = best(&corners, &scores, limits, per_class);
            found.extend(kept.into_iter().map(|at| (at, class, scores[at])));
            let mut order: Vec<usize> = (0..found.len()).collect();
            sort(&mut order, &|a, b| found[b].2.total_cmp(&found[a].2));
            found = order.into_iter().take(most).map(|at| found[at]).collect();
        }
        most
    } else {
        let each = each.min(wanted);
        let ordered = |at: usize| {
            let mut order: Vec<usize> = (0..wanted).collect();
            sort(&mut order, &|a, b| score(at, b).total_cmp(&score(at, a)));
            order
        };
        let largest = |at: usize| (0..wanted).map(|c| score(at, c)).fold(f32::MIN, f32::max);
        let scores: Vec<f32> = (0..count).map(largest).collect();
        for at in best(&corners, &scores, limits, most) {
            let classes = ordered(at).into_iter().take(each);
            found.extend(classes.map(|class| (at, class, score(at, class))));
        }
        most.saturating_mul(each)
    };
    let mut boxes = vec![0.0; room.saturating_mul(4)];
    let (mut labels, mut scores) = (vec![0.0; room], vec![0.0; room]);
    for (place, (at, class, score)) in found.iter().take(room).enumerate() {
        boxes[4 * place..][..4].copy_from_slice(&corners[*at]);
        (labels[place], scores[place]) = (*class as f32, *score);
    }
    give(scope, 0, &[1, room, 4], &boxes)?;
    give(scope, 1, &[1, room], &labels)?;
    give(scope, 2, &[1, room], &scores)?;
    give(scope, 3, &[1], &[found.len() as f32])
}

/// A box that may be taken.
#[derive(Clone, Copy)]
struct Candidate {
    at: usize,
    score: f32,
    /// It was compared with the boxes taken before these.
    seen: usize,
}

/// Boxes of one class; with a sigma scores fall where boxes lie on each other (Bodla and others,
/// arXiv:1704.04503).
fn suppress(scope: &mut Scope<'_, '_>, soft: bool) -> Result<(), Stop> {
    let ((boxes, dims), (scores, _)) = (known(scope, 0)?, known(scope, 1)?);
    let most = number(scope, 2)?.max(0.0) as usize;
    let (threshold, least) = (number(scope, 3)?, number(scope, 4)?);
    let sigma = if soft { number(scope, 5)? } else { 0.0 };
    if dims.len() != 2 || dims[1] != 4 || scores.len() != dims[0] || most >= 1 << 24 {
        return Err(Stop::Refused(format!("boxes {dims:?}, {} scores", scores.len())));
    }
    let corner = |one: &[f32; 4]| {
        let [a, b, c, d] = *one;
        [a.min(c), b.min(d), a.max(c), b.max(d)]
    };
    let corners: Vec<Corners> = boxes.as_chunks::<4>().0.iter().map(corner).collect();
    let factor = if sigma > 0.0 { -0.5 / sigma } else { 0.0 };
    let candidate = |at: usize| Candidate { at, score: scores[at], seen: 0 };
    // The best last; of equal ones the first.
    let order = |a: &Candidate, b: &Candidate| a.score.total_cmp(&b.score).then(b.at.cmp(&a.at));
    let mut places: Vec<usize> = (0..scores.len()).filter(|&at| scores[at] > least).collect();
    sort(&mut places, &|a, b| order(&candidate(a), &candidate(b)));
    let mut queue: Vec<Candidate> = places.into_iter().map(candidate).collect();
    let mut kept: Vec<Candidate> = Vec::new();
    while kept.len() < most {
        let Some(mut next) = queue.pop() else { break };
        let before = next.score;
        let mut gone = false;
        for other in kept[next.seen..].iter().rev() {
            let share = overlap(&corners[next.at], &corners[other.at]);
            gone = share >= threshold;
            if gone {
                break;
            }
            if sigma > 0.0 {
                next.score *= (factor * share * share).exp();
            }
            if next.score <= least {
                break;
            }
        }
        next.seen = kept.len();
        if gone {
            continue;
        }
        if next.score == before {
            kept.push(next);
        } else if next.score > least {
            let place = queue.partition_point(|other| order(other, &next).is_lt());
            queue.insert(place, next);
        }
    }
    let mut bytes: Vec<u8> = kept.iter().flat_map(|one| (one.at as i32).to_le_bytes()).collect();
    bytes.resize(4 * most, 0);
    let places = Tensor::new(DType::I32, &[most], &bytes).map_err(|_| "no memory")?;
    let places = scope.constant(places);
    scope.give_tensor(0, places);
    if soft {
        let mut scores: Vec<f32> = kept.iter().map(|one| one.score).collect();
        scores.resize(most, 0.0);
        give(scope, 1, &[most], &scores)?;
    }
    let count = (kept.len() as i32).to_le_bytes();
    let count = Tensor::new(DType::I32, &[], &count).map_err(|_| "no memory")?;
    let count = scope.constant(count);
    scope.give_tensor(if soft { 2 } else { 1 }, count);
    Ok(())
}

/// Whether a custom operator's options were read.
fn detection(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    match scope.call().attribute("num_classes") {
        Some(Attribute::Int(_)) => postprocess(scope),
        _ => Err("its options are missing".into()),
    }
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::NON_MAX_SUPPRESSION_V4", |scope| suppress(scope, false)),
    row("TFLITE::NON_MAX_SUPPRESSION_V5", |scope| suppress(scope, true)),
    row("TFLITE::TFLite_Detection_PostProcess", detection),
];
