#![allow(unsafe_code, reason = "each thread writes the sequences it was given")]

use crate::recurrent::Squash;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "SequenceLstm",
    summary: "a layer with long and short memory, whose gates may be normalised and states projected",
};

/// A layer as LiteRT has it ("UNIDIRECTIONAL_SEQUENCE_LSTM"), in `f32`. Gates: input, forget, cell,
/// output. Operands: `x[steps, sequences, 4 * cells]`, which has been multiplied with the input's
/// weights; the state's weights `[width, 4 * cells]`; peepholes `[3 * cells]` of input, forget and
/// output gate; biases `[4 * cells]`; the state `[sequences, width]` and the cells'
/// `[sequences, cells]`; factors `[4 * cells]` of the normalised gates, if they are; the projection
/// `[cells, width]` and its bias `[width]`, if there is one; without, `width` is `cells`.
///
/// Gives the states after each step `[steps, sequences, width]`, and the last ones.
#[derive(Debug)]
pub struct SequenceLstm {
    /// From the last step to the first.
    pub reverse: bool,
    /// What the input gate lets in is what the forget gate lets go.
    pub coupled: bool,
    /// Whether gates are normalised.
    pub normalized: bool,
    /// Whether states are projected.
    pub projected: bool,
    /// What cells and projections are between, and its negative; 0: anything.
    pub clips: [f32; 2],
    /// Of the cell's gate and of the cell.
    pub function: Squash,
}

/// The operands of one run.
struct Layer<'a> {
    weights: &'a [f32],
    peepholes: &'a [f32],
    bias: &'a [f32],
    norms: Option<&'a [f32]>,
    projection: Option<(&'a [f32], &'a [f32])>,
}

impl Operator for SequenceLstm {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let count = 6 + usize::from(self.normalized) + 2 * usize::from(self.projected);
        rules::equal("the number of operands", inputs.len(), count)?;
        let x = rules::dims("x", inputs[0])?;
        let [steps, sequences, gates] = x[..] else {
            return Err("x must have 3 dimensions".into());
        };
        let weights = rules::dims("the state's weights", inputs[1])?;
        let (cells, width) = (gates / 4, *weights.first().unwrap_or(&0));
        let gates = 4 * cells;
        let mut expected = vec![
            ("x", vec![steps, sequences, gates]),
            ("the state's weights", vec![width, gates]),
            ("the peepholes", vec![3 * cells]),
            ("the bias", vec![gates]),
            ("the state", vec![sequences, width]),
            ("the cells", vec![sequences, cells]),
        ];
        if self.normalized {
            expected.push(("the factors", vec![gates]));
        }
        if self.projected {
            expected.push(("the projection", vec![cells, width]));
            expected.push(("its bias", vec![width]));
        } else {
            rules::equal("the state's width", width, cells)?;
        }
        for (ty, (what, dims)) in inputs.iter().zip(expected) {
            if **ty != ValueType::fixed(DType::F32, &dims) {
                return Err(format!("{what} must be F32 {dims:?}, not {ty:?}"));
            }
        }
        Ok(vec![
            ValueType::fixed(DType::F32, &[steps, sequences, width]),
            ValueType::fixed(DType::F32, &[sequences, width]),
            ValueType::fixed(DType::F32, &[sequences, cells]),
        ])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (x, weights) = (args.tensor(0).extents, args.tensor(1).extents);
        let steps = x.dims()[0];
        Work { units: x.dims()[1], grain: 1, cost: steps * (weights.elements() + 64) }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let x = args.tensor(0);
        let &[steps, sequences, gates] = x.extents.dims() else { return };
        let (cells, width) = (gates / 4, args.tensor(4).extents.inner());
        let f32s = |index: usize| args.tensor(index).f32s();
        let next = 6 + usize::from(self.normalized);
        let layer = Layer {
            weights: f32s(1),
            peepholes: f32s(2),
            bias: f32s(3),
            norms: self.normalized.then(|| f32s(6)),
            projection: self.projected.then(|| (f32s(next), f32s(next + 1))),
        };
        let (mut room, mut product) = (vec![0.0; gates], vec![0.0; gates]);
        for unit in units {
            let mut state = f32s(4)[unit * width..][..width].to_vec();
            let mut inner = f32s(5)[unit * cells..][..cells].to_vec();
            for step in 0..steps {
                let at = if self.reverse { steps - 1 - step } else { step };
                let row = at * sequences + unit;
                room.copy_from_slice(&x.f32s()[row * gates..][..gates]);
                sidestage_kernels::matmul(&state, layer.weights, (width, gates), &mut product);
                room.iter_mut().zip(&product).for_each(|(gate, more)| *gate += more);
                self.step(&layer, &mut room, &mut inner, &mut state);
                // SAFETY: units are whole sequences, and no two threads have the same.
                let out =
                    unsafe { args.outputs[0].cells::<f32>().part(row * width..(row + 1) * width) };
                out.copy_from_slice(&state);
            }
            // SAFETY: as above.
            let out =
                unsafe { args.outputs[1].cells::<f32>().part(unit * width..(unit + 1) * width) };
            out.copy_from_slice(&state);
            // SAFETY: as above.
            let out =
                unsafe { args.outputs[2].cells::<f32>().part(unit * cells..(unit + 1) * cells) };
            out.copy_from_slice(&inner);
        }
    }
}

