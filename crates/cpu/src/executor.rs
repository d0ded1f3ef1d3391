use crate::memory::{Arena, State};
use crate::{OpTimes, Weights};
use bytemuck::Pod;
use sidestage_ir::{Args, Operand, Place, Plan, ValueId, Work};
use sidestage_pool::Pool;
use sidestage_tensor::{Extents, TensorOut, TensorRef};
use smallvec::SmallVec;
use std::collections::TryReserveError;
use std::ops::Range;

/// Work under this cost is done by the calling thread: waking the others costs more (about 200
/// rows of 576 values, measured in `research/kernels.md` §5).
const ALONE: usize = 120_000;

/// Shares are not made smaller than this: claiming one costs about as much as a hundred elements.
const SHARE: usize = 60_000;

/// Most shares of a thread. Several even out threads that run at different speeds.
const SHARES: usize = 4;

/// Work over this cost is done in pieces, so that the caller can stop within a few milliseconds.
const PIECE: usize = 48_000_000;

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
    /// Where it goes: of [`Executor::op_times`].
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
    arena: Arena,
    states: Vec<State>,
    symbols: Vec<usize>,
    node: usize,
    unit: usize,
}

impl Executor {
    /// An executor; `weights` in the order of `plan.weights`, as in the file or arranged.
    ///
    /// # Errors
    /// The allocator's refusal of the arena.
    pub fn new(plan: Plan, mut weights: Weights) -> Result<Self, TryReserveError> {
        for (index, &id) in plan.weights.iter().enumerate() {
            let ty = &plan.graph.value(id).ty;
            let bytes = weights.get(index).len();
            weights.arrange(index, ty.dtype, ty.extents(&[]).dims(), bytes);
        }
        let arena = Arena::new(plan.arena_bytes)?;
        let states = plan.states.iter().map(|_| State::default()).collect();
        let symbols = vec![0; plan.graph.symbols.len()];
        let node = plan.graph.nodes.len();
        Ok(Self { plan, weights, arena, states, symbols, node, unit: 0 })
    }

    /// Bytes of the arena and of the states' pages.
    pub fn memory(&self) -> (usize, usize) {
        (self.arena.bytes(), self.states.iter().map(State::bytes).sum())
    }

    /// Grows every state to at least `pages` pages.
    ///
    /// # Errors
    /// The allocator's refusal; what was there stays.
    pub fn reserve_pages(&mut self, pages: usize) -> Result<(), TryReserveError> {
        for (state, id) in self.states.iter_mut().zip(&self.plan.states) {
            let bytes = self.plan.graph.value(*id).ty.bytes(&self.symbols).unwrap_or(0);
            state.grow(pages, bytes)?;
        }
        Ok(())
    }

    /// Copies one page of every state over another.
    ///
    /// # Panics
    /// If a page is not there.
    pub fn copy_page(&mut self, from: usize, to: usize) {
        for state in &mut self.states {
            state.copy_page(from, to);
        }
    }

    /// Starts a run in which the symbols have these values; an unfinished one is given up.
    ///
    /// # Panics
    /// If a symbol's value is over its limit.
    pub fn begin(&mut self, symbols: &[usize]) {
        for (value, (name, limit)) in symbols.iter().zip(&self.plan.graph.symbols) {
            assert!(value <= limit, "{name} = {value} is over its limit {limit}");
        }
        self.symbols.copy_from_slice(symbols);
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
        let ty = &self.plan.graph.value(id).ty;
        let extents = ty.extents(&self.symbols);
        TensorRef { dtype: ty.dtype, extents, bytes: self.arena.read(offset, len) }
    }

    /// The same output's elements, to be changed.
    ///
    /// # Panics
    /// If `id` has no place in the arena, or another element type.
    pub fn output_mut<T: Pod>(&mut self, id: ValueId) -> &mut [T] {
        self.input(id)
    }

    /// Goes on until the run is done or `stop` says so; `stop` is asked after every node and
    /// every piece of a long one.
    pub fn resume(&mut self, pool: &Pool, stop: &mut dyn FnMut() -> bool) -> Progress {
        self.go_on(pool, stop, None)
    }

