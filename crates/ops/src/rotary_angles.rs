use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_tensor::DType;
use smallvec::SmallVec;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "RotaryAngles",
    summary: "cosines and sines of rotary position embeddings, once for all layers",
};

/// For each position the cosines and then the sines of `position * frequency[i]`:
/// `[rows, 2 * frequencies]`. A second operand, `factors[frequencies]`, divides the frequencies
/// (Llama 3's `rope_freqs.weight`).
#[derive(Debug)]
pub struct RotaryAngles {
    /// Angle per position of each pair.
    pub frequencies: Vec<f32>,
    /// Multiplies cosines and sines (YaRN's attention factor; 1 otherwise).
    pub magnitude: f32,
}

impl Operator for RotaryAngles {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let positions = match *inputs {
            [positions] => positions,
            [positions, factors] => {
                rules::dtype("factors", factors, DType::F32)?;
                rules::rank("factors", factors, 1)?;
                let length = rules::width("factors", factors)?;
                rules::equal("the number of factors", length, self.frequencies.len())?;
                positions
            }
            _ => return Err(format!("takes 1 or 2 operands, got {}", inputs.len())),
        };
        rules::dtype("positions", positions, DType::I32)?;
        rules::rank("positions", positions, 1)?;
        let width = Dim::Fixed(2 * self.frequencies.len());
        Ok(vec![ValueType::new(DType::F32, [positions.dims[0], width])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 40 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let pairs = self.frequencies.len();
        let positions = args.tensor(0).i32s();
        let mut frequencies: SmallVec<[f32; 128]> = SmallVec::from_slice(&self.frequencies);
        if args.inputs.len() > 1 {
            for (frequency, factor) in frequencies.iter_mut().zip(args.tensor(1).f32s()) {
                *frequency /= factor;
            }
        }
        for unit in units {
            let (_, out) = rows::<f32>(args, unit..unit + 1);
            let (cos, sin) = out.split_at_mut(pairs);
            let position = positions[unit].max(0) as u32;
            sidestage_kernels::rope_angles(position, &frequencies, self.magnitude, cos, sin);
        }
    }
}
