#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Windows;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Col2Im", summary: "images of windows that are added where they overlap" };

/// `x[n, c * taps, windows]` as images `[n, c, d, h, w]`, in `f32` (ONNX 18, "Col2Im").
#[derive(Debug)]
pub struct Col2Im {
    /// How the windows lie.
    pub windows: Windows,
}

impl Operator for Col2Im {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        rules::rank("x", x, 3)?;
        let dims = rules::dims("x", x)?;
        let taps = self.windows.taps();
        rules::equal("the number of windows", dims[2], self.windows.outputs())?;
        if taps == 0 || !dims[1].is_multiple_of(taps) {
            return Err(format!("{} rows are not windows of {taps} elements", dims[1]));
        }
        let [d, h, w] = self.windows.input;
        Ok(vec![ValueType::fixed(DType::F32, &[dims[0], dims[1] / taps, d, h, w])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let out = args.outputs[0].extents;
        Work { units: out.rows(), grain: 1, cost: self.windows.taps() * self.windows.output[2] }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0).f32s(), args.outputs[0].cells::<f32>());
        let [depth, height, width] = self.windows.input;
        let channel = self.windows.taps() * self.windows.outputs();
        for unit in units {
            let (row, image) = (unit % (depth * height), unit / (depth * height));
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.part(unit * width..(unit + 1) * width) };
            let columns = &x[image * channel..(image + 1) * channel];
            let at = (row / height, row % height);
            sidestage_kernels::fold_row(&self.windows, at, columns, cells);
        }
    }
}
