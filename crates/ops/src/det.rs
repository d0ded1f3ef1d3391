#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Wide;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "Det", summary: "determinants of matrices" };

/// The determinants of `x[n, m, m]`, computed in double precision (ONNX 22, "Det").
#[derive(Debug)]
pub struct Det;

impl Operator for Det {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 3)?;
        let dims = rules::dims("x", x)?;
        rules::equal("a matrix's number of rows", dims[1], dims[2])?;
        if f64::load(x.dtype).is_none() {
            return Err(format!("is not defined for {}", x.dtype));
        }
        Ok(vec![ValueType::fixed(x.dtype, &dims[..1])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let size = args.tensor(0).extents.inner();
        let units = args.outputs[0].extents.elements();
        Work { units, grain: 1, cost: size.saturating_pow(3) + 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let (size, bytes) = (x.extents.inner(), x.dtype.block_bytes());
        let (Some(load), Some(store)) = (f64::load(x.dtype), f64::store(x.dtype)) else { return };
        for unit in units {
            let from = unit * size * size;
            let matrix = (from..from + size * size).map(|i| load(x.bytes, i)).collect();
            // SAFETY: no two threads have the same elements.
            let cell = unsafe { out.bytes.part(unit * bytes..(unit + 1) * bytes) };
            store(cell, 0, determinant(matrix, size));
        }
    }
}

/// By elimination, with the largest element of a column as its pivot.
fn determinant(mut matrix: Vec<f64>, size: usize) -> f64 {
    let mut product = 1.0;
    for column in 0..size {
        let mut pivot = column;
        for row in column + 1..size {
            if matrix[row * size + column].abs() > matrix[pivot * size + column].abs() {
                pivot = row;
            }
        }
        if pivot != column {
            (0..size).for_each(|i| matrix.swap(pivot * size + i, column * size + i));
            product = -product;
        }
        let top = matrix[column * size + column];
        product *= top;
        if top == 0.0 {
            return product;
        }
        for row in column + 1..size {
            let factor = matrix[row * size + column] / top;
            for i in column + 1..size {
                matrix[row * size + i] -= factor * matrix[column * size + i];
            }
        }
    }
    product
}
