use crate::memory::{Arena, ArenaCells, States};
use crate::together::{MOST, together};
use crate::{OpTimes, Weights};
use bytemuck::Pod;
use sidestage_ir::{Args, Operand, Operator, Place, Plan, Value, ValueId, Work};
use sidestage_pool::Pool;
use sidestage_tensor::{Extents, TensorOut, TensorRef};
use smallvec::SmallVec;
use std::collections::TryReserveError;
use std::ops::Range;

/// Work under this cost is done by the calling thread: waking the others costs more (about 200
/// rows of 576 values, measured in `research/kernels.md` §5).
const ALONE: usize = 120_000;

/// Shares are not made smaller than this, if each thread has one: each begins its streams of weights
/// anew. With 60 000 a second thread brings 1.58 times the answer's speed, with this 1.62 times
/// (SmolLM2-135M in Q4_0, Chromium, medians of one run that spread by a tenth).
const SHARE: usize = 500_000;

/// Units handed out one by one are shares of their own, if a thread has no more than this.
const UNITS: usize = 8;

/// Most shares of a thread. Several even out threads that run at different speeds.
const SHARES: usize = 4;

/// Work over this cost a thread is done in pieces, so that the caller can stop within a few
/// milliseconds.
const PIECE: usize = 48_000_000;

/// The caller is asked whether to stop when so much was done since it was last asked: its clock costs
/// 0.3 µs in a browser, as much as many a node of one row.
const ASK: usize = 1_000_000;

/// It is asked after this many nodes at the latest.
const NODES: usize = 8;

/// Whether a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All nodes ran.
    Done,
    /// It stopped because the caller wanted; `resume` goes on.
    Stopped,
}

/// Takes the time of each node of a run.
pub struct Timer<'a> {
    /// Where it goes: of [`Executor::list_ops`].
    pub times: &'a mut OpTimes,
    /// Milliseconds since any moment.
    pub now: &'a dyn Fn() -> f64,
}

/// Runs one plan, again and again, and can stop between nodes and inside long ones.
///
/// A run is `begin`, writing the inputs, `resume` until it says `Done`, reading the outputs.
#[derive(Debug)]
pub struct Executor {
    plan: Plan,
    weights: Weights,
    /// Empty while it is not there to run.
    arena: Arena,
    states: States,
    symbols: Vec<usize>,
    /// Of each value its extents and bytes with these symbols. A step of one row has several hundred
    /// nodes and the extents of the last one.
    sizes: Vec<(Extents, usize)>,
    /// For each node, where those end that may run at once with it.
    together: Vec<usize>,
    node: usize,
    unit: usize,
}

/// Where a run's values lie.
struct Memory<'a> {
    plan: &'a Plan,
    weights: &'a Weights,
    cells: ArenaCells<'a>,
    states: &'a States,
    sizes: &'a [(Extents, usize)],
}

impl<'a> Memory<'a> {
    /// A node with views of its operands and results.
    fn call(&self, node: usize) -> Call<'a> {
        let node = &self.plan.graph.nodes[node];
        let tensor = |id: ValueId| {
            let (extents, len) = self.sizes[id.index()];
            (self.plan.graph.value(id).ty.dtype, extents, len)
        };
        let mut inputs: SmallVec<[Operand<'a>; 8]> = SmallVec::new();
        for &id in &node.inputs {
            let (dtype, extents, len) = tensor(id);
            inputs.push(match self.plan.places[id.index()] {
                Place::Arena { offset, .. } => {
                    let bytes = self.cells.operand(offset, len);
                    Operand::Tensor(TensorRef { dtype, extents, bytes })
                }
                Place::Weight(index) => {
                    let bytes = self.weights.get(index);
                    Operand::Tensor(TensorRef { dtype, extents, bytes })
                }
                Place::Constant(index) => Operand::Tensor(TensorRef {
                    dtype,
                    extents,
                    bytes: self.plan.graph.constants[index].bytes(),
                }),
                Place::State(index) => Operand::Pages(self.states.cells(index)),
            });
        }
        let mut outputs: SmallVec<[TensorOut<'a>; 2]> = SmallVec::new();
        for &id in &node.outputs {
            let (dtype, extents, len) = tensor(id);
            if let Place::Arena { offset, .. } = self.plan.places[id.index()] {
                let bytes = self.cells.result(offset, len);
                outputs.push(TensorOut { dtype, extents, bytes });
            }
        }
        let work = node.op.work(&Args { inputs: &inputs, outputs: &outputs });
        Call { op: &*node.op, inputs, outputs, units: 0..work.units, work }
    }
}

/// A node that is about to run.
struct Call<'a> {
    op: &'a dyn Operator,
    inputs: SmallVec<[Operand<'a>; 8]>,
    outputs: SmallVec<[TensorOut<'a>; 2]>,
    work: Work,
    units: Range<usize>,
}

impl Call<'_> {
    fn cost(&self) -> usize {
        self.units.len().saturating_mul(self.work.cost)
    }

    /// Does one of `parts` shares of it.
    fn run(&self, part: usize, parts: usize) {
        let share = share(&self.units, self.work.grain, part, parts);
        if !share.is_empty() {
            self.op.run(&Args { inputs: &self.inputs, outputs: &self.outputs }, share);
        }
    }
}

impl Executor {
    /// An executor; `weights` in the order of `plan.weights`, as in the file or arranged.
    ///
    /// # Errors
    /// The allocator's refusal of the arena.
    pub fn new(plan: Plan, weights: Weights) -> Result<Self, TryReserveError> {
        let arena = Arena::new(plan.arena_bytes)?;
        Ok(Self { arena, ..Self::without_arena(plan, weights)? })
    }

