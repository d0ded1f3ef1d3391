//! From a [`Model`] to graphs, for the shapes at hand.
//!
//! A trace walks through the calls as they would run. For each, the operator's lowering is asked: it
//! looks at types and shapes, which are always known, and at the values that are, and applies
//! [`Operator`](crate::Operator)s. What depends on known values only is computed at once. Where a
//! lowering needs a value that is not known yet (a shape that is computed, the condition of a branch)
//! the trace pauses: the graph so far is to be run, then it goes on with the value. So branches and
//! loops need no more than this: the trace goes where the run would go.

mod fold;
mod known;
mod lives;
mod memo;
mod scope;
mod segment;
mod val;

pub use fold::computed;
pub(crate) use fold::fold;
pub use memo::Memo;
pub use scope::Scope;
pub use segment::{Outcome, Segment};
pub use val::{Given, Traced, Transpose, Val};

use crate::{Body, BodyId, Call, GraphBuilder, GraphError, Model};
use lives::Lives;
use sidestage_tensor::Tensor;
use std::fmt;
use std::sync::Arc;

/// A graph ends after so many nodes, so that a loop of many rounds is run piece by piece.
const MOST_NODES: usize = 4096;

/// Gives the lowering of a call, if there is one.
pub type Table = fn(&Call) -> Option<Lower>;

/// Applies the operators of one call.
pub type Lower = fn(&mut Scope<'_, '_>) -> Result<(), Stop>;

/// Why a lowering stops.
#[derive(Debug)]
pub enum Stop {
    /// It needs what these tensors hold. It is asked again when that is known.
    Needs(Vec<Val>),
    /// It refuses the call: a sentence.
    Refused(String),
    /// A value of so many bytes does not fit.
    Memory(usize),
    /// An operand is of a branch that is not taken, and so are the results.
    Dead,
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Refused(problem)
    }
}

impl From<&str> for Stop {
    // Of hundreds of places.
    #[cold]
    #[inline(never)]
    fn from(problem: &str) -> Self {
        Self::Refused(problem.into())
    }
}

/// Why a model cannot be run with what is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// There are no such operators.
    Unsupported {
        /// Their names, each once.
        ops: Vec<String>,
    },
    /// An operator refuses its operands or attributes.
    Call {
        /// The operator.
        op: String,
        /// The call's name, or that of its first result.
        at: String,
        /// Why.
        problem: String,
    },
    /// A value does not fit.
    Memory {
        /// Its bytes.
        bytes: usize,
    },
    /// The graph cannot be planned.
    Graph(GraphError),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { ops } => {
                let (noun, verb) = if ops.len() == 1 { ("", "is") } else { ("s", "are") };
                write!(f, "the operator{noun} {} {verb} not supported", ops.join(", "))
            }
            Self::Call { op, at, problem } => write!(f, "{op} at {at}: {problem}"),
            Self::Memory { bytes } => write!(f, "no memory for {bytes} bytes of a value"),
            Self::Graph(error) => error.fmt(f),
        }
    }
}

impl TraceError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "OP_UNSUPPORTED",
            Self::Memory { .. } => "OUT_OF_MEMORY",
            Self::Call { .. } | Self::Graph(_) => "GRAPH_INVALID",
        }
    }
}

impl std::error::Error for TraceError {}

impl From<GraphError> for TraceError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

/// What a call does with the bodies that it runs ([`Scope::enter`]).
pub trait Rounds: fmt::Debug + Send + Sync {
    /// Takes what the body gave. Either gives the body's inputs for one more round ([`Scope::set`])
    /// and says so, or gives the call's results.
    ///
    /// # Errors
    /// As a lowering; it is then asked again, as it was before.
    fn next(&mut self, scope: &mut Scope<'_, '_>, given: Vec<Val>) -> Result<bool, Stop>;

    /// Shows each value that it keeps from round to round.
    fn visit(&mut self, each: &mut dyn FnMut(&mut Val));

    /// A copy, to go on from here again.
    fn copy(&self) -> Box<dyn Rounds>;
}

/// A body that is being walked through.
#[derive(Debug)]
struct Frame {
    body: BodyId,
    /// The call to come, or that has entered the next frame.
    next: usize,
    rounds: Option<Box<dyn Rounds>>,
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        let rounds = self.rounds.as_ref().map(|rounds| rounds.copy());
        Self { body: self.body, next: self.next, rounds }
    }
}

