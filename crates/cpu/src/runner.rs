//! Runs a model whose shapes and ways depend on what it is given: traces it, segment by segment, runs
//! each, and keeps the segments for the next run that goes the same way.

use crate::memory::Arena;
use crate::{Executor, ExplainedSegment, Explanation, OpTimes, Progress, Timer, Weights};
use sidestage_ir::{
    Draft, Given, Model, Outcome, Pass, Plan, PortKind, Segment, Table, Trace, TraceError, ValueId,
    ValueType,
};
use sidestage_pool::Pool;
use sidestage_tensor::{AlignedBytes, Tensor};
use std::fmt;
use std::sync::Arc;

/// Segments that are kept. When there are more all are forgotten: nobody knows which will be needed.
const KEPT: usize = 64;

/// Why a model does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// It cannot be traced.
    Trace(TraceError),
    /// There is no memory for what lies between its operators.
    Memory {
        /// Bytes wanted.
        bytes: usize,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace(error) => error.fmt(f),
            Self::Memory { bytes } => {
                write!(f, "no memory for {bytes} bytes of intermediate values")
            }
        }
    }
}

impl RunError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trace(error) => error.code(),
            Self::Memory { .. } => "OUT_OF_MEMORY",
        }
    }
}

impl std::error::Error for RunError {}

impl From<TraceError> for RunError {
    fn from(error: TraceError) -> Self {
        Self::Trace(error)
    }
}

/// An input or output of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A tensor.
    Tensor(Tensor),
    /// Several.
    Sequence(Vec<Value>),
    /// An optional value that is not there.
    Nothing,
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl Value {
    fn given(&self) -> Given {
        match self {
            Self::Tensor(tensor) => Given::Tensor(ValueType::fixed(tensor.dtype(), tensor.dims())),
            Self::Sequence(all) => Given::Sequence(all.iter().map(Self::given).collect()),
            Self::Nothing => Given::Nothing,
        }
    }

    /// Its tensors go to registers, in order.
    fn register(self, registers: &mut Vec<Option<Tensor>>) {
        match self {
            Self::Tensor(tensor) => registers.push(Some(tensor)),
            Self::Sequence(all) => all.into_iter().for_each(|one| one.register(registers)),
            Self::Nothing => {}
        }
    }
}

/// A model, and the segments that are known of it.
#[derive(Debug)]
pub struct Runner {
    model: Arc<Model>,
    table: Table,
    /// The inputs' types, and the first segment.
    roots: Vec<(Vec<Given>, usize)>,
    segments: Vec<Known>,
    passes: Vec<Pass>,
    /// Whether values may lie in another order than their dimensions say.
    orders: bool,
    /// Most bytes between the operators of a segment.
    limit: usize,
    /// Segments take turns with it; a run that is stopped has it.
    arena: Option<Arena>,
    run: Option<Run>,
    /// What the last run left for the next.
    states: Vec<Tensor>,
    /// Times of operators of segments that are forgotten.
    past: OpTimes,
}

/// A segment that has been planned.
#[derive(Debug)]
struct Known {
    executor: Executor,
    feeds: Vec<(usize, ValueId)>,
    gives: Vec<(usize, ValueId)>,
    needs: Vec<usize>,
    keeps: Vec<usize>,
    times: Option<OpTimes>,
    outcome: Option<Vec<Outcome>>,
    /// Where the trace stands after it.
    trace: Trace,
    /// The segments that follow it, by what it was asked for.
    next: Vec<(Vec<Tensor>, usize)>,
}

/// A run under way.
#[derive(Debug)]
struct Run {
    registers: Vec<Option<Tensor>>,
    at: Stage,
}

/// How far a run is.
#[derive(Debug)]
enum Stage {
    /// Its next segment is not known yet.
    Tracing(Box<Tracing>),
    /// A segment is to be run.
    Next(usize),
    /// Its inputs have been written, its outputs not yet been read.
    Running(usize),
    /// The last one has been run.
    Done(usize),
}

/// A segment that is being traced.
#[derive(Debug)]
struct Tracing {
    trace: Trace,
    draft: Draft,
    /// What follows which, and when.
    after: After,
}

#[derive(Debug)]
enum After {
    /// The first segment for inputs of these types.
    Start(Vec<Given>),
    /// The one after this, when it asked for these.
    Segment(usize, Vec<Tensor>),
}

