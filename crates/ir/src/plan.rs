use crate::{Graph, GraphError, Kind, ValueId};

/// Where a value lives at run time. A plan names places, never addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this byte of the arena, for the symbols' largest values.
    Arena {
        /// First byte.
        offset: usize,
        /// Bytes reserved.
        bytes: usize,
    },
    /// The n-th weight of the graph.
    Weight(usize),
    /// The n-th state of the graph.
    State(usize),
    /// The n-th constant of the graph.
    Constant(usize),
}

/// A graph with a place for every value.
///
/// Values whose lives do not overlap share arena bytes. Inputs and outputs keep theirs for the
/// whole run, so that the caller may write the former before and read the latter after it.
#[derive(Debug)]
pub struct Plan {
    /// The graph.
    pub graph: Graph,
    /// The place of each value, by index. Values that nobody computes or reads have an empty one.
    pub places: Vec<Place>,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Weights, in the order of [`Place::Weight`].
    pub weights: Vec<ValueId>,
    /// States, in the order of [`Place::State`].
    pub states: Vec<ValueId>,
}

/// Every place starts on a cache line, so that threads do not share one and any type can be viewed.
const ALIGNMENT: usize = 64;

impl Plan {
    /// Plans the arena.
    ///
    /// # Errors
    /// A value whose size is not whole blocks or does not fit the address space.
    pub fn new(graph: Graph) -> Result<Self, GraphError> {
        let limits: Vec<usize> = graph.symbols.iter().map(|(_, limit)| *limit).collect();
        let mut sizes = Vec::with_capacity(graph.values.len());
        for value in &graph.values {
            let bytes = value.ty.bytes(&limits).and_then(|bytes| bytes.checked_add(ALIGNMENT - 1));
            let bytes = bytes.ok_or_else(|| GraphError::Size { value: value.name.clone() })?;
            sizes.push(bytes / ALIGNMENT * ALIGNMENT);
        }
        let mut places = vec![Place::Arena { offset: 0, bytes: 0 }; graph.values.len()];
        let (mut weights, mut states) = (Vec::new(), Vec::new());
        let mut arena = Arena::default();
        let too_large = |id: ValueId| GraphError::Size { value: graph.value(id).name.clone() };
        for (index, value) in graph.values.iter().enumerate() {
            let id = ValueId(index as u32);
            match value.kind {
                Kind::Weight => {
                    places[index] = Place::Weight(weights.len());
                    weights.push(id);
                }
                Kind::State => {
                    places[index] = Place::State(states.len());
                    states.push(id);
                }
                Kind::Input => {
                    places[index] = arena.take(sizes[index]).ok_or_else(|| too_large(id))?;
                }
                Kind::Constant(at) => places[index] = Place::Constant(at),
                Kind::Computed(_) | Kind::View(_) => {}
            }
        }
        let last_use = last_uses(&graph);
        for (index, node) in graph.nodes.iter().enumerate() {
            for id in &node.outputs {
                let place = arena.take(sizes[id.index()]);
                places[id.index()] = place.ok_or_else(|| too_large(*id))?;
            }
            let all = node.inputs.iter().chain(&node.outputs);
            let mut over: Vec<ValueId> = all.map(|id| graph.root(*id)).collect();
            over.retain(|id| last_use[id.index()] == Some(index));
            // `x + x` reads one value twice; its bytes are given back once.
            over.sort_unstable();
            over.dedup();
            for id in over {
                if let Place::Arena { offset, bytes } = places[id.index()] {
                    arena.give_back(offset, bytes);
                }
            }
        }
        for (index, value) in graph.values.iter().enumerate() {
            if let Kind::View(of) = value.kind {
                places[index] = places[of.index()];
            }
        }
        Ok(Self { graph, places, arena_bytes: arena.size, weights, states })
    }
}

/// The node after which each value is not needed any more; `None`: it stays.
fn last_uses(graph: &Graph) -> Vec<Option<usize>> {
    let mut last = vec![None; graph.values.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        for id in node.inputs.iter().chain(&node.outputs) {
            last[graph.root(*id).index()] = Some(index);
        }
    }
    for (index, value) in graph.values.iter().enumerate() {
        if !matches!(value.kind, Kind::Computed(_)) {
            last[index] = None;
        }
    }
    for id in &graph.outputs {
        last[graph.root(*id).index()] = None;
    }
    last
}

