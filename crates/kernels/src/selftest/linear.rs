//! The linear layer against `f64` sums over dequantised weights, against the reference lanes, and
//! against itself in other tiles.

use super::{Random, compare};
use crate::lanes::{Dots, Generic, Lanes, Portable, every};
use crate::linear::linear_by;
use crate::{
    Act8Rows, Activations, GROUP, Linear, arrange, dequantize_row, embed, grouped_rows,
    quantize_act8, supports,
};
use bytemuck::Zeroable;
use half::f16;
use sidestage_tensor::blocks::Act8;
use sidestage_tensor::{DType, SharedOut};
use std::ops::Range;

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
const SHAPES: [(usize, usize); 8] =
    [(1, 1), (3, 2), (8, 4), (13, 9), (33, 6), (18, 8), (20, 13), (71, 12)];

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
                // Odd lengths too: only blocks need whole ones. Some are longer than a panel.
                1 => 1 + random.below([100, 600][blocks % 2]),
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
    /// As in a file, and as the kernels take it.
    weight: Vec<u8>,
    arranged: Vec<u8>,
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
        let mut arranged = weight.clone();
        arrange(dtype, (n, k), &mut arranged);
        Self { name, dtype, n, k, rows, weight, arranged, x, bias }
    }

    /// Some of the rows in 8 bits, for weights that take these.
    fn blocks(&self, rows: Range<usize>) -> Vec<Act8> {
        let x = &self.x[rows.start * self.k..rows.end * self.k];
        let count = if self.dtype.is_quantized() { x.len() / 32 } else { 0 };
        let mut blocks = vec![Act8::zeroed(); count];
        if count > 0 {
            quantize_act8(x, rows.len(), SharedOut::new(&mut blocks), 0..rows.len());
        }
        blocks
    }

    /// Some of the rows, the columns cut at the given places.
    fn run<D: Dots>(&self, rows: Range<usize>, cuts: &[usize]) -> Vec<f32> {
        let mut y = vec![f32::NAN; rows.len() * self.n];
        let (blocks, x) =
            (self.blocks(rows.clone()), &self.x[rows.start * self.k..rows.end * self.k]);
        let x = if self.dtype.is_quantized() {
            Activations::Act8(Act8Rows::new(&blocks, rows.len()))
        } else {
            Activations::F32(x)
        };
        let args = Linear {
            weight: &self.arranged,
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
            linear_by::<D, true>(&args, start..end);
            end
        });
        y
    }

    fn check(&self, random: &mut Random) -> Result<usize, String> {
        let mut weight = vec![0.0; self.n * self.k];
        dequantize_row(self.dtype, &self.weight, &mut weight);
        let mut row = vec![0.0; self.k];
        for (index, expected) in weight.chunks_exact(self.k).enumerate() {
            embed(self.dtype, &self.arranged, (self.n, self.k), index, &mut row);
            if row != expected {
                return Err(format!("{}: row {index} of the weight differs", self.name));
            }
        }
        let cuts = {
            let step = if grouped_rows(self.dtype, self.n) > 0 { GROUP } else { 1 };
            let mut cut = || random.below(self.n / step + 1) * step;
            let mut cuts = [cut(), cut(), cut()];
            cuts.sort_unstable();
            cuts
        };
        let parts = (0..self.rows).map(|start| start..start + 1 + random.below(self.rows - start));
        let parts: Vec<_> = parts.collect();
        let set = Set { case: self, weight: &weight, cuts: &cuts, parts: &parts };
        every(set).into_iter().sum()
    }
}

/// A case, for one set of products.
#[derive(Clone, Copy)]
struct Set<'a> {
    case: &'a Case,
    /// Its weight's values.
    weight: &'a [f32],
    /// Where columns are cut.
    cuts: &'a [usize],
    /// Rows that are computed without the others.
    parts: &'a [Range<usize>],
}

impl Generic for Set<'_> {
    type Output = Result<usize, String>;

    fn run<D: Dots>(self) -> Result<usize, String> {
        let case = self.case;
        let name = format!("{} {}", D::NAME, case.name);
        let all = case.run::<D>(0..case.rows, &[]);
        // What the kernel is given: the activations after their own quantisation.
        let x: Vec<f64> = if case.dtype.is_quantized() {
            let value = |a: Act8| a.q.map(|q| f64::from(q) * f64::from(a.d));
            (0..case.rows).flat_map(|row| case.blocks(row..row + 1)).flat_map(value).collect()
        } else {
            case.x.iter().map(|x| f64::from(*x)).collect()
        };
        let products = |i: usize| {
            let (row, column) = (i / case.n, i % case.n);
            let w = &self.weight[column * case.k..][..case.k];
            let bias = case.bias.as_ref().map_or(0.0, |bias| f64::from(bias[column]));
            let x = &x[row * case.k..][..case.k];
            std::iter::once(bias).chain(x.iter().zip(w).map(|(x, w)| x * f64::from(*w)))
        };
        // Minima cancel against values that were added before: they belong to the size.
        let size = |i: usize| products(i).map(f64::abs).sum::<f64>() + 1e-3;
        let exact = (0..all.len()).map(|i| products(i).sum::<f64>());
        let mut compared = compare(&name, &all, exact, 4e-6, size)?;

        let reference = case.run::<Portable>(0..case.rows, &[]);
        let what = format!("{name} against the reference");
        // The relaxed lanes add in other groups and fuse; all others must give the same bits.
        let tolerance = if D::L::NAME == "relaxed" { 4e-6 } else { 0.0 };
        let expected = reference.iter().map(|y| f64::from(*y));
        compared += compare(&what, &all, expected, tolerance, size)?;

        for rows in self.parts {
            let some = case.run::<D>(rows.clone(), self.cuts);
            let what = format!("{name} rows {rows:?} cut at {:?}", self.cuts);
            let expected = all[rows.start * case.n..rows.end * case.n].iter();
            compared += compare(&what, &some, expected.map(|y| f64::from(*y)), 0.0, size)?;
        }
        Ok(compared)
    }
}