impl After {
    fn asked(&self) -> &[Tensor] {
        match self {
            Self::Start(_) => &[],
            Self::Segment(_, asked) => asked,
        }
    }
}

/// What the first run begins with.
fn first_states(model: &Model) -> Vec<Tensor> {
    model.states.iter().map(|state| state.first.clone()).collect()
}

impl Runner {
    /// A model; `limit` bytes at most lie between the operators of a segment.
    pub fn new(model: Arc<Model>, table: Table, limit: usize) -> Self {
        let (roots, segments, passes) = (Vec::new(), Vec::new(), Vec::new());
        let (arena, run, past) = (None, None, OpTimes::default());
        let states = first_states(&model);
        let orders = true;
        Self { model, table, roots, segments, passes, orders, limit, arena, run, states, past }
    }

    /// Leaves no value in another order than its dimensions say ([`Trace::without_orders`]).
    #[must_use]
    pub fn without_orders(mut self) -> Self {
        self.orders = false;
        self
    }

    /// Rewrites each segment by these passes before it is planned.
    #[must_use]
    pub fn with_passes(mut self, passes: &[Pass]) -> Self {
        self.passes = passes.to_vec();
        self
    }

    /// Forgets what runs have left for the next ones.
    pub fn reset(&mut self) {
        self.states = first_states(&self.model);
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Bytes that lie between the operators of what has been planned.
    pub fn scratch_bytes(&self) -> usize {
        let lent = self.segments.iter().map(|known| known.executor.memory().0);
        lent.sum::<usize>() + self.arena.as_ref().map_or(0, Arena::bytes)
    }

    /// That there are all operators that the model calls.
    ///
    /// # Errors
    /// All that are missing.
    pub fn check(&self) -> Result<(), RunError> {
        Ok(Trace::check(&self.model, self.table)?)
    }

    /// Begins a run, with the inputs in the model's order; one under way is given up.
    ///
    /// # Errors
    /// What cannot be run.
    pub fn begin(
        &mut self,
        inputs: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Result<(), RunError> {
        let inputs = inputs.into_iter().map(Into::into);
        let states = self.states.iter().cloned().map(Value::Tensor);
        let inputs: Vec<Value> = inputs.chain(states).collect();
        if let Some(Run { at: Stage::Running(segment), .. }) = self.run.take() {
            self.arena = self.segments[segment].executor.give_back().ok();
        }
        let types: Vec<Given> = inputs.iter().map(Value::given).collect();
        let known = self.roots.iter().find(|(known, _)| *known == types).map(|(_, at)| *at);
        let at = match known {
            Some(segment) => Stage::Next(segment),
            None => Stage::Tracing(Box::new(self.start(types)?)),
        };
        let mut registers = Vec::new();
        inputs.into_iter().for_each(|input| input.register(&mut registers));
        self.run = Some(Run { registers, at });
        Ok(())
    }

    /// Goes on until the run is done or `stop` says so, which is asked as by [`Executor::resume`], and
    /// after each call of the model while it is traced.
    ///
    /// # Errors
    /// What cannot be run; the run is over then.
    pub fn resume(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Progress, RunError> {
        self.go_on(pool, stop, None)
    }

    /// As [`Runner::resume`], with the time of each operator, for [`Runner::take_times`]; `now` gives
    /// milliseconds.
    ///
    /// # Errors
    /// As of [`Runner::resume`].
    pub fn resume_timed(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        now: &dyn Fn() -> f64,
    ) -> Result<Progress, RunError> {
        self.go_on(pool, stop, Some(now))
    }

    /// What was timed since the last call.
    pub fn take_times(&mut self) -> OpTimes {
        let times = self.times();
        self.past = OpTimes::default();
        self.segments.iter_mut().for_each(|known| known.times = None);
        times
    }

    fn times(&self) -> OpTimes {
        let mut all = self.past.clone();
        self.segments.iter().filter_map(|known| known.times.as_ref()).for_each(|of| all.merge(of));
        all
    }

    fn go_on(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        now: Option<&dyn Fn() -> f64>,
    ) -> Result<Progress, RunError> {
        let Some(mut run) = self.run.take() else { return Ok(Progress::Done) };
        loop {
            run.at = match run.at {
                Stage::Tracing(mut tracing) => {
                    let Tracing { trace, draft, after } = &mut *tracing;
                    match trace.resume(draft, after.asked(), stop)? {
                        Some(segment) => Stage::Next(self.plan(segment, *tracing)?),
                        None => {
                            self.run = Some(Run { at: Stage::Tracing(tracing), ..run });
                            return Ok(Progress::Stopped);
                        }
                    }
                }
                Stage::Next(at) => {
                    self.segments[at].begin(&run.registers, self.arena.take())?;
                    Stage::Running(at)
                }
                Stage::Running(at) => {
                    let known = &mut self.segments[at];
                    if known.resume(pool, stop, now) == Progress::Stopped {
                        self.run = Some(run);
                        return Ok(Progress::Stopped);
                    }
                    let taken = known.take(&mut run.registers);
                    self.arena = known.executor.give_back().ok();
                    taken?;
                    known.next(at, &run.registers)
                }
                Stage::Done(_) => {
                    self.run = Some(run);
                    return Ok(Progress::Done);
                }
            };
        }
    }

    /// The outputs of the run that is done, in the model's order; none without one.
    pub fn finish(&mut self) -> Vec<Value> {
        let Some(Run { registers, at: Stage::Done(segment) }) = self.run.take() else {
            return Vec::new();
        };
        let outcome = self.segments[segment].outcome.iter().flatten();
        let mut all: Vec<Value> = outcome.map(|outcome| output(outcome, &registers)).collect();
        let left = all.split_off(all.len().min(self.model.outputs.len()));
        for (state, value) in self.states.iter_mut().zip(left) {
            if let Value::Tensor(next) = value {
                *state = next;
            }
        }
        all
    }

    /// What is planned so far: all that runs of this kind have needed.
    pub fn explain(&self) -> Explanation {
        let segments = self.segments.iter();
        let each =
            segments.map(|known| ExplainedSegment::new(known.executor.plan(), known.needs.len()));
        Explanation { segments: each.collect() }
    }

    /// Whether nothing is planned yet.
    pub fn is_unplanned(&self) -> bool {
        self.segments.is_empty()
    }

    /// Plans as far as a run of inputs with the declared types and shapes goes without their values, if
    /// nothing is planned yet; of a model that leaves them open, or has loops to be gone through,
    /// nothing.
    ///
    /// # Errors
    /// What cannot be run.
    pub fn plan_declared(&mut self) -> Result<(), RunError> {
        let declared = self.model.inputs.iter().map(|port| match (&port.kind, port.dtype) {
            (PortKind::Tensor, Some(dtype)) => {
                Some(Given::Tensor(ValueType::fixed(dtype, &port.fixed()?)))
            }
            _ => None,
        });
        let states = self.states.iter();
        let states = states.map(|of| Some(Given::Tensor(ValueType::fixed(of.dtype(), of.dims()))));
        let Some(types) = declared.chain(states).collect::<Option<Vec<_>>>() else {
            return Ok(());
        };
        if !self.is_unplanned() {
            return Ok(());
        }
        let mut tracing = self.start(types)?;
        // It is asked after each call and each end of a body. Without loops none of them comes twice; a
        // loop without an end nobody could abort.
        let bodies = self.model.bodies.iter();
        let mut left: usize = bodies.map(|body| 2 * (body.calls.len() + 1)).sum();
        let mut stop = || {
            left = left.saturating_sub(1);
            left == 0
        };
        match tracing.trace.resume(&mut tracing.draft, &[], &mut stop)? {
            Some(segment) => self.plan(segment, tracing).map(drop),
            None => Ok(()),
        }
    }

    /// The trace of a run with inputs of these types.
    fn start(&self, types: Vec<Given>) -> Result<Tracing, TraceError> {
        let trace = Trace::new(Arc::clone(&self.model), self.table, &types)?;
        let mut trace = trace.with_limit(self.limit);
        if !self.orders {
            trace = trace.without_orders();
        }
        Ok(Tracing { trace, draft: Draft::default(), after: After::Start(types) })
    }

    /// Plans a segment that has been traced.
    fn plan(&mut self, segment: Segment, tracing: Tracing) -> Result<usize, RunError> {
        let Segment { mut graph, feeds, gives, needs, keeps, outcome } = segment;
        graph.rewrite(&self.passes);
        let plan = Plan::new(graph).map_err(TraceError::Graph)?;
        let bytes = plan.arena_bytes;
        if bytes > self.limit {
            return Err(RunError::Memory { bytes });
        }
        let refused = |_| RunError::Memory { bytes };
        let weights = Weights::allocate(&[]).map_err(refused)?;
        let executor = Executor::without_arena(plan, weights).map_err(refused)?;
        if self.segments.len() >= KEPT {
            self.past = self.times();
            self.roots.clear();
            self.segments.clear();
        }
        let Tracing { trace, after, .. } = tracing;
        let at = self.segments.len();
        match after {
            After::Start(types) => self.roots.push((types, at)),
            // It may have been forgotten just now.
            After::Segment(before, asked) => {
                if let Some(before) = self.segments.get_mut(before) {
                    before.next.push((asked, at));
                }
            }
        }
        let (times, next) = (None, Vec::new());
        let known = Known { executor, feeds, gives, needs, keeps, times, outcome, trace, next };
        self.segments.push(known);
        Ok(at)
    }
}

impl Known {
    /// Writes the inputs.
    fn begin(
        &mut self,
        registers: &[Option<Tensor>],
        arena: Option<Arena>,
    ) -> Result<(), RunError> {
        let bytes = self.executor.plan().arena_bytes;
        let arena = arena.map_or_else(|| Arena::new(bytes), Ok);
        let lent = arena.and_then(|arena| self.executor.lend(arena));
        lent.map_err(|_| RunError::Memory { bytes })?;
        self.executor.begin(&[]);
        for (register, id) in &self.feeds {
            if let Some(tensor) = &registers[*register] {
                self.executor.input::<u8>(*id).copy_from_slice(tensor.bytes());
            }
        }
        Ok(())
    }

    /// Goes on until it is done or `stop` says so.
    fn resume(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        now: Option<&dyn Fn() -> f64>,
    ) -> Progress {
        let Some(now) = now else { return self.executor.resume(pool, stop) };
        let times = self.times.get_or_insert_with(|| {
            let mut times = OpTimes::default();
            self.executor.list_ops(&mut times);
            times
        });
        self.executor.resume_timed(pool, stop, Timer { times, now })
    }

    /// Reads the outputs.
    fn take(&self, registers: &mut Vec<Option<Tensor>>) -> Result<(), RunError> {
        for (register, id) in &self.gives {
            let view = self.executor.output(*id);
            let bytes = view.bytes.len();
            let mut room = AlignedBytes::zeroed(bytes).map_err(|_| RunError::Memory { bytes })?;
            room.as_mut_slice().copy_from_slice(view.bytes);
            if registers.len() <= *register {
                registers.resize(*register + 1, None);
            }
            registers[*register] = Some(Tensor::from_bytes(view.dtype, view.extents.dims(), room));
        }
        for (register, tensor) in registers.iter_mut().enumerate() {
            if !self.keeps.contains(&register) {
                *tensor = None;
            }
        }
        Ok(())
    }

    /// What comes after it, which has been run.
    fn next(&self, at: usize, registers: &[Option<Tensor>]) -> Stage {
        if self.outcome.is_some() {
            return Stage::Done(at);
        }
        let asked = self.needs.iter().map(|&register| registers[register].clone());
        let asked: Vec<Tensor> = asked.flatten().collect();
        match self.next.iter().find(|(values, _)| *values == asked) {
            Some((_, next)) => Stage::Next(*next),
            None => {
                let (trace, draft) = (self.trace.clone(), Draft::default());
                let after = After::Segment(at, asked);
                Stage::Tracing(Box::new(Tracing { trace, draft, after }))
            }
        }
    }
}

fn output(outcome: &Outcome, registers: &[Option<Tensor>]) -> Value {
    match outcome {
        Outcome::Register(register, dims) => match registers.get(*register) {
            Some(Some(tensor)) => Value::Tensor(tensor.reshaped(dims)),
            _ => Value::Nothing,
        },
        Outcome::Known(tensor) => Value::Tensor(tensor.clone()),
        Outcome::Sequence(all) => {
            Value::Sequence(all.iter().map(|one| output(one, registers)).collect())
        }
        Outcome::Nothing => Value::Nothing,
    }
}
