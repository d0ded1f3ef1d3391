//! What a model keeps from run to run: variables, and tensors that layers change.

use super::super::tensor::spend;
use super::{Builder, Instance, TfliteError, index};
use sidestage_ir::{Call, State, Var};
use sidestage_tensor::Tensor;
use std::collections::{HashMap, HashSet};

/// A state, while its last value is not known yet.
pub(super) struct Kept<'a> {
    now: Var,
    first: Tensor,
    of: Keeper<'a>,
}

/// What holds a state.
#[derive(Clone, Copy)]
enum Keeper<'a> {
    /// The tensor with this number.
    Tensor(usize),
    /// The variable with this name.
    Variable(&'a str),
}

/// Layers that change operands which are kept from run to run.
pub(super) const LAYERS: &[&str] = &[
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "LSTM",
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
];

impl<'a> Builder<'a> {
    /// The names of the variables that a subgraph assigns to.
    pub(super) fn assigned(&self, graph: usize) -> Result<HashSet<&'a str>, TfliteError> {
        let (mut names, mut assigned) = (HashMap::new(), HashSet::new());
        let graph = self.graphs.get(graph).ok_or_else(|| index(graph))?;
        for operator in graph.operators.iter() {
            let operator = operator?;
            let code = self.codes.get(operator.index(0)?).ok_or_else(|| index(0))?;
            match code.name {
                "VAR_HANDLE" => {
                    let name = operator.table(4)?.ok_or(TfliteError::Cut)?.text(1)?;
                    names.extend(operator.ints(2)?.map(|tensor| (tensor, name)));
                }
                "ASSIGN_VARIABLE" => {
                    let name = operator.ints(1)?.next().and_then(|handle| names.get(&handle));
                    assigned.extend(name);
                }
                _ => {}
            }
        }
        Ok(assigned)
    }

    /// What a layer's operand holds when a run begins, if the layer changes it.
    pub(super) fn state(
        &mut self,
        instance: &mut Instance,
        tensor: usize,
        op: &str,
    ) -> Result<Option<Var>, TfliteError> {
        if !self.is_outermost() || !LAYERS.contains(&op) {
            return Ok(None);
        }
        let info = self.graphs[instance.graph].tensors.get(tensor).ok_or_else(|| index(tensor))?;
        if !info.variable {
            return Ok(None);
        }
        let budget = &mut self.budget;
        let Some(first) = info.content(self.file, &self.buffers, budget)? else { return Ok(None) };
        spend(budget, info.name.len() + 64)?;
        let now = self.model.var(info.name);
        self.states.push(Kept { now, first, of: Keeper::Tensor(tensor) });
        instance.vars.insert(tensor, now);
        Ok(Some(now))
    }

    /// A variable is the value that it has been given last. In a branch or loop that is not known.
    pub(super) fn variable(
        &mut self,
        assigns: bool,
        call: &Call,
        outputs: impl Iterator<Item = i32>,
        to: &mut Instance,
    ) -> Result<(), TfliteError> {
        let op = if assigns { "ASSIGN_VARIABLE" } else { "READ_VARIABLE" };
        let handle = call.inputs.first().copied().flatten();
        let name = handle.and_then(|handle| self.handles.get(&handle)).copied();
        let name = name.ok_or(TfliteError::Subgraph { op })?;
        if assigns {
            let value = call.inputs.get(1).copied().flatten();
            let value = value.filter(|_| self.inner == 0).ok_or(TfliteError::Subgraph { op })?;
            self.variables.insert(name, value);
            if self.is_outermost() {
                // What is read from here on is of this run.
                self.assigned.remove(name);
            }
            return Ok(());
        }
        for number in outputs {
            let (tensor, _) = self.tensor(to.graph, number)?;
            let undefined = || TfliteError::Undefined { name: name.into(), op: op.into() };
            let mut value = *self.variables.get(name).ok_or_else(undefined)?;
            if self.is_outermost() && self.assigned.contains(name) {
                value = self.begun(name, value)?;
            }
            to.vars.insert(tensor, value);
        }
        Ok(())
    }

    /// The value of a variable that is assigned to, where it is read: what the last run has left, if it
    /// has been given nothing but what is known.
    fn begun(&mut self, name: &'a str, value: Var) -> Result<Var, TfliteError> {
        let first = self.model.constants.iter().find(|(var, _)| *var == value);
        let Some((_, first)) = first else { return Ok(value) };
        let first = first.clone();
        let now = self.var(name)?;
        self.states.push(Kept { now, first, of: Keeper::Variable(name) });
        self.variables.insert(name, now);
        Ok(now)
    }

    /// Makes [`sidestage_ir::Model::states`] of what was found, when all has been read.
    pub(super) fn keep(&mut self, instance: &mut Instance) {
        for Kept { now, first, of } in std::mem::take(&mut self.states) {
            let next = match of {
                Keeper::Tensor(tensor) => instance.vars.get(&tensor),
                Keeper::Variable(name) => self.variables.get(name),
            };
            let next = next.copied().unwrap_or(now);
            instance.body.inputs.push(now);
            instance.body.outputs.push(next);
            self.model.states.push(State { now, next, first });
        }
    }
}
