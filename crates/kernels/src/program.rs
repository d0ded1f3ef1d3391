//! Several functions of elements in one loop: what lies between them stays in the nearest cache.

use crate::{Binary, Strides, Unary, copy_strided};
use sidestage_tensor::DType;

/// Elements that go through all steps before the next ones do: with all registers 16 KB, half of the
/// nearest cache.
const BLOCK: usize = 256;

/// Values that a program has at most, operands and steps together.
const REGISTERS: usize = 16;

/// How an operand's elements are found, which are as many as the result's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One behind the other.
    Dense,
    /// As those, but the operand begins with the first one that is computed.
    Part,
    /// All the same.
    One,
    /// By steps.
    Strided(Strides<1>),
}

/// A function of earlier values of a [`Program`]: those of the operands, then those of the steps.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Of one.
    Unary(Unary, usize),
    /// Of two.
    Binary(Binary, [usize; 2]),
}

impl Step {
    /// The same function of other values.
    #[must_use]
    pub fn with(self, place: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Unary(function, of) => Self::Unary(function, place(of)),
            Self::Binary(function, of) => Self::Binary(function, of.map(place)),
        }
    }
}

/// Functions of `f32` elements, one after another. What the last step makes is the result.
#[derive(Clone, Debug)]
pub struct Program {
    sources: Vec<Source>,
    steps: Vec<Step>,
}

impl Program {
    /// A program; `None` if it is too long, if a step is of values that are not there, or is not
    /// defined for `f32` or makes something else.
    pub fn new(sources: Vec<Source>, steps: Vec<Step>) -> Option<Self> {
        let fits = |(at, step): (usize, &Step)| {
            let there = |value: &usize| *value < sources.len() + at;
            match step {
                Step::Unary(function, of) => {
                    there(of) && function.result(DType::F32) == Some(DType::F32)
                }
                Step::Binary(function, of) => {
                    of.iter().all(there) && function.result(DType::F32) == Some(DType::F32)
                }
            }
        };
        let sound = !steps.is_empty()
            && sources.len() + steps.len() <= REGISTERS
            && steps.iter().enumerate().all(fits);
        sound.then_some(Self { sources, steps })
    }

    /// How its operands' elements are found.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Computes the result's elements from `first` on.
    ///
    /// # Panics
    /// If an operand is missing or too short.
    pub fn run(&self, operands: &[&[f32]], first: usize, out: &mut [f32]) {
        assert_eq!(operands.len(), self.sources.len(), "an operand for each source");
        let mut registers = [[0.0_f32; BLOCK]; REGISTERS];
        for (index, out) in out.chunks_mut(BLOCK).enumerate() {
            self.block(operands, (first, index * BLOCK), &mut registers, out);
        }
    }

    fn block(
        &self,
        operands: &[&[f32]],
        (start, done): (usize, usize),
        registers: &mut [[f32; BLOCK]; REGISTERS],
        out: &mut [f32],
    ) {
        let (first, count) = (start + done, out.len());
        for (register, (source, operand)) in
            registers.iter_mut().zip(self.sources.iter().zip(operands))
        {
            if let Source::Strided(strides) = source {
                // What begins anew with each block is there: values of channels.
                if done > 0 && strides.period().is_some_and(|period| BLOCK.is_multiple_of(period)) {
                    continue;
                }
                let to = bytemuck::cast_slice_mut(&mut register[..count]);
                copy_strided(strides, size_of::<f32>(), bytemuck::cast_slice(operand), first, to);
            }
        }
        let all = self.sources.len();
        for (index, step) in self.steps.iter().enumerate() {
            let (before, behind) = registers.split_at_mut(all + index);
            // The elements of an earlier value, and the step from one to the next.
            let value = |of: usize| -> (&[f32], isize) {
                match self.sources.get(of) {
                    Some(Source::Dense) => (&operands[of][first..first + count], 1),
                    Some(Source::Part) => (&operands[of][done..done + count], 1),
                    Some(Source::One) => (&operands[of][..1], 0),
                    _ => (&before[of][..count], 1),
                }
            };
            let last = index + 1 == self.steps.len();
            let to: &mut [f32] = if last { &mut *out } else { &mut behind[0][..count] };
            let to = bytemuck::cast_slice_mut(to);
            match *step {
                Step::Unary(function, of) => match value(of) {
                    (x, 0) => {
                        let all = [x[0]; BLOCK];
                        function.run(DType::F32, bytemuck::cast_slice(&all[..count]), to);
                    }
                    (x, _) => function.run(DType::F32, bytemuck::cast_slice(x), to),
                },
                Step::Binary(function, of) => {
                    let [(a, i), (b, j)] = of.map(value);
                    let strides = Strides::new(&[count], [&[i], &[j]], [0, 0]);
                    let operands = [bytemuck::cast_slice(a), bytemuck::cast_slice(b)];
                    function.run(DType::F32, &strides, operands, 0, to);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_those_of_their_formulas_wherever_the_work_is_cut() {
        // max(x * row + column, limit), of [30, 40].
        let (rows, columns) = (30, 40);
        let row = Strides::broadcast(&[rows, columns], [&[columns]]);
        let column = Strides::broadcast(&[rows, columns], [&[rows, 1]]);
        let steps = |part| {
            let sources = vec![part, Source::Strided(row), Source::Strided(column), Source::One];
            let steps = vec![
                Step::Binary(Binary::Mul, [0, 1]),
                Step::Binary(Binary::Add, [4, 2]),
                Step::Binary(Binary::Max, [5, 3]),
                Step::Unary(Unary::Neg, 6),
            ];
            Program::new(sources, steps).unwrap()
        };
        let of = |count: usize| (0..count).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
        let (x, a, b) = (of(rows * columns), of(columns), of(rows));
        let expected: Vec<f32> = (0..rows * columns)
            .map(|at| -(x[at] * a[at % columns] + b[at / columns]).max(0.1))
            .collect();
        for span in [0..1200, 0..1, 256..512, 37..1111] {
            let mut out = vec![0.0; span.len()];
            steps(Source::Dense).run(&[&x, &a, &b, &[0.1]], span.start, &mut out);
            assert_eq!(out, expected[span.clone()]);
            out.fill(0.0);
            steps(Source::Part).run(&[&x[span.clone()], &a, &b, &[0.1]], span.start, &mut out);
            assert_eq!(out, expected[span]);
        }
    }

    #[test]
    fn programs_that_cannot_run_are_refused() {
        let dense = |count| vec![Source::Dense; count];
        assert!(Program::new(dense(1), Vec::new()).is_none());
        assert!(Program::new(dense(1), vec![Step::Unary(Unary::Neg, 1)]).is_none());
        assert!(Program::new(dense(1), vec![Step::Unary(Unary::IsNaN, 0)]).is_none());
        assert!(Program::new(dense(1), vec![Step::Binary(Binary::Less, [0, 0])]).is_none());
        assert!(Program::new(dense(REGISTERS), vec![Step::Unary(Unary::Neg, 0)]).is_none());
        assert!(Program::new(dense(1), vec![Step::Unary(Unary::Neg, 0); REGISTERS - 1]).is_some());
    }
}
