//! A body for each slice of tensors, or for each value of a sequence.

use super::control::{body, stack};
use super::{CallInfo, axis, row, steps};
use crate::StridedCopy;
use sidestage_ir::{BodyId, Rounds, Scope, Stop, Val};

/// A tensor whose slices go to the body.
#[derive(Clone, Debug)]
struct Source {
    val: Val,
    axis: usize,
    reverse: bool,
}

/// What is left of a scan.
#[derive(Clone, Debug)]
struct Scan {
    body: BodyId,
    done: usize,
    rounds: usize,
    /// What goes from round to round.
    states: Vec<Val>,
    sources: Vec<Source>,
    /// For each list that the scan makes, what the rounds gave; where it lies, and whether the last
    /// comes first.
    lists: Vec<(Vec<Val>, i64, bool)>,
    /// Before ONNX 9 there is a scan for each slice of the batch: those that are done, and the
    /// operands.
    batch: Option<Batch>,
}

#[derive(Clone, Debug)]
struct Batch {
    count: usize,
    states: Vec<Val>,
    sources: Vec<Val>,
    /// For each result, those of the slices that are done.
    results: Vec<Vec<Val>>,
}

/// A slice of a tensor, without its axis.
fn slice(scope: &mut Scope<'_, '_>, val: &Val, axis: usize, at: usize) -> Result<Val, Stop> {
    let Val::Tensor(x) = val else { return Err("slices are of tensors only".into()) };
    let (mut dims, mut steps) = (x.dims().to_vec(), steps(x.dims()));
    if axis >= dims.len() || at >= dims[axis] {
        return Err(Stop::Refused(format!("slice {at} along axis {axis} of {dims:?}")));
    }
    dims.remove(axis);
    let step = steps.remove(axis) as usize;
    let start = if dims.contains(&0) { 0 } else { at * step };
    scope.apply(StridedCopy { dims, start, steps }, std::slice::from_ref(x)).map(Val::Tensor)
}

impl Scan {
    /// Gives the body its inputs.
    fn begin(&self, scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
        let inputs = &scope.body(self.body).inputs;
        for (var, val) in inputs.iter().zip(&self.states) {
            scope.set(*var, val.clone());
        }
        for (var, source) in inputs.iter().skip(self.states.len()).zip(&self.sources) {
            let at = if source.reverse { self.rounds - 1 - self.done } else { self.done };
            let val = slice(scope, &source.val, source.axis, at)?;
            scope.set(*var, val);
        }
        Ok(())
    }

    /// Takes the next slice of the batch.
    fn next_of_batch(&mut self, scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
        let Some(batch) = &self.batch else { return Ok(()) };
        let at = batch.results.first().map_or(0, Vec::len);
        let states = batch.states.iter().map(|state| slice(scope, state, 0, at));
        self.states = states.collect::<Result<_, _>>()?;
        for (source, whole) in self.sources.iter_mut().zip(&batch.sources) {
            source.val = slice(scope, whole, 0, at)?;
        }
        self.lists.iter_mut().for_each(|(list, ..)| list.clear());
        self.done = 0;
        Ok(())
    }

    /// What the rounds have made.
    fn results(&mut self, scope: &mut Scope<'_, '_>) -> Result<Vec<Val>, Stop> {
        let mut results = std::mem::take(&mut self.states);
        for (list, axis, reverse) in &mut self.lists {
            if *reverse {
                list.reverse();
            }
            results.push(stack(scope, list, *axis)?);
        }
        Ok(results)
    }
}

impl Rounds for Scan {
    fn next(&mut self, scope: &mut Scope<'_, '_>, given: Vec<Val>) -> Result<bool, Stop> {
        let mut given = given.into_iter();
        self.states = given.by_ref().take(self.states.len()).collect();
        for ((list, ..), val) in self.lists.iter_mut().zip(given) {
            list.push(val);
        }
        self.done += 1;
        if self.done < self.rounds {
            self.begin(scope)?;
            return Ok(true);
        }
        let mut results = self.results(scope)?;
        if let Some(batch) = &mut self.batch {
            for (list, result) in batch.results.iter_mut().zip(results) {
                list.push(result);
            }
            if batch.results.first().is_some_and(|list| list.len() < batch.count) {
                self.next_of_batch(scope)?;
                self.begin(scope)?;
                return Ok(true);
            }
            let lists = batch.results.iter().map(|list| stack(scope, list, 0));
            results = lists.collect::<Result<_, _>>()?;
        }
        for (index, val) in results.into_iter().enumerate() {
            scope.give(index, val);
        }
        Ok(false)
    }

    fn visit(&mut self, each: &mut dyn FnMut(&mut Val)) {
        self.states.iter_mut().for_each(&mut *each);
        self.sources.iter_mut().for_each(|source| each(&mut source.val));
        self.lists.iter_mut().flat_map(|(list, ..)| list).for_each(&mut *each);
        if let Some(batch) = &mut self.batch {
            batch.states.iter_mut().chain(&mut batch.sources).for_each(&mut *each);
            batch.results.iter_mut().flatten().for_each(each);
        }
    }

