use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{PANEL, packed_steps, panels};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "PackInt8",
    summary: "matrices of bytes in panels of eight columns, as products of bytes read them",
};

/// `b[…, k, n]` of bytes as `[…, panels of n, 1 + k / 4, 32]` of bytes with a sign: the columns' sums,
/// then four rows each. Of bytes without a sign 128 is taken. Where `b` is known a trace does it once.
#[derive(Clone, Copy, Debug)]
pub struct PackInt8 {
    /// Whether `b` is `[…, n, k]`.
    pub transposed: bool,
}

impl PackInt8 {
    /// `k` and `n` of an operand.
    fn shape(self, dims: &[usize]) -> (usize, usize) {
        match (self.transposed, dims) {
            (false, [.., k, n]) | (true, [.., n, k]) => (*k, *n),
            _ => (0, 0),
        }
    }
}

/// The dimensions of packed matrices of `k` rows and `n` columns.
pub(crate) fn packed(batch: &[usize], k: usize, n: usize) -> Vec<usize> {
    batch.iter().copied().chain([panels(n), packed_steps(k), 4 * PANEL]).collect()
}

impl Operator for PackInt8 {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [b] = rules::operands(inputs)?;
        if !matches!(b.dtype, DType::I8 | DType::U8) {
            return Err(format!("is not defined for {}", b.dtype));
        }
        let dims = rules::dims("b", b)?;
        let [batch @ .., _, _] = dims.as_slice() else {
            return Err("b must have at least two dimensions".into());
        };
        let (k, n) = self.shape(&dims);
        Ok(vec![ValueType::fixed(DType::I8, &packed(batch, k, n))])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (k, _) = self.shape(args.tensor(0).extents.dims());
        let size = packed_steps(k) * 4 * PANEL;
        Work { units: args.outputs[0].extents.elements() / size, grain: 1, cost: 2 * size }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let b = args.tensor(0);
        let (k, n) = self.shape(b.extents.dims());
        let (all, steps) = (panels(n), packed_steps(k));
        let mut unit = units.start;
        while unit < units.end {
            let (matrix, panel) = (unit / all, unit % all);
            let end = all.min(panel + units.end - unit);
            let (_, out) = rows(args, unit * steps..(unit + end - panel) * steps);
            let of = &b.bytes[matrix * k * n..][..k * n];
            let signed = b.dtype == DType::I8;
            sidestage_kernels::pack_int8(of, signed, (k, n), self.transposed, panel..end, out);
            unit += end - panel;
        }
    }
}