/// See the module. A copy goes on from the same place.
#[derive(Clone, Debug)]
pub struct Trace {
    model: Arc<Model>,
    lives: Arc<Lives>,
    table: Table,
    /// What is known of each variable.
    env: Vec<Option<Val>>,
    frames: Vec<Frame>,
    /// How many registers there are: tensors that are kept from segment to segment, the inputs first.
    registers: usize,
    /// The registers that the last segment asked for.
    asked: Vec<usize>,
    /// Whether tensors may lie in another order than their dimensions say.
    orders: bool,
    /// Most bytes of a value.
    limit: usize,
    /// Most nodes of a segment.
    most: usize,
    memo: Option<Memo>,
}

/// The graph of a segment that is not whole yet.
#[derive(Debug, Default)]
pub struct Draft {
    graph: GraphBuilder,
    /// Registers that are inputs of the graph.
    feeds: Vec<(usize, crate::ValueId)>,
    /// What was transposed, by which order, and what came out.
    transposed: Vec<(crate::ValueId, Vec<usize>, Traced)>,
}

/// A trace at work on a graph.
struct Work<'a> {
    trace: &'a mut Trace,
    draft: &'a mut Draft,
}

impl Trace {
    /// That there are all operators, also where the model would not come by.
    ///
    /// # Errors
    /// [`TraceError::Unsupported`]: all that are missing.
    pub fn check(model: &Model, table: Table) -> Result<(), TraceError> {
        let mut ops: Vec<String> = Vec::new();
        for call in model.bodies.iter().flat_map(|body| &body.calls) {
            if table(call).is_none() && !ops.contains(&call.op) {
                ops.push(call.op.clone());
            }
        }
        ops.sort_unstable();
        if ops.is_empty() { Ok(()) } else { Err(TraceError::Unsupported { ops }) }
    }

    /// Begins with inputs and states of these types, in the model's order. The registers take their tensors, one
    /// after the other.
    ///
    /// # Errors
    /// As [`Trace::check`].
    pub fn new(model: Arc<Model>, table: Table, inputs: &[Given]) -> Result<Self, TraceError> {
        Self::check(&model, table)?;
        let mut env = vec![None; model.names.len()];
        for (var, tensor) in &model.constants {
            env[var.index()] = Some(Val::known(tensor.clone()));
        }
        let mut registers = 0;
        for (var, given) in model.given().zip(inputs) {
            env[var.index()] = Some(given.val(&mut registers));
        }
        let lives = Arc::new(Lives::new(&model));
        let frames = vec![Frame { body: BodyId(0), next: 0, rounds: None }];
        let (asked, orders, limit, most, memo) = (Vec::new(), true, usize::MAX, MOST_NODES, None);
        Ok(Self { model, lives, table, env, frames, registers, asked, orders, limit, most, memo })
    }

    /// Refuses values of more bytes.
    #[must_use]
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Ends a segment that has so many nodes.
    #[must_use]
    pub fn with_most(mut self, nodes: usize) -> Self {
        self.most = nodes;
        self
    }

    /// Computes nothing of known values that other traces with this memo have computed.
    #[must_use]
    pub fn with_memo(mut self, memo: Memo) -> Self {
        self.memo = Some(memo);
        self
    }

    /// Leaves no tensor in another order than its dimensions say: for tests of what may be left so.
    #[must_use]
    pub fn without_orders(mut self) -> Self {
        self.orders = false;
        self
    }

    /// Goes on until the model is done, or a value is needed, or the graph is large. `known` are the
    /// values that the last segment asked for ([`Segment::needs`]).
    ///
    /// # Errors
    /// What cannot be run.
    pub fn segment(&mut self, known: &[Tensor]) -> Result<Segment, TraceError> {
        let mut draft = Draft::default();
        loop {
            if let Some(segment) = self.resume(&mut draft, known, &mut || false)? {
                return Ok(segment);
            }
        }
    }