    /// As [`Executor::resume`], with the time of each node.
    pub fn resume_timed(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        timer: Timer<'_>,
    ) -> Progress {
        self.go_on(pool, stop, Some(timer))
    }

    /// No times yet, for the nodes of this plan.
    pub fn op_times(&self) -> OpTimes {
        OpTimes::new(&self.plan)
    }

    fn go_on(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        mut timer: Option<Timer<'_>>,
    ) -> Progress {
        while self.node < self.plan.graph.nodes.len() {
            match &mut timer {
                None => self.piece(pool),
                Some(Timer { times, now }) => {
                    let (node, start) = (self.node, now());
                    self.piece(pool);
                    times.add(node, now() - start, self.node != node);
                }
            }
            if stop() && self.node < self.plan.graph.nodes.len() {
                return Progress::Stopped;
            }
        }
        Progress::Done
    }

    /// Runs one node or one piece of it.
    fn piece(&mut self, pool: &Pool) {
        let node = &self.plan.graph.nodes[self.node];
        let cells = self.arena.cells();
        let tensor = |id: ValueId| {
            let ty = &self.plan.graph.value(id).ty;
            (ty.dtype, ty.extents(&self.symbols))
        };
        let mut inputs: SmallVec<[Operand<'_>; 8]> = SmallVec::new();
        for &id in &node.inputs {
            let (dtype, extents) = tensor(id);
            inputs.push(match self.plan.places[id.index()] {
                Place::Arena { offset, .. } => {
                    let bytes = cells.operand(offset, byte_len(dtype, extents));
                    Operand::Tensor(TensorRef { dtype, extents, bytes })
                }
                Place::Weight(index) => {
                    let bytes = self.weights.get(index);
                    Operand::Tensor(TensorRef { dtype, extents, bytes })
                }
                Place::State(index) => Operand::Pages(self.states[index].cells()),
            });
        }
        let mut outputs: SmallVec<[TensorOut<'_>; 2]> = SmallVec::new();
        for &id in &node.outputs {
            let (dtype, extents) = tensor(id);
            if let Place::Arena { offset, .. } = self.plan.places[id.index()] {
                let bytes = cells.result(offset, byte_len(dtype, extents));
                outputs.push(TensorOut { dtype, extents, bytes });
            }
        }
        let args = Args { inputs: &inputs, outputs: &outputs };
        let work = node.op.work(&args);
        let units = self.unit..piece_end(self.unit, &work);
        let cost = units.len().saturating_mul(work.cost);
        if cost <= ALONE || pool.threads() == 1 {
            node.op.run(&args, units.clone());
        } else {
            let parts = (cost / SHARE).clamp(pool.threads(), SHARES * pool.threads());
            pool.run(parts, &|part| {
                let share = share(&units, work.grain, part, parts);
                if !share.is_empty() {
                    node.op.run(&args, share);
                }
            });
        }
        self.unit = units.end;
        if self.unit >= work.units {
            (self.node, self.unit) = (self.node + 1, 0);
        }
    }

    fn span(&self, id: ValueId) -> (usize, usize) {
        let ty = &self.plan.graph.value(id).ty;
        match self.plan.places[id.index()] {
            Place::Arena { offset, .. } => (offset, byte_len(ty.dtype, ty.extents(&self.symbols))),
            place => panic!("{id:?} is in {place:?}, not in the arena"),
        }
    }
}

/// Bytes of a value that was planned, so that its size is whole blocks.
fn byte_len(dtype: sidestage_tensor::DType, extents: Extents) -> usize {
    extents.elements() / dtype.block_len() * dtype.block_bytes()
}

/// Where the piece that starts at `unit` ends.
fn piece_end(unit: usize, work: &Work) -> usize {
    let grains = (PIECE / work.cost.max(1)).max(1).div_ceil(work.grain.max(1));
    work.units.min(unit.saturating_add(grains.saturating_mul(work.grain.max(1))))
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
        assert_eq!(piece_end(0, &work), 24);
        assert_eq!(piece_end(992, &work), 1000);
        let dear = Work { units: 3, grain: 1, cost: usize::MAX };
        assert_eq!(piece_end(0, &dear), 1);
    }
}