fn clipped(x: f32, limit: f32) -> f32 {
    // Not `clamp`, which has a panic; what is no number stays so.
    if limit > 0.0 && x > limit {
        limit
    } else if limit > 0.0 && x < -limit {
        -limit
    } else {
        x
    }
}

impl SequenceLstm {
    /// One gate's values as they go into its function.
    fn gate(&self, layer: &Layer<'_>, which: usize, gate: &mut [f32]) {
        let own = which * gate.len()..(which + 1) * gate.len();
        if let Some(norms) = layer.norms {
            let count = gate.len() as f32;
            let mean = gate.iter().sum::<f32>() / count;
            let spread = gate.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
            let scale = 1.0 / (spread + 1e-8).sqrt();
            let each = gate.iter_mut().zip(&norms[own.clone()]);
            each.for_each(|(x, norm)| *x = (*x - mean) * scale * norm);
        }
        gate.iter_mut().zip(&layer.bias[own]).for_each(|(x, bias)| *x += bias);
    }

    fn step(&self, layer: &Layer<'_>, gates: &mut [f32], inner: &mut [f32], state: &mut [f32]) {
        let cells = inner.len();
        let peephole = |which: usize| &layer.peepholes[which * cells..(which + 1) * cells];
        let add = |gate: &mut [f32], which: usize, inner: &[f32]| {
            let each = gate.iter_mut().zip(peephole(which)).zip(inner);
            each.for_each(|((gate, peephole), inner)| *gate += peephole * inner);
        };
        let (input, rest) = gates.split_at_mut(cells);
        let (forget, rest) = rest.split_at_mut(cells);
        let (cell, output) = rest.split_at_mut(cells);
        add(forget, 1, inner);
        self.gate(layer, 1, forget);
        self.gate(layer, 2, cell);
        if !self.coupled {
            add(input, 0, inner);
            self.gate(layer, 0, input);
        }
        for at in 0..cells {
            let forget = Squash::Sigmoid.of(forget[at]);
            let input = if self.coupled { 1.0 - forget } else { Squash::Sigmoid.of(input[at]) };
            let next = forget * inner[at] + input * self.function.of(cell[at]);
            inner[at] = clipped(next, self.clips[0]);
        }
        add(output, 2, inner);
        self.gate(layer, 3, output);
        for (output, inner) in output.iter_mut().zip(&*inner) {
            *output = Squash::Sigmoid.of(*output) * self.function.of(*inner);
        }
        match layer.projection {
            None => state.copy_from_slice(output),
            Some((weights, bias)) => {
                sidestage_kernels::matmul(output, weights, (cells, state.len()), state);
                let each = state.iter_mut().zip(bias);
                each.for_each(|(x, bias)| *x = clipped(*x + bias, self.clips[1]));
            }
        }
    }
}
