#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Strides;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "MatMul",
    summary: "products of matrices, the dimensions before them broadcast",
};

/// `a[…, m, k] * b[…, k, n]`, of one plain type.
#[derive(Debug)]
pub struct MatMul;

impl Operator for MatMul {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [a, b] = rules::operands(inputs)?;
        rules::dtype("b", b, a.dtype)?;
        let (a_dims, b_dims) = (rules::dims("a", a)?, rules::dims("b", b)?);
        let ([batch @ .., m, k], [other @ .., l, n]) = (a_dims.as_slice(), b_dims.as_slice())
        else {
            return Err("a and b must have at least two dimensions".into());
        };
        rules::equal("b's number of rows", *l, *k)?;
        if sidestage_kernels::wide_kind(a.dtype).is_none() || a.dtype == DType::Bool {
            return Err(format!("is not defined for {}", a.dtype));
        }
        let mut dims = rules::broadcast(batch, other)?;
        dims.extend([*m, *n]);
        Ok(vec![ValueType::fixed(a.dtype, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (a, out) = (args.tensor(0).extents, args.outputs[0].extents);
        Work { units: out.rows(), grain: 4, cost: (a.inner() * out.inner()).max(1) }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let (k, n) = (a.extents.inner(), out.extents.inner());
        let [batch @ .., m, _] = out.extents.dims() else { return };
        let (m, size) = (*m, out.dtype.block_bytes());
        let outer = |dims: &'_ [usize]| dims[..dims.len() - 2].to_vec();
        let (a_outer, b_outer) = (outer(a.extents.dims()), outer(b.extents.dims()));
        let strides = Strides::broadcast(batch, [&a_outer, &b_outer]);
        let (first, last) = (units.start / m, units.end.div_ceil(m));
        strides.rows(first..last, |at, [x, y], count, [i, j]| {
            for step in 0..count {
                let matrix = at + step;
                let rows = units.start.max(matrix * m)..units.end.min((matrix + 1) * m);
                // SAFETY: units are whole rows, and no two threads have the same.
                let cells = unsafe { out.bytes.part(rows.start * n * size..rows.end * n * size) };
                let of_a = (x + step * i as usize) * m;
                let a_rows = of_a + rows.start - matrix * m..of_a + rows.end - matrix * m;
                let a = &a.bytes[a_rows.start * k * size..a_rows.end * k * size];
                let of_b = (y + step * j as usize) * k * n * size;
                let b = &b.bytes[of_b..of_b + k * n * size];
                if out.dtype == DType::F32 {
                    let (a, b) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
                    sidestage_kernels::matmul(a, b, (k, n), bytemuck::cast_slice_mut(cells));
                } else {
                    sidestage_kernels::matmul_wide(out.dtype, a, b, (k, n), cells);
                }
            }
        });
    }
}