    /// An executor that is lent an arena for each run ([`Executor::lend`]).
    pub(crate) fn without_arena(plan: Plan, mut weights: Weights) -> Result<Self, TryReserveError> {
        for (index, &id) in plan.weights.iter().enumerate() {
            let ty = &plan.graph.value(id).ty;
            let bytes = weights.get(index).len();
            weights.arrange(index, ty.dtype, ty.extents(&[]).dims(), bytes);
        }
        let arena = Arena::new(0)?;
        let states = States::new(plan.states.len());
        let symbols = vec![0; plan.graph.symbols.len()];
        let (together, node) = (together(&plan), plan.graph.nodes.len());
        let sizes = sizes(&plan, &symbols).collect();
        Ok(Self { plan, weights, arena, states, symbols, sizes, together, node, unit: 0 })
    }

    /// Takes an arena, which it makes large enough.
    pub(crate) fn lend(&mut self, arena: Arena) -> Result<(), TryReserveError> {
        self.arena = arena.grown(self.plan.arena_bytes)?;
        Ok(())
    }

    /// Gives its arena back.
    pub(crate) fn give_back(&mut self) -> Result<Arena, TryReserveError> {
        Ok(std::mem::replace(&mut self.arena, Arena::new(0)?))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Bytes of the arena and of the states' pages.
    pub fn memory(&self) -> (usize, usize) {
        (self.arena.bytes(), self.states.bytes())
    }

    /// Grows every state to at least `pages` pages.
    ///
    /// # Errors
    /// The allocator's refusal; what was there stays.
    pub fn reserve_pages(&mut self, pages: usize) -> Result<(), TryReserveError> {
        let bytes = |state: usize| {
            let ty = &self.plan.graph.value(self.plan.states[state]).ty;
            ty.bytes(&self.symbols).unwrap_or(0)
        };
        self.states.grow(pages, bytes)
    }

    /// Copies one page of every state over another.
    ///
    /// # Panics
    /// If a page is not there.
    pub fn copy_page(&mut self, from: usize, to: usize) {
        self.states.copy_page(from, to);
    }

    /// Starts a run in which the symbols have these values; an unfinished one is given up.
    ///
    /// # Panics
    /// If a symbol's value is over its limit.
    pub fn begin(&mut self, symbols: &[usize]) {
        for (value, (name, limit)) in symbols.iter().zip(&self.plan.graph.symbols) {
            assert!(value <= limit, "{name} = {value} is over its limit {limit}");
        }
        if self.symbols != symbols {
            self.symbols.copy_from_slice(symbols);
            self.sizes.clear();
            self.sizes.extend(sizes(&self.plan, symbols));
        }
        (self.node, self.unit) = (0, 0);
    }

    /// An input's elements, to be written after `begin`.
    ///
    /// # Panics
    /// If `id` is not an input, or has another element type.
    pub fn input<T: Pod>(&mut self, id: ValueId) -> &mut [T] {
        let (offset, len) = self.span(id);
        bytemuck::cast_slice_mut(self.arena.write(offset, len))
    }

    /// An output, to be read when the run is done.
    ///
    /// # Panics
    /// If `id` has no place in the arena.
    pub fn output(&self, id: ValueId) -> TensorRef<'_> {
        let (offset, len) = self.span(id);
        let dtype = self.plan.graph.value(id).ty.dtype;
        let (extents, _) = self.sizes[id.index()];
        TensorRef { dtype, extents, bytes: self.arena.read(offset, len) }
    }

    /// The same output's elements, to be changed.
    ///
    /// # Panics
    /// If `id` has no place in the arena, or another element type.
    pub fn output_mut<T: Pod>(&mut self, id: ValueId) -> &mut [T] {
        self.input(id)
    }

    /// Goes on until the run is done or `stop` says so; `stop` is asked after every piece of a long
    /// node and every few short ones.
    pub fn resume(&mut self, pool: &Pool, stop: &mut dyn FnMut() -> bool) -> Progress {
        self.go_on(pool, stop, None)
    }

    /// As [`Executor::resume`], with the time of each node. Nodes that would run at once run one by one.
    pub fn resume_timed(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        timer: Timer<'_>,
    ) -> Progress {
        self.go_on(pool, stop, Some(timer))
    }

    /// Adds this plan to those whose nodes are timed.
    pub fn list_ops(&self, times: &mut OpTimes) {
        times.list(&self.plan);
    }

