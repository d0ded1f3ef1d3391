use super::val::{At, Traced};
use super::{Draft, Scope, Stop, TraceError, Val, Work};
use crate::{Graph, Model, ValueId, Var};
use sidestage_tensor::Tensor;

/// What is to be run before a trace can go on, or to its end.
#[derive(Debug)]
pub struct Segment {
    /// The graph.
    pub graph: Graph,
    /// Its inputs, and the registers that hold them.
    pub feeds: Vec<(usize, ValueId)>,
    /// Its outputs, and the registers that take them.
    pub gives: Vec<(usize, ValueId)>,
    /// The registers whose tensors the trace asks for; none at the end, or if the model is cut only
    /// because it is long.
    pub needs: Vec<usize>,
    /// The registers that are read after it: all others may be forgotten.
    pub keeps: Vec<usize>,
    /// At the end: the model's outputs.
    pub outcome: Option<Vec<Outcome>>,
}

/// An output of a model.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// In this register, in this shape.
    Register(usize, Vec<usize>),
    /// Known without running anything.
    Known(Tensor),
    /// Several.
    Sequence(Vec<Outcome>),
    /// An optional value that is not there.
    Nothing,
}

impl Outcome {
    fn of(val: &Val) -> Self {
        match val {
            Val::Tensor(tensor) => match &tensor.0.at {
                At::Known(known) => Self::Known(known.clone()),
                At::Register(register) => Self::Register(*register, tensor.dims().to_vec()),
                // What is kept has been given a register.
                At::Value(_) => Self::Nothing,
            },
            Val::Nothing | Val::Dead => Self::Nothing,
            Val::Sequence(all) => Self::Sequence(all.iter().map(Self::of).collect()),
        }
    }
}

impl Work<'_> {
    /// Ends the graph: what is still needed goes to registers.
    pub(super) fn finish(mut self, mut needs: Vec<Val>) -> Result<Segment, TraceError> {
        let trace = &mut *self.trace;
        let frames: Vec<_> = trace.frames.iter().map(|frame| (frame.body, frame.next)).collect();
        let (lives, model) = (trace.lives.clone(), trace.model.clone());
        let outputs: Vec<usize> = model.left().map(Var::index).collect();
        for (var, val) in trace.env.iter_mut().enumerate() {
            if !lives.needed(var, frames.iter().copied()) && !outputs.contains(&var) {
                *val = None;
            }
        }
        if let Err(stop) = self.settle(&model, &mut needs) {
            let problem = match stop {
                Stop::Refused(problem) => problem,
                Stop::Memory(bytes) => return Err(TraceError::Memory { bytes }),
                Stop::Needs(_) | Stop::Dead => "an order that depends on a value".into(),
            };
            return Err(self.trace.refusal(problem));
        }
        let Self { trace, draft } = self;
        let Draft { graph, feeds, .. } = std::mem::take(draft);
        let mut gives: Vec<(usize, ValueId)> = Vec::new();
        let mut registers = trace.registers;
        let mut keep = |tensor: &mut Traced| {
            if let At::Value(id) = tensor.0.at {
                let known = gives.iter().find(|(_, given)| *given == id);
                let register = known.map_or(registers, |(register, _)| *register);
                if register == registers {
                    gives.push((register, id));
                    registers += 1;
                }
                tensor.move_to(At::Register(register));
            }
        };
        trace.visit(&mut |_, val| val.each(&mut keep));
        let mut asked = Vec::new();
        for val in &mut needs {
            val.each(&mut |tensor| {
                keep(tensor);
                if let At::Register(register) = tensor.0.at {
                    asked.push(register);
                }
            });
        }
        trace.registers = registers;
        trace.asked = asked.clone();
        let outcome = trace.frames.is_empty().then(|| {
            let vals = model.left().map(|var| trace.env[var.index()].as_ref());
            vals.map(|val| val.map_or(Outcome::Nothing, Outcome::of)).collect()
        });
        let mut keeps = asked.clone();
        trace.visit(&mut |_, val| {
            val.each(&mut |tensor| {
                if let At::Register(register) = tensor.0.at {
                    keeps.push(register);
                }
            });
        });
        let ids: Vec<ValueId> = gives.iter().map(|(_, id)| *id).collect();
        Ok(Segment { graph: graph.finish(&ids), feeds, gives, needs: asked, keeps, outcome })
    }

    /// What is kept lies as its dimensions say.
    fn settle(&mut self, model: &Model, needs: &mut [Val]) -> Result<(), Stop> {
        let Some(call) = model.bodies.iter().find_map(|body| body.calls.first()) else {
            return Ok(());
        };
        let mut kept = std::mem::take(&mut self.trace.env);
        let mut rounds: Vec<_> =
            self.trace.frames.iter_mut().map(|frame| frame.rounds.take()).collect();
        let mut scope = Scope::new(self, model, call);
        let mut problem = None;
        let mut settle = |val: &mut Val| {
            val.each(&mut |tensor| match scope.settled(tensor) {
                Ok(settled) => *tensor = settled,
                Err(stop) => problem = Some(stop),
            });
        };
        kept.iter_mut().flatten().chain(needs).for_each(&mut settle);
        rounds.iter_mut().flatten().for_each(|rounds| rounds.visit(&mut settle));
        self.trace.env = kept;
        for (frame, rounds) in self.trace.frames.iter_mut().zip(rounds) {
            frame.rounds = rounds;
        }
        problem.map_or(Ok(()), Err)
    }
}