    /// As [`Trace::segment`], until `stop` says so, which is asked after each call. Nothing: it did,
    /// and the segment is gone on with by the same draft.
    ///
    /// # Errors
    /// What cannot be run.
    pub fn resume(
        &mut self,
        draft: &mut Draft,
        known: &[Tensor],
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Segment>, TraceError> {
        let asked = std::mem::take(&mut self.asked);
        if !asked.is_empty() {
            self.visit(&mut |_, val| val.learn(&asked, known));
        }
        let mut work = Work { trace: self, draft };
        let mut needs = Vec::new();
        while !work.trace.frames.is_empty() && work.draft.graph.nodes() < work.trace.most {
            match work.step() {
                Ok(()) if stop() => return Ok(None),
                Ok(()) => {}
                Err(Stop::Needs(vals)) => {
                    needs = vals;
                    break;
                }
                Err(Stop::Refused(problem)) => return Err(work.trace.refusal(problem)),
                Err(Stop::Memory(bytes)) => return Err(TraceError::Memory { bytes }),
                Err(Stop::Dead) => {
                    let problem = "a value of a branch that is not taken".into();
                    return Err(work.trace.refusal(problem));
                }
            }
        }
        work.finish(needs).map(Some)
    }

    /// Shows each value that is kept: of a variable, or by the rounds of a frame.
    fn visit(&mut self, each: &mut dyn FnMut(Option<usize>, &mut Val)) {
        for (index, val) in self.env.iter_mut().enumerate() {
            if let Some(val) = val {
                each(Some(index), val);
            }
        }
        for rounds in self.frames.iter_mut().filter_map(|frame| frame.rounds.as_mut()) {
            rounds.visit(&mut |val| each(None, val));
        }
    }

    /// The call that was to come.
    fn refusal(&self, problem: String) -> TraceError {
        let at = self
            .frames
            .iter()
            .rev()
            .find_map(|frame| self.model.bodies[frame.body.index()].calls.get(frame.next));
        let Some(call) = at else {
            return TraceError::Call { op: "Model".into(), at: "its end".into(), problem };
        };
        if (self.table)(call).is_none() {
            return TraceError::Unsupported { ops: vec![call.op.clone()] };
        }
        let first = || call.outputs.iter().flatten().next().map(|var| self.model.name(*var).into());
        let at = Some(call.name.clone()).filter(|name| !name.is_empty()).or_else(first);
        TraceError::Call { op: call.op.clone(), at: at.unwrap_or_default(), problem }
    }
}

impl Work<'_> {
    /// One call, or the end of a body.
    fn step(&mut self) -> Result<(), Stop> {
        let model = Arc::clone(&self.trace.model);
        let depth = self.trace.frames.len();
        let Frame { body, next, .. } = self.trace.frames[depth - 1];
        let body = &model.bodies[body.index()];
        let Some(call) = body.calls.get(next) else { return self.leave(&model, body) };
        let lower = (self.trace.table)(call).ok_or("")?;
        match lower(&mut Scope::new(self, &model, call)) {
            Err(Stop::Dead) => {
                for var in call.outputs.iter().flatten() {
                    self.trace.env[var.index()] = Some(Val::Dead);
                }
            }
            other => other?,
        }
        if self.trace.frames.len() == depth {
            self.trace.frames[depth - 1].next += 1;
        }
        Ok(())
    }

    /// The last frame's body has ended.
    fn leave(&mut self, model: &Model, body: &Body) -> Result<(), Stop> {
        let last = self.trace.frames.len() - 1;
        if last > 0 {
            let outer = &self.trace.frames[last - 1];
            let call = &model.bodies[outer.body.index()].calls[outer.next];
            let given = body.outputs.iter().map(|var| {
                let val = self.trace.env[var.index()].clone();
                val.ok_or_else(|| Stop::Refused(format!("nothing gives {}", model.name(*var))))
            });
            let given: Vec<Val> = given.collect::<Result<_, _>>()?;
            let rounds = self.trace.frames[last].rounds.as_ref().map(|rounds| rounds.copy());
            let mut scope = Scope::new(self, model, call);
            if let Some(mut rounds) = rounds {
                // A copy: if it needs a value it is asked again.
                let again = rounds.next(&mut scope, given)?;
                if again {
                    self.trace.frames[last].next = 0;
                    self.trace.frames[last].rounds = Some(rounds);
                    return Ok(());
                }
            } else {
                given.into_iter().enumerate().for_each(|(at, val)| scope.give(at, val));
            }
            self.trace.frames[last - 1].next += 1;
        }
        self.trace.frames.pop();
        Ok(())
    }
}
