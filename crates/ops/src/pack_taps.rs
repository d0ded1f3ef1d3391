#![allow(unsafe_code, reason = "one unit writes the whole result")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{DepthwiseInt8, pack_depthwise_int8};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "PackTaps",
    summary: "weights of bytes of channels by themselves, four taps side by side",
};

/// `weights[taps, c]` of bytes as [`DepthwiseQLinearConv`](crate::DepthwiseQLinearConv) reads them:
/// `[rows, c, 4]` of bytes with a sign, at least 16 channels, the channels' sums first. Of bytes without a
/// sign 128 is taken. Where they are known a trace does it once.
#[derive(Clone, Copy, Debug)]
pub struct PackTaps {
    /// `[kd, kh, kw]`.
    pub kernel: [usize; 3],
}

impl Operator for PackTaps {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [weights] = rules::operands(inputs)?;
        if !matches!(weights.dtype, DType::I8 | DType::U8) {
            return Err(format!("is not defined for {}", weights.dtype));
        }
        let dims = rules::dims("the weights", weights)?;
        let taps = self.kernel.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
        match *dims {
            [all, channels] if Some(all) == taps => {
                let [rows, room] = DepthwiseInt8::packed(self.kernel, channels);
                Ok(vec![ValueType::fixed(DType::I8, &[rows, room, 4])])
            }
            _ => Err(format!("weights of {dims:?} for windows of {:?}", self.kernel)),
        }
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: 1, grain: 1, cost: 4 * args.outputs[0].extents.elements() }
    }

    fn run(&self, args: &Args<'_>, _: Range<usize>) {
        let (weights, out) = (args.tensor(0), args.outputs[0]);
        // SAFETY: there is one unit.
        let out = unsafe { out.bytes.part(0..out.bytes.len()) };
        let (signed, channels) = (weights.dtype == DType::I8, weights.extents.inner());
        pack_depthwise_int8(weights.bytes, signed, self.kernel, channels, out);
    }
}
