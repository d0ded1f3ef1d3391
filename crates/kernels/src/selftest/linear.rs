//! The linear layer against `f64` sums over dequantised weights, against the reference lanes, and
//! against itself in other tiles.

use super::{Random, compare};
use crate::lanes::{Lanes, Native, Portable};
use crate::linear::linear_by;
use crate::{Act8Rows, Activations, Linear, dequantize_row, quantize_act8, supports};
use bytemuck::Zeroable;
use half::f16;
use sidestage_tensor::blocks::Act8;
use sidestage_tensor::{DType, SharedOut};

/// The types, with the places of their binary16 scales in a block.
const TYPES: [(DType, &[usize]); 26] = [
    (DType::F32, &[]),
    (DType::F16, &[0]),
    (DType::BF16, &[]),
    (DType::Q8_0, &[0]),
    (DType::Q4_0, &[0]),
    (DType::Q4_1, &[0, 2]),
    (DType::Q5_0, &[0]),
    (DType::Q5_1, &[0, 2]),
    (DType::Q2_K, &[80, 82]),
    (DType::Q3_K, &[108]),
    (DType::Q4_K, &[0, 2]),
    (DType::Q5_K, &[0, 2]),
    (DType::Q6_K, &[208]),
    (DType::TQ1_0, &[52]),
    (DType::TQ2_0, &[64]),
    (DType::MXFP4, &[]),
    (DType::NVFP4, &[]),
    (DType::IQ1_S, &[0]),
    (DType::IQ1_M, &[]),
    (DType::IQ2_XXS, &[0]),
    (DType::IQ2_XS, &[0]),
    (DType::IQ2_S, &[0]),
    (DType::IQ3_XXS, &[0]),
    (DType::IQ3_S, &[0]),
    (DType::IQ4_NL, &[0]),
    (DType::IQ4_XS, &[0]),
];

/// Outputs, rows: fewer than a tile, whole tiles, and every kind of rest.
const SHAPES: [(usize, usize); 6] = [(1, 1), (3, 2), (8, 4), (13, 9), (33, 6), (18, 8)];

pub(super) fn check(random: &mut Random) -> Result<usize, String> {
    let mut compared = 0;
    let listed = |dtype: &DType| TYPES.iter().any(|row| row.0 == *dtype);
    if let Some(missing) = DType::all().find(|dtype| supports(*dtype) && !listed(dtype)) {
        return Err(format!("the kernel of {missing} is not tested"));
    }
    for (dtype, scales) in TYPES {
        for (n, rows) in SHAPES {
            let blocks = 1 + random.below(3);
            let k = match dtype.block_len() {
                // Odd lengths too: only blocks need whole ones.
                1 => 1 + random.below(100),
                len => len * blocks,
            };
            compared += Case::new(dtype, scales, n, k, rows, random).check(random)?;
        }
    }
    Ok(compared)
}

/// Down to subnormal ones, which K types have.
fn scale(random: &mut Random) -> f16 {
    let size = [0.5, 0.01, 3e-5][random.below(3)];
    f16::from_f32(random.float() * size)
}

