#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Complex, Wide};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "DFT", summary: "discrete Fourier transforms" };

/// The transforms of the rows of `x[rows, length, 1 or 2]`, real or complex (ONNX 20, "DFT"). Rows
/// that are too short end in zeros, of longer ones the rest is left out.
#[derive(Debug)]
pub struct Dft {
    /// The transform.
    pub plan: sidestage_kernels::Dft,
    /// Whether it is the way back, whose result is divided by the length.
    pub inverse: bool,
    /// Whether only half of the spectrum is there, since the signal is real: that of the result, or on
    /// the way back that of the operand.
    pub onesided: bool,
}

impl Dft {
    fn half(&self) -> usize {
        self.plan.length() / 2 + 1
    }
}

impl Operator for Dft {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 3)?;
        let dims = rules::dims("x", x)?;
        if f64::load(x.dtype).is_none() || !matches!(dims[2], 1 | 2) {
            return Err(format!("is not defined for {} of {dims:?}", x.dtype));
        }
        let (bins, parts) = match (self.onesided, self.inverse) {
            (false, _) => (self.plan.length(), 2),
            (true, false) => (self.half(), 2),
            (true, true) => (self.plan.length(), 1),
        };
        Ok(vec![ValueType::fixed(x.dtype, &[dims[0], bins, parts])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let units = args.outputs[0].extents.dims()[0];
        Work { units, grain: 1, cost: 32 * self.plan.length() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let (Some(load), Some(store)) = (f64::load(x.dtype), f64::store(x.dtype)) else { return };
        let &[_, length, parts] = x.extents.dims() else { return };
        let &[_, bins, wanted] = out.extents.dims() else { return };
        let whole = self.plan.length();
        let mut row: Vec<Complex> = vec![[0.0; 2]; whole];
        let mut done = row.clone();
        let halved = self.onesided && self.inverse;
        let taken = length.min(if halved { self.half() } else { whole }).min(whole);
        let size = bins * wanted * x.dtype.block_bytes();
        for unit in units {
            row.fill([0.0; 2]);
            for (i, x_i) in row[..taken].iter_mut().enumerate() {
                let at = (unit * length + i) * parts;
                *x_i = [load(x.bytes, at), if parts == 2 { load(x.bytes, at + 1) } else { 0.0 }];
            }
            if halved {
                // The other half mirrors it.
                for i in self.half()..whole {
                    let [re, im] = row[whole - i];
                    row[i] = [re, -im];
                }
            }
            self.plan.run(&row, &mut done);
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.bytes.part(unit * size..(unit + 1) * size) };
            let factor = if self.inverse { whole as f64 } else { 1.0 };
            for (i, value) in done[..bins].iter().enumerate() {
                for (part, number) in value.iter().take(wanted).enumerate() {
                    store(cells, i * wanted + part, number / factor);
                }
            }
        }
    }
}
