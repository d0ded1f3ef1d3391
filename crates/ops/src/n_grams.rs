#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Wide;
use sidestage_tensor::DType;
use std::collections::HashMap;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "NGrams", summary: "how often runs of integers occur: TfIdfVectorizer" };

/// How often each run of the pool occurs in each row of integers (ONNX 9, "TfIdfVectorizer").
#[derive(Debug)]
pub struct NGrams {
    /// The runs: the result's element that counts it, and its weight.
    pub pool: HashMap<Vec<i64>, (usize, f32)>,
    /// Lengths that count.
    pub lengths: Range<usize>,
    /// Most integers that a run leaves out between two.
    pub skips: usize,
    /// Elements of the result.
    pub width: usize,
    /// Whether a run counts once at most.
    pub once: bool,
}

impl Operator for NGrams {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::I64)?;
        rules::rank("x", x, 2)?;
        if self.pool.values().any(|(at, _)| *at >= self.width) {
            return Err("the pool counts elements that are not there".into());
        }
        Ok(vec![ValueType::fixed(DType::F32, &[rules::dims("x", x)?[0], self.width])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let x = args.tensor(0).extents;
        let cost = x.inner().saturating_mul(16 * (self.skips.min(x.inner()) + 1));
        Work { units: x.dims()[0], grain: 1, cost: cost + self.width }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0].cells::<f32>());
        let (count, Some(load)) = (x.extents.inner(), i64::load(x.dtype)) else { return };
        let mut run = Vec::new();
        for unit in units {
            let row: Vec<i64> = (0..count).map(|at| load(x.bytes, unit * count + at)).collect();
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.part(unit * self.width..(unit + 1) * self.width) };
            cells.fill(0.0);
            // Runs that leave out more than the row has do not occur.
            for step in 1..=self.skips.saturating_add(1).min(count.max(1)) {
                for first in 0..count {
                    run.clear();
                    for &item in row[first..].iter().step_by(step) {
                        run.push(item);
                        // A run of one leaves nothing out: it counts once.
                        let counts =
                            self.lengths.contains(&run.len()) && (run.len() > 1 || step == 1);
                        if counts && let Some(&(at, weight)) = self.pool.get(run.as_slice()) {
                            cells[at] = if self.once { weight } else { cells[at] + weight };
                        }
                        if run.len() + 1 >= self.lengths.end {
                            break;
                        }
                    }
                }
            }
        }
    }
}
