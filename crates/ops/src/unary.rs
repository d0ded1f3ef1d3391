#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::elementwise::chains;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueId, ValueType, Work};
use sidestage_kernels::{Program, Source, Unary as Function};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Unary", summary: "a function of each element: Relu, Exp, Not, …" };

pub(crate) const PASS: Pass = Pass {
    name: "activations",
    summary: "GELU, SiLU and others that are written out, to one function",
    rule,
};

/// A function of each element of a tensor of any shape.
#[derive(Debug)]
pub struct Unary {
    /// The function.
    pub function: Function,
}

impl Operator for Unary {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let dtype = self.function.result(x.dtype);
        let dtype = dtype.ok_or_else(|| format!("is not defined for {}", x.dtype))?;
        Ok(vec![ValueType::new(dtype, x.dims.clone())])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(Self { function: self.function }))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 8 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let span = |size: usize| units.start * size..units.end * size;
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(span(out.dtype.block_bytes())) };
        self.function.run(x.dtype, &x.bytes[span(x.dtype.block_bytes())], cells);
    }
}

/// What exporters write out.
const KNOWN: [Function; 9] = [
    Function::Gelu,
    Function::GeluTanh,
    Function::HardSigmoid(1.0 / 6.0, 0.5),
    Function::HardSwish,
    Function::Mish,
    Function::Sigmoid,
    Function::Swish(1.0),
    Function::Swish(1.702),
    Function::Tanh,
];

/// Chains of functions of one value and of numbers. There are many ways to write each, so a chain is
/// not compared with any of them: it is computed, and its results are.
fn rule(site: &mut Site<'_>) -> Option<Made> {
    chains(site, site.output()?).skip(1).find_map(|(inputs, chain)| {
        let sources = chain.program.sources();
        let numbers: Vec<Option<f32>> = inputs.iter().map(|input| site.number(*input)).collect();
        let mut free = (0..inputs.len()).filter(|at| numbers[*at].is_none());
        let (x, None) = (free.next()?, free.next()) else { return None };
        if sources[x] != Source::Dense {
            return None;
        }
        let function = known(&chain.program, x, &numbers)?;
        let x: ValueId = inputs[x];
        Some(Made::new(Unary { function }, [x]))
    })
}

/// The function that gives what a program does, as near as it can be computed in single precision.
fn known(program: &Program, free: usize, numbers: &[Option<f32>]) -> Option<Function> {
    // Small, middling and large, where each of them differs from all others.
    let x: Vec<f32> = (-60..=60)
        .map(|at: i16| f32::from(at) * 0.11 + 0.003)
        .chain([-1e4, -300.0, -40.0, -18.0, -9.0, 9.0, 18.0, 40.0, 300.0, 1e4])
        .collect();
    let all: Vec<Vec<f32>> = numbers
        .iter()
        .map(|number| number.map_or(Vec::new(), |number| vec![number; x.len()]))
        .collect();
    let mut operands: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
    operands[free] = &x;
    let mut found = vec![0.0; x.len()];
    program.run(&operands, 0, &mut found);
    // Most are told apart by the first few.
    const FEW: usize = 16;
    let same = |function: &Function, x: &[f32], found: &[f32]| {
        let mut out = [0.0_f32; FEW];
        let out = &mut out[..x.len()];
        function.run(DType::F32, bytemuck::cast_slice(x), bytemuck::cast_slice_mut(out));
        let near = |((x, a), b): ((&f32, &f32), &f32)| (a - b).abs() <= 1e-6 * (1.0 + x.abs());
        x.iter().zip(&*out).zip(found).all(near)
    };
    KNOWN.into_iter().find(|function| {
        x.chunks(FEW).zip(found.chunks(FEW)).all(|(x, found)| same(function, x, found))
    })
}
