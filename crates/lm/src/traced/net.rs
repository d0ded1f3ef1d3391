//! The calls of a model as a net: who makes a value, and who uses it.

use super::refused;
use super::sites::Site;
use crate::LmError;
use sidestage_ir::{Attribute, Call, Model, Port, PortDim, Var};
use sidestage_tensor::{DType, Tensor};
use std::collections::{HashMap, HashSet};

/// Calls that give some elements of their first operand, and nothing else.
const MOVES: [&str; 8] =
    ["Cast", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"];

/// The inputs of a decoder by what they are, and its logits.
pub(super) struct Ports {
    pub(super) tokens: Port,
    pub(super) positions: Option<Port>,
    pub(super) mask: Option<Port>,
    pub(super) past: Vec<Port>,
    /// How many of the last positions' logits are wanted; 0: all.
    pub(super) kept: Option<Port>,
    pub(super) logits: Var,
}

impl Ports {
    pub(super) fn find(model: &Model) -> Result<Self, LmError> {
        let (mut tokens, mut positions, mut mask, mut kept) = (None, None, None, None);
        let mut past = Vec::new();
        for port in &model.inputs {
            let (name, port) = (model.name(port.var), port.clone());
            let whole = matches!(port.dtype, Some(DType::I64 | DType::I32));
            let rank = port.dims.as_ref().map_or(0, Vec::len);
            match name {
                "input_ids" if whole => tokens = Some(port),
                "position_ids" if whole && rank == 2 => positions = Some(port),
                "attention_mask" if rank == 2 => mask = Some(port),
                "num_logits_to_keep" | "logits_to_keep" if whole => kept = Some(port),
                _ if name.starts_with("past") && !whole && rank >= 4 => past.push(port),
                _ => return Err(refused(format!("its input {name} is none of a decoder"))),
            }
        }
        let tokens = tokens.ok_or_else(|| refused("it takes no input_ids"))?;
        if past.is_empty() {
            return Err(refused("it takes no past keys and values: export it with its past"));
        }
        let port = model.outputs.iter().find(|port| model.name(port.var) == "logits");
        let logits = port.ok_or_else(|| refused("it gives no logits"))?.var;
        Ok(Self { tokens, positions, mask, past, kept, logits })
    }

    /// The dimensions of a port: 1 of a batch, `length` of a past.
    pub(super) fn dims(port: &Port, length: usize) -> Vec<usize> {
        let dims = port.dims.iter().flatten().enumerate();
        let rank = port.dims.as_ref().map_or(0, Vec::len);
        let dim = |(axis, dim): (usize, &PortDim)| match dim {
            // The positions are the last axis but one.
            _ if axis + 2 == rank => length,
            PortDim::Fixed(dim) => *dim,
            PortDim::Free(_) => 1,
        };
        dims.map(dim).collect()
    }
}

/// See the module.
pub(super) struct Net<'a> {
    pub(super) calls: &'a [Call],
    pub(super) constants: HashMap<Var, &'a Tensor>,
    maker: HashMap<Var, usize>,
    /// The calls, and which of their operands, that use a value on the way to the logits; those that only
    /// ask for its shape are left out.
    uses: HashMap<Var, Vec<(usize, usize)>>,
}

impl<'a> Net<'a> {
    pub(super) fn new(model: &'a Model, logits: Var) -> Self {
        let calls = model.bodies.first().map_or(&[][..], |body| body.calls.as_slice());
        let constants = model.constants.iter().map(|(var, tensor)| (*var, tensor)).collect();
        let alive = needed(model, calls, &[logits]);
        let (mut maker, mut uses) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        for (at, call) in calls.iter().enumerate().filter(|(at, _)| alive[*at]) {
            for var in call.outputs.iter().flatten() {
                maker.insert(*var, at);
            }
            if call.op != "Shape" {
                for (operand, var) in call.inputs.iter().enumerate() {
                    if let Some(var) = var {
                        uses.entry(*var).or_default().push((at, operand));
                    }
                }
            }
        }
        Self { calls, constants, maker, uses }
    }

    /// Who uses a value.
    pub(super) fn uses(&self, var: Var) -> &[(usize, usize)] {
        self.uses.get(&var).map_or(&[], Vec::as_slice)
    }

