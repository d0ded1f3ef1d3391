use crate::rows::rows_of;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "SelectExperts",
    summary: "the largest logits of each row and their shares in the softmax (arXiv:1701.06538)",
};

/// For each row of `logits[rows, experts]` the experts with the largest logits, `[rows, used]` of
/// `i32`, and their shares in the softmax over all, `[rows, used]` of `f32`.
#[derive(Debug)]
pub struct SelectExperts {
    /// Experts a row takes.
    pub used: usize,
    /// Whether the shares of those taken are divided by their sum.
    pub normalized: bool,
}

impl Operator for SelectExperts {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [logits] = rules::operands(inputs)?;
        let (rows, count) = rules::matrix("logits", logits)?;
        if !(1..=count).contains(&self.used) {
            return Err(format!("{} experts of {count} cannot be used", self.used));
        }
        let of = |dtype| ValueType::new(dtype, [rows, Dim::Fixed(self.used)]);
        Ok(vec![of(DType::I32), of(DType::F32)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.tensor(0).extents;
        Work { units: extents.rows(), grain: 1, cost: (8 + self.used) * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let logits = args.tensor(0);
        let count = logits.extents.inner();
        for unit in units {
            let row = &logits.f32s()[unit * count..(unit + 1) * count];
            let (_, chosen) = rows_of::<i32>(args, 0, unit..unit + 1);
            let (_, weights) = rows_of::<f32>(args, 1, unit..unit + 1);
            sidestage_kernels::select_experts(row, self.normalized, chosen, weights);
        }
    }
}