    fn copy(&self) -> Box<dyn Rounds> {
        Box::new(self.clone())
    }
}

fn scan(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let id = body(scope, "body")?;
    let batched = scope.call().version < 9;
    let first = usize::from(batched);
    if batched && scope.optional(0).is_some() {
        return Err("lengths of the sequences are not supported".into());
    }
    let count = scope.int("num_scan_inputs").and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0).ok_or("there is nothing to scan")?;
    let states = (scope.count() - first.min(scope.count())).checked_sub(count);
    let states = states.ok_or("there are fewer operands than slices")?;
    let lists = scope.body(id).outputs.len().checked_sub(states);
    let lists = lists.ok_or("the scan's body gives too little")?;
    let number = |name: &str, at: usize| {
        scope.ints(name).and_then(|all| all.get(at).copied()).unwrap_or_default()
    };
    let input_directions = if batched { "directions" } else { "scan_input_directions" };
    let mut sources = Vec::new();
    for at in 0..count {
        let val = scope.val(first + states + at)?;
        let Val::Tensor(x) = &val else { return Err("slices are of tensors only".into()) };
        let rank = x.dims().len().saturating_sub(first);
        let axis =
            if batched { axis(0, rank)? } else { axis(number("scan_input_axes", at), rank)? };
        let rounds = x.dims()[axis + first];
        sources.push((rounds, Source { val, axis, reverse: number(input_directions, at) == 1 }));
    }
    let rounds = sources[0].0;
    if rounds == 0 || sources.iter().any(|(other, _)| *other != rounds) {
        return Err("the operands must have as many slices, and one at least".into());
    }
    let list = |at| {
        (Vec::new(), number("scan_output_axes", at), number("scan_output_directions", at) == 1)
    };
    let lists: Vec<_> = (0..lists).map(list).collect();
    let given = (0..states).map(|at| scope.val(first + at)).collect::<Result<Vec<_>, _>>()?;
    let sources: Vec<Source> = sources.into_iter().map(|(_, source)| source).collect();
    let batch = match &sources[0].val {
        Val::Tensor(x) if batched => Some(Batch {
            count: x.dims()[0],
            states: given.clone(),
            sources: sources.iter().map(|source| source.val.clone()).collect(),
            results: vec![Vec::new(); states + lists.len()],
        }),
        _ => None,
    };
    let mut all = Scan { body: id, done: 0, rounds, states: given, sources, lists, batch };
    all.next_of_batch(scope)?;
    all.begin(scope)?;
    scope.enter(id, Some(Box::new(all)));
    Ok(())
}

/// What is left of a map over sequences.
#[derive(Clone, Debug)]
struct Map {
    body: BodyId,
    rounds: usize,
    /// What is given: a sequence's values one by one, tensors in each round.
    given: Vec<Val>,
    /// The sequences made.
    made: Vec<Vec<Val>>,
    done: usize,
}

impl Map {
    /// Gives the body its inputs.
    fn begin(&self, scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
        let inputs = &scope.body(self.body).inputs;
        for (var, given) in inputs.iter().zip(&self.given) {
            let val = match given {
                Val::Sequence(all) => all.get(self.done).ok_or("a sequence is shorter")?,
                other => other,
            };
            scope.set(*var, val.clone());
        }
        Ok(())
    }

    fn end(&mut self, scope: &mut Scope<'_, '_>) {
        for (index, list) in self.made.drain(..).enumerate() {
            scope.give(index, Val::Sequence(list));
        }
    }
}

impl Rounds for Map {
    fn next(&mut self, scope: &mut Scope<'_, '_>, given: Vec<Val>) -> Result<bool, Stop> {
        self.made.iter_mut().zip(given).for_each(|(list, val)| list.push(val));
        self.done += 1;
        if self.done < self.rounds {
            self.begin(scope)?;
            return Ok(true);
        }
        self.end(scope);
        Ok(false)
    }

    fn visit(&mut self, each: &mut dyn FnMut(&mut Val)) {
        self.given.iter_mut().chain(self.made.iter_mut().flatten()).for_each(each);
    }

    fn copy(&self) -> Box<dyn Rounds> {
        Box::new(self.clone())
    }
}

fn map(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let id = body(scope, "body")?;
    let given = (0..scope.count()).map(|at| scope.val(at)).collect::<Result<Vec<_>, _>>()?;
    let Some(Val::Sequence(first)) = given.first() else {
        return Err("operand 0 must be a sequence".into());
    };
    let (rounds, made) = (first.len(), vec![Vec::new(); scope.body(id).outputs.len()]);
    let mut all = Map { body: id, rounds, given, made, done: 0 };
    if rounds == 0 {
        all.end(scope);
        return Ok(());
    }
    all.begin(scope)?;
    scope.enter(id, Some(Box::new(all)));
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Scan", scan), row("SequenceMap", map)];
