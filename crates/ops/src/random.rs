#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::f64::consts::TAU;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "Random", summary: "numbers drawn at random" };

/// How likely which numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// All from 0 up to 1, which is left out.
    Uniform,
    /// Normal, around 0, with a deviation of 1.
    Normal,
    /// As that, without what is farther than 2 from 0.
    TruncatedNormal,
    /// Gumbel's: the largest of it and logarithms of probabilities is drawn with these.
    Gumbel,
}

/// Numbers `f32` of these dimensions, drawn at random: `low + x * width` with `x` of the distribution.
///
/// The operand is the number of the run, one `i64`. Numbers are those of Philox 4x32 with 10 rounds (Salmon
/// and others, "Parallel random numbers: as easy as 1, 2, 3", 2011), whose counter is the number's place and
/// the run: so threads share the work, and a run can be repeated.
#[derive(Clone, Debug)]
pub struct Random {
    /// How likely which are.
    pub distribution: Distribution,
    /// The stream, and the seed: each pair gives other numbers.
    pub key: [u32; 2],
    /// How many.
    pub dims: Vec<usize>,
    /// What is added.
    pub low: f32,
    /// What they are multiplied with.
    pub width: f32,
}

impl Operator for Random {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [run] = rules::operands(inputs)?;
        rules::dtype("run", run, DType::I64)?;
        rules::rank("run", run, 0)?;
        Ok(vec![ValueType::fixed(DType::F32, &self.dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        // Four numbers are ten rounds of products of 64 bits, and with a normal distribution logarithms,
        // sines and cosines: some hundreds of multiply-adds.
        let units = args.outputs[0].extents.elements().div_ceil(4);
        Work { units, grain: 64, cost: 200 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let run = bytemuck::pod_read_unaligned::<u64>(&args.tensor(0).bytes[..8]);
        let out = args.outputs[0];
        let all = out.extents.elements();
        for unit in units {
            let span = unit * 4..(unit * 4 + 4).min(all);
            let drawn = self.four([unit as u32, 0, run as u32, (run >> 32) as u32]);
            // SAFETY: no two threads have the same elements.
            let to = unsafe { out.cells::<f32>().part(span) };
            to.iter_mut().zip(drawn).for_each(|(y, x)| *y = self.low + x * self.width);
        }
    }
}

impl Random {
    /// Four numbers. The second word of the counter is the attempt.
    fn four(&self, counter: [u32; 4]) -> [f32; 4] {
        let bits = philox(counter, self.key);
        match self.distribution {
            Distribution::Uniform => bits.map(below_one),
            Distribution::Gumbel => bits.map(|bits| -(-above_zero(bits).ln()).ln() as f32),
            Distribution::Normal => normal(bits),
            Distribution::TruncatedNormal => {
                let mut drawn = normal(bits);
                if drawn.iter().any(|x| x.abs() > 2.0) {
                    let [place, attempt, run @ ..] = counter;
                    let next = self.four([place, attempt + 1, run[0], run[1]]);
                    let far = drawn.iter_mut().zip(next).filter(|(x, _)| x.abs() > 2.0);
                    far.for_each(|(x, next)| *x = next);
                }
                drawn
            }
        }
    }
}

/// From 0 up to 1, which is left out.
fn below_one(bits: u32) -> f32 {
    (bits >> 8) as f32 / (1 << 24) as f32
}

/// Between 0 and 1, without both.
fn above_zero(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) / 2.0_f64.powi(32)
}

/// By Box and Muller, in double precision, whose functions are there anyway.
fn normal([a, b, c, d]: [u32; 4]) -> [f32; 4] {
    let pair = |radius: u32, turn: u32| {
        let radius = (-2.0 * above_zero(radius).ln()).sqrt();
        let (sin, cos) = (TAU * above_zero(turn)).sin_cos();
        [(radius * cos) as f32, (radius * sin) as f32]
    };
    let ([a, b], [c, d]) = (pair(a, b), pair(c, d));
    [a, b, c, d]
}

/// Philox 4x32 with 10 rounds.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        let (first, second) = (u64::from(a) * 0xd251_1f53, u64::from(c) * 0xcd9e_8d57);
        counter = [
            (second >> 32) as u32 ^ b ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ d ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that come with Random123, by Philox's authors.
    #[test]
    fn philox_gives_its_authors_numbers() {
        let ones = u32::MAX;
        for (counter, key, expected) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([ones; 4], [ones; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox(counter, key), expected);
        }
    }

    /// Mean, variance and fourth moment of 200,000 numbers, each within six deviations of its estimate.
    #[test]
    fn moments_are_the_distributions() {
        let euler = 0.577_215_66;
        let gumbel = std::f64::consts::PI.powi(2) / 6.0;
        for (distribution, mean, variance, fourth) in [
            (Distribution::Uniform, 0.5, 1.0 / 12.0, 1.8),
            (Distribution::Normal, 0.0, 1.0, 3.0),
            // Of the density cut at 2: 1 - 4 φ(2) / (1 - 2 Φ(-2)), and its fourth moment.
            (Distribution::TruncatedNormal, 0.0, 0.773_741, 2.365_5),
            (Distribution::Gumbel, euler, gumbel, 5.4),
        ] {
            let op = Random { distribution, key: [3, 7], dims: Vec::new(), low: 0.0, width: 1.0 };
            let count = 200_000;
            let drawn: Vec<f64> = (0..count / 4)
                .flat_map(|at| op.four([at, 0, 1, 0]))
                .inspect(|x| assert!(x.is_finite()))
                .map(f64::from)
                .collect();
            let average = |of: &dyn Fn(f64) -> f64| {
                drawn.iter().map(|x| of(*x)).sum::<f64>() / f64::from(count)
            };
            let found = average(&|x| x);
            let near = |found: f64, expected: f64, deviation: f64| {
                let most = 6.0 * deviation / f64::from(count).sqrt();
                assert!((found - expected).abs() < most, "{distribution:?} {found} {expected}");
            };
            near(found, mean, variance.sqrt());
            let spread = average(&|x| (x - mean).powi(2));
            near(spread, variance, variance * (fourth - 1.0_f64).sqrt());
            if distribution != Distribution::Gumbel {
                let shape = average(&|x| (x - mean).powi(4)) / variance.powi(2);
                near(shape, fourth, 10.0);
            }
        }
    }
}