    /// The calls on the way to the logits.
    pub(super) fn alive(&self) -> impl Iterator<Item = (usize, &'a Call)> {
        let made: HashSet<usize> = self.maker.values().copied().collect();
        self.calls.iter().enumerate().filter(move |(at, _)| made.contains(at))
    }

    /// The call that makes a value.
    pub(super) fn maker(&self, var: Var) -> Option<(usize, &'a Call)> {
        let at = *self.maker.get(&var)?;
        Some((at, &self.calls[at]))
    }

    /// The input whose elements, or some of them, a value has.
    pub(super) fn origin(&self, var: Var, past: &[Port]) -> Option<usize> {
        let mut var = var;
        loop {
            if let Some(at) = past.iter().position(|port| port.var == var) {
                return Some(at);
            }
            let (_, call) = self.maker(var)?;
            if !MOVES.contains(&call.op.as_str()) {
                return None;
            }
            var = call.inputs.first().copied().flatten()?;
        }
    }

    /// A constant of integers.
    pub(super) fn integers(&self, var: Option<Var>) -> Option<Vec<i64>> {
        self.constants.get(&var?)?.integers()
    }

    /// A constant that is one number.
    pub(super) fn number(&self, var: Option<Var>) -> Option<f32> {
        numbers(self.constants.get(&var?)?).filter(|list| list.len() == 1).map(|list| list[0])
    }

    /// What does not depend on tokens and past, but for their shapes.
    pub(super) fn aside(&self, ports: &Ports) -> HashSet<Var> {
        let mut within: HashSet<Var> = ports.past.iter().map(|port| port.var).collect();
        within.insert(ports.tokens.var);
        let mut aside = HashSet::new();
        for (_, call) in self.alive() {
            let inputs = || call.inputs.iter().flatten();
            let bodies = call.bodies().next().is_some();
            let depends = bodies || inputs().any(|var| within.contains(var));
            let to = if depends && call.op != "Shape" { &mut within } else { &mut aside };
            to.extend(call.outputs.iter().flatten());
        }
        aside
    }

    /// How many positions the tables of positions have.
    pub(super) fn positions_there_are(&self, ports: &Ports, sites: &[Site]) -> usize {
        let rows =
            |var: Var| self.constants.get(&var).and_then(|table| table.dims().first().copied());
        let caches = sites.iter().filter_map(|site| rows(site.rotary.as_ref()?.cos));
        let ids = ports.positions.iter().flat_map(|port| self.uses(port.var));
        let learned = ids.filter_map(|(at, operand)| {
            let call = &self.calls[*at];
            let gathers = call.op == "Gather" && *operand == 1;
            rows(call.inputs.first().copied().flatten().filter(|_| gathers)?)
        });
        caches.chain(learned).min().unwrap_or(usize::MAX)
    }
}

/// The calls that these values need.
pub(super) fn needed(model: &Model, calls: &[Call], wanted: &[Var]) -> Vec<bool> {
    let mut vars: HashSet<Var> = wanted.iter().copied().collect();
    let mut alive = vec![false; calls.len()];
    for (at, call) in calls.iter().enumerate().rev() {
        if call.outputs.iter().flatten().any(|var| vars.contains(var)) {
            alive[at] = true;
            vars.extend(call.inputs.iter().flatten());
            let mut inner: Vec<_> = call.bodies().collect();
            while let Some(body) = inner.pop() {
                for call in &model.bodies[body.index()].calls {
                    vars.extend(call.inputs.iter().flatten());
                    inner.extend(call.bodies());
                }
                vars.extend(&model.bodies[body.index()].outputs);
            }
        }
    }
    alive
}

/// The elements of a tensor of numbers or truth values.
pub(super) fn numbers(tensor: &Tensor) -> Option<Vec<f32>> {
    use sidestage_kernels::Wide;
    if let Some(list) = tensor.integers() {
        return Some(list.into_iter().map(|x| x as f32).collect());
    }
    let load = f64::load(tensor.dtype())?;
    Some((0..tensor.len()).map(|at| load(tensor.bytes(), at) as f32).collect())
}

/// An integer that a call says.
pub(super) fn int(call: &Call, name: &str) -> Option<i64> {
    match call.attribute(name) {
        Some(Attribute::Int(value)) => Some(*value),
        _ => None,
    }
}

/// A number that a call says.
pub(super) fn float(call: &Call, name: &str) -> Option<f32> {
    match call.attribute(name) {
        Some(Attribute::Float(value)) => Some(*value),
        _ => None,
    }
}
