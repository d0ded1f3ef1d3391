#![allow(unsafe_code, reason = "each thread writes the sequences it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Recurrent", summary: "a state from step to step: LSTM, GRU, RNN" };

/// How the next state is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// ONNX, "RNN".
    Rnn,
    /// ONNX, "GRU".
    Gru {
        /// Whether the reset gate is multiplied after the product with the state.
        linear_before_reset: bool,
    },
    /// ONNX, "LSTM".
    Lstm {
        /// Whether the forget gate is what the input gate leaves.
        input_forget: bool,
    },
}

impl Cell {
    /// Rows of weights for each element of the state.
    pub fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 3,
            Self::Lstm { .. } => 4,
        }
    }
}

/// A function of one number, and its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "ONNX's own names")]
pub enum Squash {
    Affine(f32, f32),
    Elu(f32),
    HardSigmoid(f32, f32),
    LeakyRelu(f32),
    Relu,
    ScaledTanh(f32, f32),
    Sigmoid,
    Softplus,
    Softsign,
    Tanh,
    ThresholdedRelu(f32),
}

impl Squash {
    #[inline(always)]
    pub(crate) fn of(self, x: f32) -> f32 {
        match self {
            Self::Affine(alpha, beta) => alpha * x + beta,
            Self::Elu(alpha) if x < 0.0 => alpha * x.exp_m1(),
            Self::HardSigmoid(alpha, beta) => (alpha * x + beta).clamp(0.0, 1.0),
            Self::LeakyRelu(alpha) if x < 0.0 => alpha * x,
            Self::Relu if x < 0.0 => 0.0,
            Self::ScaledTanh(alpha, beta) => alpha * (beta * x).tanh(),
            Self::Sigmoid => 1.0 / (1.0 + sidestage_kernels::exp(-x)),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Tanh => x.tanh(),
            Self::ThresholdedRelu(alpha) if x <= alpha => 0.0,
            Self::Elu(_) | Self::LeakyRelu(_) | Self::Relu | Self::ThresholdedRelu(_) => x,
        }
    }
}

/// One direction of a layer, in `f32`. `x[steps, sequences, gates * size]` has been multiplied with the
/// weights of the input, and has their bias; the state's weights are `[size, gates * size]`, their bias
/// `[gates * size]`; each sequence has a length (`i64`, limited to the steps) and a state
/// `[sequences, size]`. LSTM has a second state and the weights `[3 * size]` of its peepholes.
///
/// Gives the states after each step `[steps, sequences, size]` (0 after a sequence's end), and the last
/// ones.
#[derive(Debug)]
pub struct Recurrent {
    /// How the next state is made.
    pub cell: Cell,
    /// From a sequence's end to its beginning.
    pub reverse: bool,
    /// What functions get lies between this and its negative.
    pub clip: Option<f32>,
    /// The cell's functions, in ONNX's order.
    pub functions: [Squash; 3],
}

impl Operator for Recurrent {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let lstm = matches!(self.cell, Cell::Lstm { .. });
        rules::equal("the number of operands", inputs.len(), if lstm { 7 } else { 5 })?;
        let x = rules::dims("x", inputs[0])?;
        let [steps, count, width] = x[..] else {
            return Err("x must have 3 dimensions".into());
        };
        let size = width / self.cell.gates();
        let expected: [(&str, DType, &[usize]); 7] = [
            ("x", DType::F32, &[steps, count, size * self.cell.gates()]),
            ("the state's weights", DType::F32, &[size, width]),
            ("the bias", DType::F32, &[width]),
            ("the lengths", DType::I64, &[count]),
            ("the state", DType::F32, &[count, size]),
            ("the cell's state", DType::F32, &[count, size]),
            ("the peepholes", DType::F32, &[3 * size]),
        ];
        for (ty, (what, dtype, dims)) in inputs.iter().zip(expected) {
            if **ty != ValueType::fixed(dtype, dims) {
                return Err(format!("{what} must be {dtype} {dims:?}, not {ty:?}"));
            }
        }
        let state = ValueType::fixed(DType::F32, &[count, size]);
        let mut results = vec![ValueType::fixed(DType::F32, &[steps, count, size]), state.clone()];
        results.extend(lstm.then_some(state));
        Ok(results)
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let (x, weights) = (args.tensor(0).extents, args.tensor(1).extents);
        let steps = x.dims()[0];
        Work { units: x.dims()[1], grain: 1, cost: steps * (weights.elements() + 64) }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let x = args.tensor(0);
        let &[steps, count, width] = x.extents.dims() else { return };
        let size = width / self.cell.gates();
        let (x, weights, bias) = (x.f32s(), args.tensor(1).f32s(), args.tensor(2).f32s());
        let (lengths, _) = args.tensor(3).bytes.as_chunks();
        let lstm = matches!(self.cell, Cell::Lstm { .. });
        let mut room = vec![0.0; 2 * width];
        for unit in units {
            let own = unit * size..(unit + 1) * size;
            let mut state = args.tensor(4).f32s()[own.clone()].to_vec();
            let mut inner = vec![0.0; if lstm { size } else { 0 }];
            if lstm {
                inner.copy_from_slice(&args.tensor(5).f32s()[own.clone()]);
            }
            let peepholes = if lstm { args.tensor(6).f32s() } else { &[] };
            let length = i64::from_le_bytes(lengths[unit]).clamp(0, steps as i64) as usize;
            for step in 0..steps {
                let at = if self.reverse && step < length { length - 1 - step } else { step };
                let row = at * count + unit;
                // SAFETY: units are whole sequences, and no two threads have the same.
                let cells =
                    unsafe { args.outputs[0].cells::<f32>().part(row * size..(row + 1) * size) };
                if step >= length {
                    cells.fill(0.0);
                    continue;
                }
                let (gates, product) = room.split_at_mut(width);
                gates.copy_from_slice(&x[row * width..(row + 1) * width]);
                let weights = (weights, bias);
                match self.cell {
                    Cell::Rnn => self.rnn(gates, product, weights, &mut state),
                    Cell::Gru { linear_before_reset } => {
                        self.gru(gates, product, weights, &mut state, linear_before_reset);
                    }
                    Cell::Lstm { input_forget } => {
                        let states = (&mut state[..], &mut inner[..]);
                        self.lstm(gates, product, weights, states, peepholes, input_forget);
                    }
                }
                cells.copy_from_slice(&state);
            }
            // SAFETY: as above.
            let cells = unsafe { args.outputs[1].cells::<f32>().part(own.clone()) };
            cells.copy_from_slice(&state);
            if lstm {
                // SAFETY: as above.
                let cells = unsafe { args.outputs[2].cells::<f32>().part(own) };
                cells.copy_from_slice(&inner);
            }
        }
    }
}

