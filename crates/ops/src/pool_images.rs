use crate::conv::images;
use crate::rows::rows;
use crate::{OpInfo, Pooling, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{ImagePool, Windows};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "PoolImages",
    summary: "the largest of windows or their means, where channels come last",
};

/// Windows of `x[n, d, h, w, c]`, channels last, in `f32`: the largest, without its place, or the mean.
#[derive(Debug)]
pub struct PoolImages {
    /// What becomes of a window; not norms.
    pub pooling: Pooling,
    /// How the windows lie.
    pub windows: Windows,
}

impl Operator for PoolImages {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let ([.., channels], [n, d, h, w]) = images(x, &self.windows)?;
        if matches!(self.pooling, Pooling::Lp { .. }) {
            return Err("there are no norms of channels that come last".into());
        }
        Ok(vec![ValueType::fixed(DType::F32, &[n, d, h, w, channels])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let out = args.outputs[0].extents;
        let cost = self.windows.taps().saturating_mul(out.inner()).max(1);
        Work { units: out.rows(), grain: 1, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let x = args.tensor(0);
        let (largest, ends) = match self.pooling {
            Pooling::Average { ends } => (false, ends),
            _ => (true, None),
        };
        let pool = ImagePool {
            windows: &self.windows,
            channels: x.extents.inner(),
            x: x.f32s(),
            largest,
            ends,
        };
        let (_, out) = rows(args, units.clone());
        sidestage_kernels::pool_windows(&pool, units, out);
    }
}