    /// Takes the pages of another executor, whose plan has the same states.
    pub fn take_states(&mut self, other: &mut Self) {
        self.states = std::mem::take(&mut other.states);
    }

    fn go_on(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        mut timer: Option<Timer<'_>>,
    ) -> Progress {
        let mut done = 0_usize;
        while self.node < self.plan.graph.nodes.len() {
            let first = self.node;
            let cost = match &mut timer {
                None => self.piece(pool, self.together[first]),
                Some(Timer { times, now }) => {
                    let start = now();
                    let cost = self.piece(pool, first + 1);
                    times.add(first, now() - start, self.node != first);
                    cost
                }
            };
            done = done.saturating_add(cost.max(ASK / NODES * (self.node - first)));
            if done < ASK {
                continue;
            }
            done = 0;
            if stop() && self.node < self.plan.graph.nodes.len() {
                return Progress::Stopped;
            }
        }
        Progress::Done
    }

    /// Runs the nodes up to `end` at once, or, if that is long, one or a piece of one. What that cost.
    fn piece(&mut self, pool: &Pool, end: usize) -> usize {
        let memory = Memory {
            plan: &self.plan,
            weights: &self.weights,
            cells: self.arena.cells(),
            states: &self.states,
            sizes: &self.sizes,
        };
        let threads = pool.threads();
        let most = PIECE.saturating_mul(threads);
        let mut calls: SmallVec<[Call<'_>; MOST]> = SmallVec::new();
        let mut cost = 0_usize;
        for node in self.node..end {
            let call = memory.call(node);
            cost = cost.saturating_add(call.cost());
            calls.push(call);
            if cost > most || self.unit > 0 {
                break;
            }
        }
        if cost > most || self.unit > 0 {
            calls.truncate(1);
            let Call { work, units, .. } = &mut calls[0];
            *units = self.unit..piece_end(self.unit, work, most);
            cost = calls[0].cost();
        }
        if cost <= ALONE || threads == 1 {
            calls.iter().for_each(|call| call.run(0, 1));
        } else {
            let shares = shares(&calls, cost, threads);
            pool.run(shares, &|share| calls.iter().for_each(|call| call.run(share, shares)));
        }
        let last = &calls[calls.len() - 1];
        (self.node, self.unit) = match last.units.end >= last.work.units {
            true => (self.node + calls.len(), 0),
            false => (self.node, last.units.end),
        };
        cost
    }

    fn span(&self, id: ValueId) -> (usize, usize) {
        match self.plan.places[id.index()] {
            Place::Arena { offset, .. } => (offset, self.sizes[id.index()].1),
            place => panic!("{id:?} is in {place:?}, not in the arena"),
        }
    }
}

/// The extents and bytes of a plan's values, whose sizes are whole blocks.
fn sizes(plan: &Plan, symbols: &[usize]) -> impl Iterator<Item = (Extents, usize)> {
    plan.graph.values.iter().map(|Value { ty, .. }| {
        let extents = ty.extents(symbols);
        (extents, extents.elements() / ty.dtype.block_len() * ty.dtype.block_bytes())
    })
}

/// Where the piece of at most this cost that starts at `unit` ends.
fn piece_end(unit: usize, work: &Work, most: usize) -> usize {
    let grains = (most / work.cost.max(1)).max(1).div_ceil(work.grain.max(1));
    work.units.min(unit.saturating_add(grains.saturating_mul(work.grain.max(1))))
}

/// How many shares these calls are cut in.
fn shares(calls: &[Call<'_>], cost: usize, threads: usize) -> usize {
    match calls {
        // Few and uneven, as the chunks of attention are, the last of which is not full.
        [Call { work: Work { grain: 1, .. }, units, .. }] if units.len() <= UNITS * threads => {
            units.len()
        }
        _ => cost.div_ceil(SHARE).next_multiple_of(threads).min(SHARES * threads),
    }
}

/// The units of one of `parts` shares: whole grains, as even as they go.
fn share(units: &Range<usize>, grain: usize, part: usize, parts: usize) -> Range<usize> {
    let grain = grain.max(1);
    let grains = units.len().div_ceil(grain);
    let at = |part: usize| (units.start + grains * part / parts * grain).min(units.end);
    at(part)..at(part + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_all_units_once() {
        for units in [0..0, 0..1, 3..17, 5..1005] {
            for grain in [1, 4, 16] {
                for parts in 1..5 {
                    let shares: Vec<_> =
                        (0..parts).map(|part| share(&units, grain, part, parts)).collect();
                    assert_eq!(shares.first().map(|share| share.start), Some(units.start));
                    assert_eq!(shares.last().map(|share| share.end), Some(units.end));
                    assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
                }
            }
        }
    }

    #[test]
    fn long_work_is_cut_in_pieces_of_whole_grains() {
        let work = Work { units: 1000, grain: 8, cost: PIECE / 20 };
        assert_eq!(piece_end(0, &work, PIECE), 24);
        assert_eq!(piece_end(992, &work, PIECE), 1000);
        let dear = Work { units: 3, grain: 1, cost: usize::MAX };
        assert_eq!(piece_end(0, &dear, PIECE), 1);
    }
}
