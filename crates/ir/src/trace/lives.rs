use crate::{BodyId, Model, Var};
use std::collections::HashSet;

/// For how long each variable is needed.
#[derive(Debug)]
pub(super) struct Lives {
    /// The body that makes it, and its last call there that needs it; past all calls: its outputs do.
    /// What no body makes is known, and stays.
    last: Vec<Option<(BodyId, usize)>>,
}

impl Lives {
    pub(super) fn new(model: &Model) -> Self {
        let mut lives = Self { last: vec![None; model.names.len()] };
        if !model.bodies.is_empty() {
            lives.uses(model, BodyId(0));
        }
        lives
    }

    /// Whether a body needs a variable when it has come to this call.
    pub(super) fn needed(
        &self,
        var: usize,
        mut frames: impl Iterator<Item = (BodyId, usize)>,
    ) -> bool {
        self.last[var]
            .is_none_or(|(body, last)| frames.any(|(frame, next)| frame == body && next <= last))
    }

    /// The variables that a body takes from those around it.
    fn uses(&mut self, model: &Model, id: BodyId) -> HashSet<Var> {
        let body = &model.bodies[id.index()];
        let made = body.calls.iter().flat_map(|call| call.outputs.iter().flatten());
        let own: HashSet<Var> = body.inputs.iter().chain(made).copied().collect();
        for var in &own {
            self.last[var.index()] = Some((id, 0));
        }
        let mut outer = HashSet::new();
        let mut note = |last: &mut Vec<Option<(BodyId, usize)>>, var: Var, at: usize| {
            if own.contains(&var) {
                last[var.index()] = Some((id, at));
            } else {
                outer.insert(var);
            }
        };
        for (at, call) in body.calls.iter().enumerate() {
            for var in call.inputs.iter().flatten() {
                note(&mut self.last, *var, at);
            }
            for inner in call.bodies() {
                for var in self.uses(model, inner) {
                    note(&mut self.last, var, at);
                }
            }
        }
        for var in &body.outputs {
            note(&mut self.last, *var, usize::MAX);
        }
        outer
    }
}
