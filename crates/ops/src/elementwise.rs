#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{Binary, OpInfo, Unary, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueId, ValueType, Work};
use sidestage_kernels::{Program, Source, Step, Strides};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Elementwise",
    summary: "several functions of elements in one loop, operands broadcast",
};

pub(crate) const PASS: Pass = Pass {
    name: "elementwise",
    summary: "functions of elements that follow one another, to one loop",
    rule,
};

/// A [`Program`] of `f32` operands, whose elements are found as it says.
#[derive(Clone, Debug)]
pub struct Elementwise {
    /// The functions.
    pub program: Program,
    /// Elements of each operand.
    pub lengths: Vec<usize>,
    /// The result's dimensions.
    pub dims: Vec<usize>,
}

impl Operator for Elementwise {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        rules::equal("the number of operands", inputs.len(), self.lengths.len())?;
        for (ty, length) in inputs.iter().zip(&self.lengths) {
            rules::dtype("an operand", ty, DType::F32)?;
            let elements = rules::dims("an operand", ty)?.iter().product();
            rules::equal("an operand's number of elements", elements, *length)?;
        }
        Ok(vec![ValueType::fixed(DType::F32, &self.dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let of = |step: &Step| match step {
            Step::Unary(..) => 8,
            Step::Binary(..) => 3,
        };
        let cost = self.program.steps().iter().map(of).sum();
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let operands: Vec<&[f32]> =
            (0..args.inputs.len()).map(|index| args.tensor(index).f32s()).collect();
        // SAFETY: no two threads have the same elements.
        let out = unsafe { args.outputs[0].cells::<f32>().part(units.clone()) };
        self.program.run(&operands, units.start, out);
    }
}

/// What makes a value: the operands, and their functions. A value's elements stand in the same order
/// in all its shapes, so that the operands are meant without their shapes.
fn functions(site: &Site<'_>, value: ValueId) -> Option<(Vec<ValueId>, Elementwise)> {
    let root = site.root(value);
    let dims = site.dims(root)?;
    if let Some((several, inputs)) = site.made::<Elementwise>(root) {
        return Some((inputs.to_vec(), several.clone()));
    }
    let (step, inputs) = if let Some((unary, inputs)) = site.made::<Unary>(root) {
        (Step::Unary(unary.function, 0), inputs)
    } else {
        let (binary, inputs) = site.made::<Binary>(root)?;
        let twice = inputs[0] == inputs[1];
        (Step::Binary(binary.function, [0, usize::from(!twice)]), inputs)
    };
    let inputs = if inputs[0] == *inputs.last()? { &inputs[..1] } else { inputs };
    if site.ty(root).dtype != DType::F32 || site.ty(inputs[0]).dtype != DType::F32 {
        return None;
    }
    let (mut sources, mut lengths) = (Vec::new(), Vec::new());
    for input in inputs {
        let of = site.dims(*input)?;
        let length = of.iter().product::<usize>();
        lengths.push(length);
        sources.push(match length {
            _ if length == dims.iter().product() => Source::Dense,
            1 => Source::One,
            _ => Source::Strided(Strides::broadcast(&dims, [&of])),
        });
    }
    let program = Program::new(sources, vec![step])?;
    Some((
        inputs.iter().map(|input| site.root(*input)).collect(),
        Elementwise { program, lengths, dims },
    ))
}

/// Puts the functions that make an operand before those that read it.
fn join(
    (inputs, outer): (&[ValueId], &Elementwise),
    at: usize,
    (operands, inner): (&[ValueId], &Elementwise),
) -> Option<(Vec<ValueId>, Elementwise)> {
    let mut all = operands.to_vec();
    let mut sources = inner.program.sources().to_vec();
    let mut lengths = inner.lengths.clone();
    // Where the outer operands are now; that which is made comes last of the inner steps.
    let mut places = vec![0; inputs.len()];
    for (index, input) in inputs.iter().enumerate().filter(|(index, _)| *index != at) {
        let source = outer.program.sources()[index];
        let known = all.iter().zip(&sources).position(|known| known == (input, &source));
        places[index] = known.unwrap_or_else(|| {
            all.push(*input);
            sources.push(source);
            lengths.push(outer.lengths[index]);
            all.len() - 1
        });
    }
    let shift = all.len() - operands.len();
    let of_inner = |value: usize| if value < operands.len() { value } else { value + shift };
    let first = all.len() + inner.program.steps().len();
    places[at] = first - 1;
    let of_outer = |value: usize| match places.get(value) {
        Some(place) => *place,
        None => first + value - places.len(),
    };
    let before = inner.program.steps().iter().map(|step| step.with(of_inner));
    let behind = outer.program.steps().iter().map(|step| step.with(of_outer));
    let program = Program::new(sources, before.chain(behind).collect())?;
    Some((all, Elementwise { program, lengths, dims: outer.dims.clone() }))
}

/// Functions with one more operand made by them, of those that nobody else reads.
fn longer(
    site: &Site<'_>,
    inputs: &[ValueId],
    outer: &Elementwise,
) -> Option<(Vec<ValueId>, Elementwise)> {
    let dense = |at: &usize| matches!(outer.program.sources()[*at], Source::Dense);
    (0..inputs.len()).filter(dense).find_map(|at| {
        let (operands, inner) =
            site.only_here(inputs[at]).then(|| functions(site, inputs[at]))??;
        join((inputs, outer), at, (&operands, &inner))
    })
}

/// All functions that make a value, from the last one on longer and longer.
pub(crate) fn chains(
    site: &Site<'_>,
    value: ValueId,
) -> impl Iterator<Item = (Vec<ValueId>, Elementwise)> {
    std::iter::successors(functions(site, value), |(inputs, outer)| longer(site, inputs, outer))
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    let (inputs, outer) = functions(site, site.output()?)?;
    let (inputs, op) = longer(site, &inputs, &outer)?;
    Some(Made::new(op, inputs))
}
