//! Which nodes may run at once: the three products of an attention, the two of a feed-forward. One job
//! for all of them is one wait for the slowest thread instead of one each.

use sidestage_ir::{Node, Place, Plan, ValueId};

/// Most nodes that run at once.
pub(crate) const MOST: usize = 4;

/// For each node the end of those that, from it on, may run at once.
pub(crate) fn together(plan: &Plan) -> Vec<usize> {
    let nodes = &plan.graph.nodes;
    let mut ends = Vec::with_capacity(nodes.len());
    for first in 0..nodes.len() {
        let free =
            |end: &usize| nodes[first..*end].iter().all(|one| apart(plan, one, &nodes[*end]));
        let most = nodes.len().min(first + MOST);
        ends.push((first + 1..most).find(|end| !free(end)).unwrap_or(most));
    }
    ends
}

/// Whether neither node writes what the other reads or writes.
fn apart(plan: &Plan, a: &Node, b: &Node) -> bool {
    let place = |id: &ValueId| plan.places[id.index()];
    let all = |node: &Node| -> Vec<Place> {
        node.inputs.iter().chain(&node.outputs).map(place).collect()
    };
    let written = |node: &Node| -> Vec<Place> {
        // An operator with an effect changes states.
        let states = node.inputs.iter().map(place).filter(|_| node.op.has_effect());
        states.chain(node.outputs.iter().map(place)).collect()
    };
    let meet = |written: &[Place], of: &[Place]| {
        written.iter().any(|one| of.iter().any(|other| overlap(*one, *other)))
    };
    !meet(&written(a), &all(b)) && !meet(&written(b), &all(a))
}

fn overlap(a: Place, b: Place) -> bool {
    match (a, b) {
        (Place::Arena { offset: a, bytes: a_len }, Place::Arena { offset: b, bytes: b_len }) => {
            a < b + b_len && b < a + a_len
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidestage_ir::{Args, Dim, GraphBuilder, Operator, ValueType, Work};
    use sidestage_tensor::DType;
    use std::ops::Range;

    /// Makes a value of the first operand's type of all of them, and may change them.
    #[derive(Debug)]
    struct Mix {
        changes: bool,
    }

    impl Operator for Mix {
        fn name(&self) -> &'static str {
            "Mix"
        }

        fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
            Ok(if self.changes { Vec::new() } else { vec![inputs[0].clone()] })
        }

        fn has_effect(&self) -> bool {
            self.changes
        }

        fn work(&self, _: &Args<'_>) -> Work {
            Work { units: 1, grain: 1, cost: 1 }
        }

        fn run(&self, _: &Args<'_>, _: Range<usize>) {}
    }

    #[test]
    fn nodes_run_at_once_that_neither_write_what_the_other_uses() {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", DType::F32, &[Dim::Fixed(64)]);
        let cache = graph.state("cache", DType::F32, &[64]);
        let mut mix = |name: &str, of: &[ValueId]| graph.apply(name, Mix { changes: false }, of);
        let [q, k] = ["q", "k"].map(|name| mix(name, &[x]).unwrap());
        let dot = mix("dot", &[q, k]).unwrap();
        // In the bytes of q or k, whose lives are over; the next may use what is left of them.
        let more = mix("more", &[dot]).unwrap();
        let last = mix("last", &[dot, x]).unwrap();
        graph.effect("kept", Mix { changes: true }, &[last, cache]).unwrap();
        let read = graph.apply("read", Mix { changes: false }, &[more, cache]).unwrap();
        let plan = Plan::new(graph.finish(&[read])).unwrap();
        assert_eq!(together(&plan), [2, 2, 3, 5, 5, 6, 7]);
    }

    #[test]
    fn a_value_in_the_bytes_of_another_waits_for_its_readers() {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", DType::F32, &[Dim::Fixed(64)]);
        let mut mix = |name: &str, of: &[ValueId]| graph.apply(name, Mix { changes: false }, of);
        let a = mix("a", &[x]).unwrap();
        let b = mix("b", &[a]).unwrap();
        // `a` is over: this has its bytes, though it does not depend on `b`.
        let c = mix("c", &[x]).unwrap();
        let sum = mix("sum", &[b, c]).unwrap();
        let plan = Plan::new(graph.finish(&[sum])).unwrap();
        assert_eq!(plan.places[a.index()], plan.places[c.index()]);
        assert_eq!(together(&plan), [1, 2, 3, 4]);
    }

    #[test]
    fn no_more_than_a_few_run_at_once() {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", DType::F32, &[Dim::Fixed(64)]);
        let mut mix = |at: usize| graph.apply(&at.to_string(), Mix { changes: false }, &[x]);
        let all: Vec<ValueId> = (0..MOST + 2).map(|at| mix(at).unwrap()).collect();
        let plan = Plan::new(graph.finish(&all)).unwrap();
        assert_eq!(together(&plan)[..3], [MOST, MOST + 1, MOST + 2]);
    }
}
