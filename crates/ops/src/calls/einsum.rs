use super::matmul::matmul;
use super::reduce::reduced;
use super::{CallInfo, row, transpose};
use crate::{Binary, StridedCopy};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Reduction};

/// A tensor whose axes have names.
struct Named {
    tensor: Traced,
    names: Vec<char>,
}

/// The names of an operand's axes; those of `...` are digits, counted from the end.
fn names(term: &str, rank: usize) -> Result<Vec<char>, Stop> {
    let wrong = || Stop::Refused(format!("the term {term:?} of {rank} dimensions"));
    let (before, behind) = term.split_once("...").unwrap_or((term, ""));
    let named = before.chars().count() + behind.chars().count();
    let free = rank.checked_sub(named).ok_or_else(wrong)?;
    if free > 0 && !term.contains("...") || free > 9 {
        return Err(wrong());
    }
    let free = (0..free).rev().map(|at| char::from(b'0' + at as u8));
    let all: Vec<char> = before.chars().chain(free).chain(behind.chars()).collect();
    Ok(all)
}

/// A name that an operand has twice is its diagonal.
fn diagonal(scope: &mut Scope<'_, '_>, of: Named) -> Result<Named, Stop> {
    let (mut dims, mut steps, mut names) = (Vec::new(), Vec::<isize>::new(), Vec::new());
    for (axis, step) in super::steps(of.tensor.dims()).into_iter().enumerate() {
        let (name, dim) = (of.names[axis], of.tensor.dims()[axis]);
        match names.iter().position(|known| *known == name) {
            None => {
                names.push(name);
                dims.push(dim);
                steps.push(step);
            }
            Some(at) if dims[at] == dim => steps[at] += step,
            Some(_) => return Err(Stop::Refused(format!("{name} has two lengths"))),
        }
    }
    if names == of.names {
        return Ok(of);
    }
    let tensor = scope.apply(StridedCopy { dims, start: 0, steps }, &[of.tensor])?;
    Ok(Named { tensor, names })
}

impl Named {
    /// Sums over the axes that nobody wants.
    fn summed(self, scope: &mut Scope<'_, '_>, wanted: &[char]) -> Result<Self, Stop> {
        let gone = (0..self.names.len()).filter(|axis| !wanted.contains(&self.names[*axis]));
        let gone: Vec<usize> = gone.collect();
        if gone.is_empty() {
            return Ok(self);
        }
        let tensor = reduced(scope, &self.tensor, &gone, Reduction::Sum, false)?;
        let names = self.names.into_iter().filter(|name| wanted.contains(name)).collect();
        Ok(Self { tensor, names })
    }

    /// With its axes in this order; those that it does not have are of length one.
    fn ordered(&self, scope: &mut Scope<'_, '_>, order: &[char]) -> Result<Traced, Stop> {
        let place = |name: &char| self.names.iter().position(|known| known == name);
        let own: Vec<usize> = order.iter().filter_map(place).collect();
        let moved = transpose(scope, &self.tensor, &own)?;
        let dims: Vec<usize> =
            order.iter().map(|name| place(name).map_or(1, |at| self.tensor.dims()[at])).collect();
        scope.view(&moved, &dims)
    }

    fn dim(&self, name: char) -> Option<usize> {
        self.names.iter().position(|known| *known == name).map(|at| self.tensor.dims()[at])
    }
}

/// The product of two, without the axes that nobody else wants.
fn contract(scope: &mut Scope<'_, '_>, a: Named, b: Named, wanted: &[char]) -> Result<Named, Stop> {
    let both = |name: &&char| b.names.contains(name) && a.names.contains(name);
    let sides: Vec<char> = a.names.iter().chain(&b.names).copied().collect();
    let shared: Vec<char> = a.names.iter().filter(both).copied().collect();
    let (batch, inner): (Vec<char>, Vec<char>) =
        shared.into_iter().partition(|name| wanted.contains(name));
    let broadcast = batch.iter().chain(&inner).any(|name| a.dim(*name) != b.dim(*name));
    if inner.is_empty() || broadcast {
        let mut names: Vec<char> = Vec::new();
        sides.iter().for_each(|name| {
            if !names.contains(name) {
                names.push(*name)
            }
        });
        let (a, b) = (a.ordered(scope, &names)?, b.ordered(scope, &names)?);
        let tensor = scope.apply(Binary { function: Two::Mul }, &[a, b])?;
        return Named { tensor, names }.summed(scope, wanted);
    }
    let only = |of: &Named| -> Vec<char> {
        let own = of.names.iter().filter(|name| !batch.contains(name) && !inner.contains(name));
        own.copied().collect()
    };
    let (rows, columns) = (only(&a), only(&b));
    let size = |of: &Named, names: &[char]| -> Vec<usize> {
        names.iter().map(|name| of.dim(*name).unwrap_or(1)).collect()
    };
    let product = |dims: &[usize]| dims.iter().product::<usize>();
    let (outer, k) = (size(&a, &batch), product(&size(&a, &inner)));
    let (m, n) = (size(&a, &rows), size(&b, &columns));
    let a = a.ordered(scope, &[&batch[..], &rows, &inner].concat())?;
    let a = scope.view(&a, &[product(&outer), product(&m), k])?;
    let b = b.ordered(scope, &[&batch[..], &inner, &columns].concat())?;
    let b = scope.view(&b, &[product(&outer), k, product(&n)])?;
    let tensor = matmul(scope, &a, &b)?;
    let tensor = scope.view(&tensor, &[outer, m, n].concat())?;
    Ok(Named { tensor, names: [batch, rows, columns].concat() })
}

/// Sums of products whose axes have names (ONNX 12, "Einsum"; numpy's notation).
pub(super) fn einsum(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let equation = scope.text("equation").ok_or("the equation is missing")?;
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != scope.count() {
        return Err(Stop::Refused(format!("{} operands of {equation:?}", scope.count())));
    }
    let mut all = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let tensor = scope.tensor(index)?;
        let names = names(term, tensor.dims().len())?;
        all.push(diagonal(scope, Named { tensor, names })?);
    }
    let mut free: Vec<char> = Vec::new();
    for name in all.iter().flat_map(|one| &one.names).filter(|name| name.is_ascii_digit()) {
        if !free.contains(name) {
            free.push(*name);
        }
    }
    free.sort_unstable_by(|a, b| b.cmp(a));
    let wanted: Vec<char> = match right {
        Some(right) => match right.split_once("...") {
            Some((before, behind)) => {
                before.chars().chain(free.iter().copied()).chain(behind.chars()).collect()
            }
            None => right.chars().collect(),
        },
        None => {
            // Those that occur once, in order, behind the free ones.
            let letters = || left.chars().filter(|c| c.is_alphabetic());
            let mut once: Vec<char> =
                letters().filter(|one| letters().filter(|c| c == one).count() == 1).collect();
            once.sort_unstable();
            free.into_iter().chain(once).collect()
        }
    };
    let mut rest = all.into_iter();
    let mut done = rest.next().ok_or("there are no operands")?;
    let mut rest: Vec<Named> = rest.collect();
    while !rest.is_empty() {
        let next = rest.remove(0);
        let later = rest.iter().flat_map(|one| &one.names);
        let needed: Vec<char> = wanted.iter().chain(later).copied().collect();
        done = contract(scope, done, next, &needed)?;
    }
    let done = done.summed(scope, &wanted)?;
    if let Some(name) = wanted.iter().find(|name| !done.names.contains(name)) {
        return Err(Stop::Refused(format!("no operand has the axis {name}")));
    }
    let y = done.ordered(scope, &wanted)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Einsum", einsum)];