/// Free byte ranges of the arena, in order, never adjacent.
#[derive(Default)]
struct Arena {
    free: Vec<(usize, usize)>,
    size: usize,
}

impl Arena {
    /// The smallest free range that is large enough, or new bytes at the end; `None` if the arena
    /// would be larger than the address space.
    fn take(&mut self, bytes: usize) -> Option<Place> {
        let fits = self.free.iter().enumerate().filter(|(_, range)| range.1 >= bytes);
        if let Some((index, _)) = fits.min_by_key(|(_, range)| range.1) {
            let (offset, length) = self.free[index];
            if length == bytes {
                self.free.remove(index);
            } else {
                self.free[index] = (offset + bytes, length - bytes);
            }
            return Some(Place::Arena { offset, bytes });
        }
        let mut offset = self.size;
        // A free range at the very end grows instead of being left behind.
        if let Some(&(start, length)) = self.free.last()
            && start + length == self.size
        {
            offset = start;
            self.free.pop();
        }
        self.size = offset.checked_add(bytes)?;
        Some(Place::Arena { offset, bytes })
    }

    fn give_back(&mut self, offset: usize, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let at = self.free.partition_point(|range| range.0 < offset);
        self.free.insert(at, (offset, bytes));
        if at + 1 < self.free.len() && self.free[at].0 + self.free[at].1 == self.free[at + 1].0 {
            self.free[at].1 += self.free.remove(at + 1).1;
        }
        if at > 0 && self.free[at - 1].0 + self.free[at - 1].1 == self.free[at].0 {
            self.free[at - 1].1 += self.free.remove(at).1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Args, Dim, GraphBuilder, Operator, ValueType, Work};
    use sidestage_tensor::DType;
    use std::ops::Range;

    /// Joins its operands into one value of the first one's type.
    #[derive(Debug)]
    struct Join;

    impl Operator for Join {
        fn name(&self) -> &'static str {
            "Join"
        }
        fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
            Ok(vec![inputs[0].clone()])
        }
        fn work(&self, _: &Args<'_>) -> Work {
            Work { units: 1, grain: 1, cost: 1 }
        }
        fn run(&self, _: &Args<'_>, _: Range<usize>) {}
    }

    fn overlap(a: Place, b: Place) -> bool {
        match (a, b) {
            (Place::Arena { offset: a, bytes: m }, Place::Arena { offset: b, bytes: n }) => {
                a < b + n && b < a + m
            }
            _ => false,
        }
    }

    #[test]
    fn a_chain_needs_two_buffers_and_values_alive_together_never_overlap() {
        let mut builder = GraphBuilder::new();
        let rows = builder.symbol("rows", 10);
        let input = builder.input("x", DType::F32, &[rows, Dim::Fixed(16)]);
        let mut values = vec![input];
        for index in 0..6 {
            let skip = values[if index == 1 { 1 } else { index / 2 }];
            let last = values[index];
            values.push(builder.apply("join", Join, &[last, skip]).unwrap());
        }
        let plan = Plan::new(builder.finish(&values[6..])).unwrap();
        for (index, node) in plan.graph.nodes.iter().enumerate() {
            let out = node.outputs[0];
            // Whatever is read at or after this node and was made before it must not be overwritten.
            for later in &plan.graph.nodes[index..] {
                for id in later.inputs.iter().filter(|id| id.index() < out.index()) {
                    assert!(!overlap(plan.places[out.index()], plan.places[id.index()]));
                }
            }
        }
        assert!(plan.arena_bytes < 7 * 640);
    }

    #[test]
    fn values_that_are_too_large_together_are_refused() {
        let mut builder = GraphBuilder::new();
        let half = Dim::Fixed(usize::MAX / 8 + 1);
        builder.input("one", DType::F32, &[half]);
        builder.input("two", DType::F32, &[half]);
        let refused = Plan::new(builder.finish(&[])).unwrap_err();
        assert_eq!(refused, GraphError::Size { value: "two".into() });
    }

    #[test]
    fn dead_nodes_go() {
        let mut builder = GraphBuilder::new();
        let input = builder.input("x", DType::F32, &[Dim::Fixed(16)]);
        let used = builder.apply("used", Join, &[input]).unwrap();
        builder.apply("unused", Join, &[used]).unwrap();
        assert_eq!(builder.finish(&[used]).nodes.len(), 1);
    }
}
