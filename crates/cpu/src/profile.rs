use sidestage_ir::{Node, Plan};

/// How long operators took, over any number of runs.
#[derive(Clone, Debug, Default)]
pub struct OpTimes {
    list: Vec<OpTime>,
    /// For each node of each plan, its place in the list.
    of_node: Vec<Vec<usize>>,
    /// The plan whose nodes are counted.
    plan: usize,
}

/// The nodes of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct OpTime {
    /// The operator, and what it makes, without the numbers that tell layers apart:
    /// `Linear blk.ffn_down`.
    pub name: String,
    /// Nodes that ran.
    pub calls: u64,
    /// Milliseconds they took.
    pub ms: f64,
}

impl OpTimes {
    /// Also those of this plan, the next one.
    pub(crate) fn list(&mut self, plan: &Plan) {
        let mut places = Vec::new();
        for node in &plan.graph.nodes {
            let name = name(plan, node);
            places.push(self.list.iter().position(|op| op.name == name).unwrap_or_else(|| {
                self.list.push(OpTime { name, calls: 0, ms: 0.0 });
                self.list.len() - 1
            }));
        }
        self.of_node.push(places);
    }

    /// Counts nodes of the n-th plan from now on.
    pub fn choose(&mut self, plan: usize) {
        self.plan = plan;
    }

    /// Counts some milliseconds of a node, and whether it is done.
    pub(crate) fn add(&mut self, node: usize, ms: f64, done: bool) {
        let op = &mut self.list[self.of_node[self.plan][node]];
        op.ms += ms;
        op.calls += u64::from(done);
    }

    /// Adds times of another plan.
    pub(crate) fn merge(&mut self, other: &Self) {
        for op in other.list.iter().filter(|op| op.ms > 0.0 || op.calls > 0) {
            match self.list.iter_mut().find(|own| own.name == op.name) {
                Some(own) => {
                    own.ms += op.ms;
                    own.calls += op.calls;
                }
                None => self.list.push(op.clone()),
            }
        }
    }

    /// Those that ran, the longest first.
    pub fn longest(&self) -> Vec<OpTime> {
        let mut list = self.list.clone();
        list.retain(|op| op.calls > 0);
        list.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        list
    }
}

/// What a node is called: by its result, or by the state that it changes.
fn name(plan: &Plan, node: &Node) -> String {
    let value = node.outputs.first().or(node.inputs.last());
    let of = value.map_or("", |id| &plan.graph.value(*id).name);
    let parts = of.split('.').filter(|part| part.parse::<u32>().is_err());
    format!("{} {}", node.op.name(), parts.collect::<Vec<_>>().join("."))
}
