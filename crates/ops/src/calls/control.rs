//! Branches and loops: the trace goes into their bodies.

use super::{CallInfo, axis, row, scalar};
use crate::Concat;
use sidestage_ir::{Attribute, BodyId, Rounds, Scope, Stop, Traced, Val};
use sidestage_tensor::DType;

pub(super) fn body(scope: &Scope<'_, '_>, name: &str) -> Result<BodyId, Stop> {
    match scope.call().attribute(name) {
        Some(Attribute::Body(body)) => Ok(*body),
        _ => Err(Stop::Refused(format!("the graph {name} is missing"))),
    }
}

pub(super) fn truth(scope: &Scope<'_, '_>, val: &Val) -> Result<bool, Stop> {
    let Val::Tensor(tensor) = val else { return Err("a condition must be a tensor".into()) };
    let known = scope.known(tensor)?;
    match known.bytes() {
        [truth] if known.dtype() == DType::Bool => Ok(*truth != 0),
        _ => Err("a condition must be one truth value".into()),
    }
}

fn branch(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let condition = scope.val(0)?;
    let name = if truth(scope, &condition)? { "then_branch" } else { "else_branch" };
    let body = body(scope, name)?;
    scope.enter(body, None);
    Ok(())
}

/// What is left of a loop.
#[derive(Clone, Debug)]
struct Loop {
    body: BodyId,
    /// Rounds done, and at most.
    done: i64,
    most: Option<i64>,
    /// What goes from round to round.
    carried: Vec<Val>,
    /// For each list that the loop makes, what the rounds gave.
    lists: Vec<Vec<Val>>,
}

impl Loop {
    /// Gives the body its inputs.
    fn begin(&self, scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
        let count = scope.list(&[self.done])?;
        let count = scope.view(&count, &[])?;
        let go_on = scalar(scope, DType::Bool, 1.0)?;
        let given = [Val::Tensor(count), Val::Tensor(go_on)];
        let inputs = &scope.body(self.body).inputs;
        for (var, val) in inputs.iter().zip(given.iter().chain(&self.carried)) {
            scope.set(*var, val.clone());
        }
        Ok(())
    }

    /// Gives the call's results.
    fn end(&mut self, scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
        let lists = self.lists.iter().map(|list| stack(scope, list, 0));
        let lists = lists.collect::<Result<Vec<_>, _>>()?;
        for (index, val) in self.carried.drain(..).chain(lists).enumerate() {
            scope.give(index, val);
        }
        Ok(())
    }
}

impl Rounds for Loop {
    fn next(&mut self, scope: &mut Scope<'_, '_>, given: Vec<Val>) -> Result<bool, Stop> {
        let mut given = given.into_iter();
        let condition = given.next().ok_or("the loop's body gives no condition")?;
        // Whether there is another round may be known without it.
        let over = self.most.is_some_and(|most| self.done + 1 >= most);
        let again = !over && truth(scope, &condition)?;
        self.carried = given.by_ref().take(self.carried.len()).collect();
        for (list, val) in self.lists.iter_mut().zip(given) {
            list.push(val);
        }
        self.done += 1;
        if again {
            self.begin(scope)?
        } else {
            self.end(scope)?
        }
        Ok(again)
    }

    fn visit(&mut self, each: &mut dyn FnMut(&mut Val)) {
        self.carried.iter_mut().chain(self.lists.iter_mut().flatten()).for_each(each);
    }

    fn copy(&self) -> Box<dyn Rounds> {
        Box::new(self.clone())
    }
}

/// Tensors of one shape along a new axis.
pub(super) fn stack(scope: &mut Scope<'_, '_>, list: &[Val], at: i64) -> Result<Val, Stop> {
    let mut parts: Vec<Traced> = Vec::with_capacity(list.len());
    let mut along = 0;
    for val in list {
        let Val::Tensor(part) = val else { return Err("a loop lists tensors only".into()) };
        let mut dims = part.dims().to_vec();
        along = axis(at, dims.len() + 1)?;
        dims.insert(along, 1);
        parts.push(scope.view(part, &dims)?);
    }
    match parts.as_slice() {
        [] => Err("a loop without rounds lists nothing of a shape that is known".into()),
        [_] => Ok(Val::Tensor(parts.remove(0))),
        _ => Ok(Val::Tensor(scope.apply(Concat { axis: along }, &parts)?)),
    }
}

pub(super) fn repeat(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let id = body(scope, "body")?;
    let most = match scope.integers(0)? {
        None => None,
        Some(most) => Some(*most.first().ok_or("the number of rounds must be one number")?),
    };
    let go_on = match scope.optional(1) {
        None | Some(Val::Nothing) => true,
        Some(val) => truth(scope, &val)?,
    };
    let carried =
        (2..scope.count()).map(|index| scope.val(index)).collect::<Result<Vec<_>, _>>()?;
    let body = scope.body(id);
    let lists = (body.outputs.len()).checked_sub(1 + carried.len());
    let lists = vec![Vec::new(); lists.ok_or("the loop's body gives too little")?];
    let mut all = Loop { body: id, done: 0, most, carried, lists };
    if go_on && most.is_none_or(|most| most > 0) {
        all.begin(scope)?;
        scope.enter(id, Some(Box::new(all)));
        Ok(())
    } else {
        all.end(scope)
    }
}

pub(super) const CALLS: &[CallInfo] = &[row("If", branch), row("Loop", repeat)];