struct Case {
    name: String,
    dtype: DType,
    n: usize,
    k: usize,
    rows: usize,
    weight: Vec<u8>,
    x: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Case {
    fn new(
        dtype: DType,
        scales: &[usize],
        n: usize,
        k: usize,
        rows: usize,
        random: &mut Random,
    ) -> Self {
        let block = dtype.block_bytes();
        let mut weight = vec![0; n * k / dtype.block_len() * block];
        for bytes in weight.chunks_exact_mut(block) {
            match dtype {
                DType::F32 => bytes.copy_from_slice(&random.float().to_le_bytes()),
                DType::BF16 => bytes.copy_from_slice(&random.float().to_le_bytes()[2..]),
                _ => bytes.iter_mut().for_each(|byte| *byte = random.bits() as u8),
            }
            for &at in scales {
                bytes[at..at + 2].copy_from_slice(&scale(random).to_le_bytes());
            }
            match dtype {
                // A power of two near 1.
                DType::MXFP4 => bytes[0] = 117 + random.below(16) as u8,
                // The scale's nibbles are the highest of four words.
                DType::IQ1_M => {
                    let scale = scale(random).to_bits();
                    for (i, word) in bytes[48..].chunks_exact_mut(2).enumerate() {
                        word[1] = word[1] & 15 | ((scale >> (4 * i)) as u8) << 4;
                    }
                }
                _ => {}
            }
        }
        let x = random.floats(rows * k);
        let bias = (random.below(2) == 1).then(|| random.floats(n));
        let name = format!("linear {dtype} n={n} k={k} rows={rows}");
        Self { name, dtype, n, k, rows, weight, x, bias }
    }

    /// Some of the rows in 8 bits, for weights that take these.
    fn blocks(&self, rows: std::ops::Range<usize>) -> Vec<Act8> {
        let x = &self.x[rows.start * self.k..rows.end * self.k];
        let count = if self.dtype.is_quantized() { x.len() / 32 } else { 0 };
        let mut blocks = vec![Act8::zeroed(); count];
        if count > 0 {
            quantize_act8(x, rows.len(), SharedOut::new(&mut blocks), 0..rows.len());
        }
        blocks
    }

    /// Some of the rows, the columns cut at the given places.
    fn run<L: Lanes>(&self, rows: std::ops::Range<usize>, cuts: &[usize]) -> Vec<f32> {
        let mut y = vec![f32::NAN; rows.len() * self.n];
        let (blocks, x) =
            (self.blocks(rows.clone()), &self.x[rows.start * self.k..rows.end * self.k]);
        let x = if self.dtype.is_quantized() {
            Activations::Act8(Act8Rows::new(&blocks, rows.len()))
        } else {
            Activations::F32(x)
        };
        let args = Linear {
            weight: &self.weight,
            dtype: self.dtype,
            n: self.n,
            k: self.k,
            rows: rows.len(),
            x,
            bias: self.bias.as_deref(),
            y: SharedOut::new(&mut y),
        };
        let ends = cuts.iter().copied().chain([self.n]);
        ends.fold(0, |start, end| {
            linear_by::<L>(&args, start..end);
            end
        });
        y
    }

    fn check(&self, random: &mut Random) -> Result<usize, String> {
        let all = self.run::<Native>(0..self.rows, &[]);
        let mut weight = vec![0.0; self.n * self.k];
        dequantize_row(self.dtype, &self.weight, &mut weight);
        // What the kernel is given: the activations after their own quantisation.
        let x: Vec<f64> = if self.dtype.is_quantized() {
            let value = |a: Act8| a.q.map(|q| f64::from(q) * f64::from(a.d));
            (0..self.rows).flat_map(|row| self.blocks(row..row + 1)).flat_map(value).collect()
        } else {
            self.x.iter().map(|x| f64::from(*x)).collect()
        };
        let products = |i: usize| {
            let (row, column) = (i / self.n, i % self.n);
            let w = &weight[column * self.k..][..self.k];
            let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[column]));
            let x = &x[row * self.k..][..self.k];
            std::iter::once(bias).chain(x.iter().zip(w).map(|(x, w)| x * f64::from(*w)))
        };
        // Minima cancel against values that were added before: they belong to the size.
        let size = |i: usize| products(i).map(f64::abs).sum::<f64>() + 1e-3;
        let exact = (0..all.len()).map(|i| products(i).sum::<f64>());
        let mut compared = compare(&self.name, &all, exact, 4e-6, size)?;

        let reference = self.run::<Portable>(0..self.rows, &[]);
        let what = format!("{} against the reference lanes", self.name);
        // The relaxed lanes add in other groups and fuse; all others must give the same bits.
        let tolerance = if Native::NAME == "relaxed" { 4e-6 } else { 0.0 };
        let expected = reference.iter().map(|y| f64::from(*y));
        compared += compare(&what, &all, expected, tolerance, size)?;

        let cuts = {
            let mut cuts: Vec<usize> = (0..3).map(|_| random.below(self.n + 1)).collect();
            cuts.sort_unstable();
            cuts
        };
        for start in 0..self.rows {
            let end = start + 1 + random.below(self.rows - start);
            let some = self.run::<Native>(start..end, &cuts);
            let what = format!("{} rows {start}..{end} cut at {cuts:?}", self.name);
            let expected = all[start * self.n..end * self.n].iter().map(|y| f64::from(*y));
            compared += compare(&what, &some, expected, 0.0, size)?;
        }
        Ok(compared)
    }
}
