use super::{Memo, Outcome, Table, Trace};
use crate::{Body, Call, Model, Port, Var};
use sidestage_tensor::Tensor;
use std::collections::HashMap;
use std::sync::Arc;

impl Model {
    /// Computes what depends on known values only, once for all traces, and forgets the values that
    /// nobody needs then. What cannot be computed is left to the traces, which say why.
    pub fn fold(&mut self, table: Table) {
        let mut uses: HashMap<Var, usize> = HashMap::new();
        for body in &self.bodies {
            let inputs = body.calls.iter().flat_map(|call| call.inputs.iter().flatten());
            for var in inputs.chain(&body.outputs) {
                *uses.entry(*var).or_default() += 1;
            }
        }
        let mut known: HashMap<Var, Tensor> = std::mem::take(&mut self.constants)
            .into_iter()
            .filter(|(var, _)| uses.contains_key(var))
            .collect();
        let Some(body) = self.bodies.first_mut() else { return };
        let calls = std::mem::take(&mut body.calls);
        for call in calls {
            let Some(results) = computed(&call, &known, table) else {
                body.calls.push(call);
                continue;
            };
            for (var, tensor) in call.outputs.iter().zip(results) {
                if let (Some(var), Some(tensor)) =
                    (var.filter(|var| uses.contains_key(var)), tensor)
                {
                    known.insert(var, tensor);
                }
            }
            for var in call.inputs.iter().flatten() {
                let left = uses.entry(*var).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    known.remove(var);
                }
            }
        }
        self.constants = known.into_iter().collect();
        self.constants.sort_by_key(|(var, _)| *var);
    }
}

/// The results of a call whose operands are all known, as far as they are wanted.
fn computed(
    call: &Call,
    known: &HashMap<Var, Tensor>,
    table: Table,
) -> Option<Vec<Option<Tensor>>> {
    if call.bodies().next().is_some() || table(call).is_none() {
        return None;
    }
    // A model of this call alone.
    let mut model = Model::default();
    let mut alone = call.clone();
    for var in alone.inputs.iter_mut().flatten() {
        let tensor = known.get(var)?.clone();
        *var = model.var("");
        model.constants.push((*var, tensor));
    }
    for var in alone.outputs.iter_mut().flatten() {
        *var = model.var("");
        model.outputs.push(Port::of(*var));
    }
    let wanted: Vec<bool> = alone.outputs.iter().map(Option::is_some).collect();
    let outputs = alone.outputs.iter().copied().flatten().collect();
    model.bodies.push(Body { inputs: Vec::new(), calls: vec![alone], outputs });
    let trace = Trace::new(Arc::new(model), table, &[]).ok()?;
    // However long it takes, it is done once.
    let mut trace = trace.with_memo(Memo::default());
    let mut outcome = trace.segment(&[]).ok()?.outcome?.into_iter();
    let result = |wanted: bool| match wanted.then(|| outcome.next()) {
        None => Some(None),
        Some(Some(Outcome::Known(tensor))) => Some(Some(tensor)),
        Some(_) => None,
    };
    wanted.into_iter().map(result).collect()
}