/// Weights and bias.
type Layer<'a> = (&'a [f32], &'a [f32]);

/// `out = bias + state * weights`.
fn times(state: &[f32], (weights, bias): Layer<'_>, out: &mut [f32]) {
    sidestage_kernels::matmul(state, weights, (state.len(), out.len()), out);
    out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
}

impl Recurrent {
    #[inline(always)]
    fn apply(&self, which: usize, x: f32) -> f32 {
        let x = match self.clip {
            // Not `clamp`, which has a panic; what is no number stays so.
            Some(clip) if x > clip => clip,
            Some(clip) if x < -clip => -clip,
            _ => x,
        };
        self.functions[which].of(x)
    }

    fn rnn(&self, gates: &[f32], product: &mut [f32], layer: Layer<'_>, state: &mut [f32]) {
        times(state, layer, product);
        for (h, (x, r)) in state.iter_mut().zip(gates.iter().zip(&*product)) {
            *h = self.apply(0, x + r);
        }
    }

    /// Gates: update, reset, hidden.
    fn gru(
        &self,
        gates: &mut [f32],
        product: &mut [f32],
        (weights, bias): Layer<'_>,
        state: &mut [f32],
        linear_before_reset: bool,
    ) {
        let (size, width) = (state.len(), gates.len());
        times(state, (weights, bias), product);
        for (gate, product) in gates.iter_mut().zip(&*product).take(2 * size) {
            *gate = self.apply(0, *gate + product);
        }
        if !linear_before_reset {
            // The third gate is of the state after the reset.
            let reset: Vec<f32> =
                state.iter().zip(&gates[size..2 * size]).map(|(h, reset)| h * reset).collect();
            let hidden = &mut product[2 * size..];
            hidden.copy_from_slice(&bias[2 * size..]);
            for (h, row) in reset.iter().zip(weights.chunks_exact(width.max(1))) {
                hidden.iter_mut().zip(&row[2 * size..]).for_each(|(out, w)| *out += h * w);
            }
        }
        for (at, h) in state.iter_mut().enumerate() {
            let (update, reset, product) = (gates[at], gates[size + at], product[2 * size + at]);
            let product = if linear_before_reset { reset * product } else { product };
            let hidden = self.apply(1, gates[2 * size + at] + product);
            *h = (1.0 - update) * hidden + update * *h;
        }
    }

    /// Gates: input, output, forget, cell.
    fn lstm(
        &self,
        gates: &mut [f32],
        product: &mut [f32],
        layer: Layer<'_>,
        (state, inner): (&mut [f32], &mut [f32]),
        peepholes: &[f32],
        input_forget: bool,
    ) {
        let size = state.len();
        times(state, layer, product);
        gates.iter_mut().zip(&*product).for_each(|(gate, product)| *gate += product);
        for (at, (h, c)) in state.iter_mut().zip(inner).enumerate() {
            let gate = |which: usize| gates[which * size + at];
            let peephole = |which: usize| peepholes[which * size + at];
            let input = self.apply(0, gate(0) + peephole(0) * *c);
            let forget = match input_forget {
                true => 1.0 - input,
                false => self.apply(0, gate(2) + peephole(2) * *c),
            };
            *c = forget * *c + input * self.apply(1, gate(3));
            let output = self.apply(0, gate(1) + peephole(1) * *c);
            *h = output * self.functions[2].of(*c);
        }
    }
}
