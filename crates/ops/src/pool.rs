#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Windows;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Pool", summary: "the largest of windows, their means or norms: MaxPool, …" };

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pooling {
    /// The largest, and its index among the elements of `[c, d, h, w]` of its image.
    Max {
        /// In the index the last dimension counts most.
        column_major: bool,
    },
    /// The mean, of what lies inside or with the padding that is declared (`ends`: where it ends
    /// along each dimension, counted from its begin).
    Average {
        /// Where the padding ends, if it counts.
        ends: Option<[usize; 3]>,
    },
    /// The p-th root of the sum of p-th powers.
    Lp {
        /// p.
        p: f64,
    },
}

/// Windows of `x[n, c, d, h, w]`, in `f32`.
#[derive(Debug)]
pub struct Pool {
    /// What becomes of a window.
    pub pooling: Pooling,
    /// How the windows lie.
    pub windows: Windows,
}

impl Operator for Pool {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        rules::rank("x", x, 5)?;
        let dims = rules::dims("x", x)?;
        if dims[2..] != self.windows.input {
            return Err("the windows are those of another operand".into());
        }
        let [d, h, w] = self.windows.output;
        let dims = [dims[0], dims[1], d, h, w];
        let mut results = vec![ValueType::fixed(DType::F32, &dims)];
        if matches!(self.pooling, Pooling::Max { .. }) {
            results.push(ValueType::fixed(DType::I64, &dims));
        }
        Ok(results)
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let units = args.outputs[0].extents.elements();
        Work { units, grain: 16, cost: self.windows.taps().saturating_mul(4) }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0).f32s(), args.outputs[0].cells::<f32>());
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        let channels = args.tensor(0).extents.dims()[1];
        for unit in units {
            let channel = unit / outputs;
            let (value, index) = self.window(&x[channel * inputs..][..inputs], unit % outputs);
            // SAFETY: no two threads have the same elements.
            unsafe { out.part(unit..unit + 1)[0] = value };
            if let Some(indices) = args.outputs.get(1) {
                let index = (channel % channels * inputs + index) as i64
                    + (channel / channels * channels * inputs) as i64;
                // SAFETY: as above.
                unsafe { indices.cells::<i64>().part(unit..unit + 1)[0] = index };
            }
        }
    }
}

impl Pool {
    /// The value of a window of a channel, and the place of its largest element.
    fn window(&self, x: &[f32], at: usize) -> (f32, usize) {
        let windows = &self.windows;
        let [_, rows, columns] = windows.output;
        let at = [at / columns / rows, at / columns % rows, at % columns];
        let [_, height, width] = windows.input;
        let (mut most, mut place) = (f32::NEG_INFINITY, 0);
        let (mut sum, mut count) = (0.0_f64, 0);
        for d in windows.places(0, at[0]) {
            for h in windows.places(1, at[1]) {
                for w in windows.places(2, at[2]) {
                    let value = x[(d * height + h) * width + w];
                    count += 1;
                    match self.pooling {
                        Pooling::Max { column_major } => {
                            if value > most || value.is_nan() || count == 1 {
                                most = value;
                                place = if column_major {
                                    (w * height + h) * windows.input[0] + d
                                } else {
                                    (d * height + h) * width + w
                                };
                            }
                        }
                        Pooling::Average { .. } => sum += f64::from(value),
                        Pooling::Lp { p } => sum += f64::from(value.abs()).powf(p),
                    }
                }
            }
        }
        match self.pooling {
            Pooling::Max { .. } => (most, place),
            Pooling::Lp { p } => (sum.powf(1.0 / p) as f32, 0),
            Pooling::Average { ends: None } => ((sum / f64::from(count)) as f32, 0),
            Pooling::Average { ends: Some(ends) } => {
                let declared = |axis: usize| {
                    let start = at[axis] * windows.stride[axis];
                    let taps = ends[axis].saturating_sub(start).div_ceil(windows.dilation[axis]);
                    taps.min(windows.kernel[axis])
                };
                let count = declared(0) * declared(1) * declared(2);
                ((sum / count as f64) as f32, 0)
            }
        }
    }
}
