use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{PANEL, panels};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Pack", summary: "matrices in panels of eight columns, as products read them" };

/// `b[…, k, n]` as `[…, panels of n, k, 8]` in `f32`: the right side of [`Gemm`](crate::Gemm) and the
/// weights of [`Conv`](crate::Conv). Where `b` is known a trace does it once.
#[derive(Clone, Copy, Debug)]
pub struct Pack {
    /// Whether `b` is `[…, n, k]`.
    pub transposed: bool,
}

impl Pack {
    /// `k` and `n` of an operand.
    fn shape(self, dims: &[usize]) -> (usize, usize) {
        match (self.transposed, dims) {
            (false, [.., k, n]) | (true, [.., n, k]) => (*k, *n),
            _ => (0, 0),
        }
    }
}

impl Operator for Pack {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [b] = rules::operands(inputs)?;
        rules::dtype("b", b, DType::F32)?;
        let dims = rules::dims("b", b)?;
        let [batch @ .., _, _] = dims.as_slice() else {
            return Err("b must have at least two dimensions".into());
        };
        let (k, n) = self.shape(&dims);
        let dims: Vec<usize> = batch.iter().copied().chain([panels(n), k, PANEL]).collect();
        Ok(vec![ValueType::fixed(DType::F32, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (k, _) = self.shape(args.tensor(0).extents.dims());
        let units = args.outputs[0].extents.elements() / (k * PANEL).max(1);
        Work { units, grain: 1, cost: 4 * k * PANEL }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let b = args.tensor(0);
        let (k, n) = self.shape(b.extents.dims());
        let all = panels(n);
        let mut unit = units.start;
        while unit < units.end {
            let (matrix, panel) = (unit / all, unit % all);
            let end = all.min(panel + units.end - unit);
            let steps = unit * k..(unit + end - panel) * k;
            let (_, out) = rows(args, steps);
            let b = &b.f32s()[matrix * k * n..][..k * n];
            let apart = if self.transposed { [1, k] } else { [n, 1] };
            sidestage_kernels::pack(b, (k, n), apart, panel..end, out);
            unit += end - panel;
        }
    }
}
