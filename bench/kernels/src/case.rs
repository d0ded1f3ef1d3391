//! One operator in a graph of its own.

use sidestage_cpu::{Executor, Progress, Weights};
use sidestage_ir::{Graph, Plan, ValueId};
use sidestage_pool::Pool;

/// In what a case's arithmetic is done.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Arithmetic {
    /// 8-bit integers.
    Int8,
    /// Single precision.
    F32,
}

/// What one run has to do.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// Bytes of weights, cache or rows that are read.
    pub(crate) bytes: f64,
    /// Multiply-adds.
    pub(crate) macs: f64,
    /// Of what.
    pub(crate) arithmetic: Arithmetic,
}

/// A case that is ready to run.
pub(crate) struct Case {
    executor: Executor,
    pub(crate) work: Work,
}

/// Every byte of weights and inputs is one of these: whatever number it becomes part of, in whatever
/// layout, is small, normal and not zero (as a half 0.06, as a float 2e-12), so that no figure depends
/// on slow arithmetic of denormals.
fn sane(bytes: &mut [u8]) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = 0x2c + (at * 7 % 3) as u8;
    }
}

impl Case {
    /// Plans the graph, fills weights and float inputs, and lets `fill` write the others. A case whose
    /// weights are not granted would measure nothing, so that is a panic, here as below.
    pub(crate) fn new(
        graph: Graph,
        work: Work,
        pages: usize,
        fill: impl FnOnce(&mut Executor),
    ) -> Self {
        let plan = Plan::new(graph).unwrap_or_else(|error| panic!("{error}"));
        let sizes: Vec<usize> = plan
            .weights
            .iter()
            .map(|&id| plan.graph.value(id).ty.bytes(&[]).expect("a size that was planned"))
            .collect();
        let mut weights = Weights::allocate(&sizes).expect("memory for the weights");
        for index in 0..sizes.len() {
            sane(weights.get_mut(index));
        }
        let mut executor = Executor::new(plan, weights).expect("memory for the arena");
        executor.reserve_pages(pages).expect("memory for the states");
        for page in 1..pages {
            // Memory that was never written is one page of zeros, read faster than any other.
            executor.copy_page(0, page);
        }
        executor.begin(&[]);
        fill(&mut executor);
        Self { executor, work }
    }

    pub(crate) fn run(&mut self, pool: &Pool) {
        self.executor.begin(&[]);
        let progress = self.executor.resume(pool, &mut || false);
        assert_eq!(progress, Progress::Done);
    }
}

/// Fills an input of any type but indices.
pub(crate) fn fill(executor: &mut Executor, input: ValueId) {
    sane(executor.input::<u8>(input));
}
