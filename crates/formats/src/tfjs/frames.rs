//! Loops of TensorFlow 1: nodes that hand values into a frame, round and round, and out.

use super::TfjsError;
use super::node::{Nodes, Place};
use std::collections::HashMap;

/// A loop.
#[derive(Debug)]
pub(super) struct Frame {
    /// What it hands from round to round.
    pub(super) carried: Vec<Carried>,
    /// Whether there is a round (more).
    pub(super) condition: Place,
    /// What it takes from outside, also what stays.
    pub(super) entering: Vec<Place>,
}

/// What a loop hands from round to round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// The node that is the value in a round.
    pub(super) merge: usize,
    /// Before the first.
    pub(super) first: Place,
    /// After a round.
    pub(super) next: Place,
}

/// The loops of a graph.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) list: Vec<Frame>,
    /// Of each `Exit` its loop, and which of the carried values it hands out.
    pub(super) exits: HashMap<usize, (usize, usize)>,
    /// `Switch` nodes that end a loop, and do not choose between branches.
    pub(super) gates: HashMap<usize, usize>,
}

impl Frames {
    /// Of what a node has to wait for: the branches without which it does not run.
    pub(super) fn guards(&self, nodes: &Nodes<'_>, at: usize) -> Vec<Place> {
        let chooses = |place: &Place| {
            let source = nodes.behind(*place).0;
            nodes.list[source].op == "Switch" && !self.gates.contains_key(&source)
        };
        nodes.before[at].iter().copied().filter(chooses).collect()
    }

    pub(super) fn read(nodes: &Nodes<'_>) -> Result<Self, TfjsError> {
        let mut frames = Self::default();
        let wrong = |at: usize, problem| TfjsError::malformed(nodes.list[at].name, problem);
        let op = |place: Place| nodes.list[place.0].op;
        let mut names: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.list.iter().enumerate() {
            if node.op == "Enter" {
                let name = super::attributes::bytes(node.attributes.get("frame_name").get("s"));
                names.entry(name.unwrap_or_default()).or_default().push(at);
            }
        }
        if names.is_empty() {
            return Ok(frames);
        }
        // Of each `Enter`, and of each value that is carried, its loop.
        let mut loops: Vec<Vec<usize>> = names.into_values().collect();
        loops.sort_unstable();
        let of_enter: HashMap<usize, usize> = loops
            .iter()
            .enumerate()
            .flat_map(|(frame, enters)| enters.iter().map(move |enter| (*enter, frame)))
            .collect();
        let mut carried: Vec<Vec<Carried>> = vec![Vec::new(); loops.len()];
        let mut merges = HashMap::new();
        for (at, node) in nodes.list.iter().enumerate() {
            let sides = &nodes.operands[at];
            let side = |wanted| sides.iter().copied().find(|side| op(*side) == wanted);
            if node.op != "Merge" || side("NextIteration").is_none() {
                continue;
            }
            let (enter, next) = side("Enter").zip(side("NextIteration")).ok_or_else(|| {
                wrong(at, "a loop whose values do not come from outside and from the last round")
            })?;
            let operand = |place: Place| nodes.operands[place.0].first().copied();
            let (first, next) = operand(enter)
                .zip(operand(next))
                .ok_or_else(|| wrong(at, "a node without an operand"))?;
            let frame = of_enter[&enter.0];
            merges.insert(at, (frame, carried[frame].len()));
            carried[frame].push(Carried { merge: at, first, next });
        }
        let mut conditions = vec![None; loops.len()];
        for (at, node) in nodes.list.iter().enumerate() {
            let &[data, condition] = nodes.operands[at].as_slice() else { continue };
            let condition = nodes.behind(condition);
            if node.op == "Switch" && op(condition) == "LoopCond" {
                let merge = nodes.behind(data).0;
                let (frame, _) = *merges
                    .get(&merge)
                    .ok_or_else(|| wrong(at, "a loop's end of a value that is not carried"))?;
                conditions[frame] = nodes.operands[condition.0].first().copied();
                frames.gates.insert(at, merge);
            }
        }
        for (at, node) in nodes.list.iter().enumerate() {
            if node.op == "Exit" {
                let gate = nodes.operands[at].first().map(|place| nodes.behind(*place).0);
                let merge = gate.and_then(|gate| frames.gates.get(&gate));
                let found = merge.and_then(|merge| merges.get(merge));
                let found = found.ok_or_else(|| wrong(at, "it leaves no loop"))?;
                frames.exits.insert(at, *found);
            }
        }
        for ((enters, carried), condition) in loops.iter().zip(carried).zip(conditions) {
            let condition = condition
                .ok_or_else(|| wrong(enters[0], "it enters a loop without a condition"))?;
            let entering = enters.iter().filter_map(|at| nodes.operands[*at].first().copied());
            frames.list.push(Frame { carried, condition, entering: entering.collect() });
        }
        Ok(frames)
    }
}
