//! Layers with a state: the input's products of all steps at once, then step by step. What a state is
//! after the last one is a result, which the next run begins with.

use super::{activated, float, give, optional_float, two};
use crate::calls::matmul::matmul;
use crate::calls::reduce::reduced;
use crate::calls::{CallInfo, expand, row, scalar, steps, transpose};
use crate::{Cell, Concat, Recurrent, SequenceLstm, Squash, StridedCopy};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Reduction};
use sidestage_tensor::DType;

type S<'a, 'w> = Scope<'a, 'w>;
type Done = Result<(), Stop>;

/// The call's function of a layer.
fn squash(scope: &S<'_, '_>) -> Result<Squash, Stop> {
    Ok(match scope.int("fused_activation_function").unwrap_or(0) {
        0 => Squash::Affine(1.0, 0.0),
        1 => Squash::Relu,
        4 => Squash::Tanh,
        other => return Err(Stop::Refused(format!("a layer with the activation {other}"))),
    })
}

/// Gives what an operand that is a state is after this call.
fn keep(scope: &mut S<'_, '_>, operand: usize, state: Traced) -> Done {
    match scope.int(&format!("state.{operand}")).and_then(|at| usize::try_from(at).ok()) {
        Some(at) => give(scope, at, state),
        None => Ok(()),
    }
}

fn zeros(scope: &mut S<'_, '_>, dims: &[usize]) -> Result<Traced, Stop> {
    let zero = scalar(scope, DType::F32, 0.0)?;
    expand(scope, &zero, dims)
}

/// The input as `[steps, sequences, width]`.
fn in_steps(scope: &mut S<'_, '_>, x: &Traced, time_major: bool) -> Result<Traced, Stop> {
    match x.dims() {
        [sequences, width] => scope.view(x, &[1, *sequences, *width]),
        [_, _, _] if time_major => Ok(x.clone()),
        [_, _, _] => transpose(scope, x, &[1, 0, 2]),
        dims => Err(Stop::Refused(format!("x of {dims:?}"))),
    }
}

/// `[steps, sequences, width]` times the transposed weights `[n, width]`.
fn product(scope: &mut S<'_, '_>, x: &Traced, weight: &Traced) -> Result<Traced, Stop> {
    let (&[steps, sequences, width], &[n, own]) = (x.dims(), weight.dims()) else {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    };
    if own != width {
        return Err(Stop::Refused(format!("weights of {:?} for {width}", weight.dims())));
    }
    let rows = scope.view(x, &[steps.saturating_mul(sequences), width])?;
    let weight = transpose(scope, weight, &[1, 0])?;
    let y = matmul(scope, &rows, &weight)?;
    scope.view(&y, &[steps, sequences, n])
}

/// The numbers of a layer's operands.
struct Places {
    input: [usize; 4],
    state: [usize; 4],
    peepholes: [usize; 3],
    bias: [usize; 4],
    projection: [usize; 2],
    states: [usize; 2],
    norms: Option<usize>,
}

impl Places {
    /// As they lie from the first one on.
    fn from(first: usize, states: usize, norms: Option<usize>) -> Self {
        let four = |at: usize| [first + at, first + at + 1, first + at + 2, first + at + 3];
        Self {
            input: four(0),
            state: four(4),
            peepholes: [first + 8, first + 9, first + 10],
            bias: four(11),
            projection: [first + 15, first + 16],
            states: [states, states + 1],
            norms,
        }
    }
}

/// Gates side by side; one that is left out counts as 0.
fn gates(scope: &mut S<'_, '_>, places: &[usize], like: &[usize]) -> Result<Traced, Stop> {
    let mut all = Vec::new();
    for place in places {
        all.push(match optional_float(scope, *place)? {
            Some(gate) => gate,
            None => zeros(scope, like)?,
        });
    }
    scope.apply(Concat { axis: 0 }, &all)
}

/// A layer in one direction: `x[steps, sequences, width]` to `[steps, sequences, n]`.
fn lstm(scope: &mut S<'_, '_>, x: &Traced, of: &Places, reverse: bool) -> Result<Traced, Stop> {
    let (forget, state) = (scope.tensor(of.input[1])?, scope.tensor(of.state[1])?);
    let (&[cells, _], &[_, width]) = (forget.dims(), state.dims()) else {
        return Err(Stop::Refused(format!("weights of {:?}", forget.dims())));
    };
    let sequences = x.dims()[1];
    let coupled = scope.optional_tensor(of.input[0])?.is_none();
    let weights = gates(scope, &of.input, forget.dims())?;
    let x = product(scope, x, &weights)?;
    let weights = gates(scope, &of.state, state.dims())?;
    let weights = transpose(scope, &weights, &[1, 0])?;
    let peepholes = gates(scope, &of.peepholes, &[cells])?;
    let bias = gates(scope, &of.bias, &[cells])?;
    let mut operands = vec![x, weights, peepholes, bias];
    for (place, width) in [(of.states[0], width), (of.states[1], cells)] {
        let dims = [sequences, width];
        operands.push(match optional_float(scope, place)? {
            // It was made for another number of sequences.
            Some(state) if state.dims() == dims => state,
            _ => zeros(scope, &dims)?,
        });
    }
    let mut normalized = false;
    if let Some(first) = of.norms {
        // Where gates are coupled the input's has none.
        normalized = scope.optional_tensor(first + 1)?.is_some();
        if normalized {
            let norms = gates(scope, &[first, first + 1, first + 2, first + 3], &[cells])?;
            operands.push(norms);
        }
    }
    let projection = optional_float(scope, of.projection[0])?;
    let projected = projection.is_some();
    if let Some(weights) = projection {
        let bias = match optional_float(scope, of.projection[1])? {
            Some(bias) => bias,
            None => zeros(scope, &[width])?,
        };
        operands.push(transpose(scope, &weights, &[1, 0])?);
        operands.push(bias);
    }
    let clips = ["cell_clip", "proj_clip"].map(|name| scope.float(name).unwrap_or(0.0));
    let function = squash(scope)?;
    let op = SequenceLstm { reverse, coupled, normalized, projected, clips, function };
    let mut results = scope.apply_all(op, &operands)?.into_iter();
    let y = results.next().ok_or("a layer without results")?;
    for (place, state) in of.states.into_iter().zip(results) {
        keep(scope, place, state)?;
    }
    Ok(y)
}

/// A layer's results in the order of its input.
fn in_order(
    scope: &mut S<'_, '_>,
    y: Traced,
    like: &Traced,
    time_major: bool,
) -> Result<Traced, Stop> {
    match (like.dims().len(), time_major) {
        (2, _) => scope.view(&y, &y.dims()[1..]),
        (_, true) => Ok(y),
        _ => transpose(scope, &y, &[1, 0, 2]),
    }
}

fn sequence_lstm(scope: &mut S<'_, '_>) -> Done {
    let given = float(scope, 0)?;
    let time_major = scope.int("time_major") == Some(1);
    let x = in_steps(scope, &given, time_major)?;
    let y = lstm(scope, &x, &Places::from(1, 18, Some(20)), false)?;
    let y = in_order(scope, y, &given, time_major)?;
    give(scope, 0, y)
}

/// Both directions' results, side by side if they are to be one.
fn both(scope: &mut S<'_, '_>, parts: [Traced; 2], like: &Traced, time_major: bool) -> Done {
    let [forward, backward] = parts;
    let forward = in_order(scope, forward, like, time_major)?;
    let backward = in_order(scope, backward, like, time_major)?;
    if scope.int("merge_outputs") == Some(1) {
        let axis = forward.dims().len() - 1;
        let y = scope.apply(Concat { axis }, &[forward, backward])?;
        return give(scope, 0, y);
    }
    give(scope, 0, forward)?;
    give(scope, 1, backward)
}

fn both_lstm(scope: &mut S<'_, '_>) -> Done {
    if (39..48).any(|index| scope.optional(index).is_some()) {
        return Err("a second input is not supported".into());
    }
    let given = float(scope, 0)?;
    let time_major = scope.int("time_major") != Some(0);
    let x = in_steps(scope, &given, time_major)?;
    let forward = lstm(scope, &x, &Places::from(1, 35, None), false)?;
    let backward = lstm(scope, &x, &Places::from(18, 37, None), true)?;
    both(scope, [forward, backward], &given, time_major)
}

/// One step. The basic kind has one matrix of weights, of input and state, for the gates input, cell,
/// forget, output, and gives the cells, too.
fn lstm_cell(scope: &mut S<'_, '_>) -> Done {
    if scope.int("kernel_type") != Some(1) {
        return sequence_lstm(scope);
    }
    let (x, state) = (float(scope, 0)?, float(scope, 1)?);
    let (weights, bias, cells) = (float(scope, 2)?, float(scope, 3)?, float(scope, 4)?);
    let wrong = || Stop::Refused(format!("weights of {:?}", weights.dims()));
    let (&[sequences, inputs], &[_, width]) = (x.dims(), state.dims()) else { return Err(wrong()) };
    if weights.dims() != [4 * width, inputs + width] || bias.dims() != [4 * width] {
        return Err(wrong());
    }
    let part = |scope: &mut S<'_, '_>, of: &Traced, axis: usize, from: usize, count: usize| {
        let (mut dims, by) = (of.dims().to_vec(), steps(of.dims()));
        dims[axis] = count;
        let start = if dims.contains(&0) { 0 } else { from * by[axis] as usize };
        scope.apply(StridedCopy { dims, start, steps: by }, std::slice::from_ref(of))
    };
    // To the order input, forget, cell, output.
    let ordered = |scope: &mut S<'_, '_>, of: &Traced| {
        let gates = [0, 2, 1, 3].map(|gate| part(scope, of, 0, gate * width, width));
        let [a, b, c, d] = gates;
        scope.apply(Concat { axis: 0 }, &[a?, b?, c?, d?])
    };
    let (weights, bias) = (ordered(scope, &weights)?, ordered(scope, &bias)?);
    let of_input = part(scope, &weights, 1, 0, inputs)?;
    let of_state = part(scope, &weights, 1, inputs, width)?;
    let of_state = transpose(scope, &of_state, &[1, 0])?;
    let x = scope.view(&x, &[1, sequences, inputs])?;
    let x = product(scope, &x, &of_input)?;
    let peepholes = zeros(scope, &[3 * width])?;
    let op = SequenceLstm {
        reverse: false,
        coupled: false,
        normalized: false,
        projected: false,
        clips: [0.0; 2],
        function: Squash::Tanh,
    };
    let results = scope.apply_all(op, &[x, of_state, peepholes, bias, state, cells])?;
    for (index, y) in results.into_iter().skip(1).enumerate() {
        give(scope, index, y)?;
    }
    Ok(())
}

/// A plain layer in one direction, of operands from the first weights on.
fn rnn(scope: &mut S<'_, '_>, x: &Traced, first: usize, reverse: bool) -> Result<Traced, Stop> {
    let (weights, of_state) = (float(scope, first)?, float(scope, first + 1)?);
    let bias = float(scope, first + 2)?;
    let &[width, _] = weights.dims() else {
        return Err(Stop::Refused(format!("weights of {:?}", weights.dims())));
    };
    let (steps, sequences) = (x.dims()[0], x.dims()[1]);
    let x = product(scope, x, &weights)?;
    let x = two(scope, Two::Add, &x, &bias)?;
    let of_state = transpose(scope, &of_state, &[1, 0])?;
    let lengths = scope.list(&vec![steps as i64; sequences])?;
    let state = match optional_float(scope, first + 3)? {
        Some(state) if state.dims() == [sequences, width] => state,
        _ => zeros(scope, &[sequences, width])?,
    };
    let none = zeros(scope, &[width])?;
    let function = squash(scope)?;
    let op = Recurrent { cell: Cell::Rnn, reverse, clip: None, functions: [function; 3] };
    let mut results = scope.apply_all(op, &[x, of_state, none, lengths, state])?.into_iter();
    let y = results.next().ok_or("a layer without results")?;
    if let Some(state) = results.next() {
        keep(scope, first + 3, state)?;
    }
    Ok(y)
}

fn sequence_rnn(scope: &mut S<'_, '_>) -> Done {
    let given = float(scope, 0)?;
    let time_major = scope.int("time_major") == Some(1);
    let x = in_steps(scope, &given, time_major)?;
    let y = rnn(scope, &x, 1, false)?;
    let y = in_order(scope, y, &given, time_major)?;
    give(scope, 0, y)
}

fn both_rnn(scope: &mut S<'_, '_>) -> Done {
    if (9..12).any(|index| scope.optional(index).is_some()) {
        return Err("a second input is not supported".into());
    }
    let given = float(scope, 0)?;
    let time_major = scope.int("time_major") == Some(1);
    let x = in_steps(scope, &given, time_major)?;
    let forward = rnn(scope, &x, 1, false)?;
    let backward = rnn(scope, &x, 5, true)?;
    both(scope, [forward, backward], &given, time_major)
}

/// Filters over the last steps, of which the newest is this input: `rank` of them make a result.
fn svdf(scope: &mut S<'_, '_>) -> Done {
    let (x, features, times) = (float(scope, 0)?, float(scope, 1)?, float(scope, 2)?);
    let bias = optional_float(scope, 3)?;
    let state = float(scope, 4)?;
    let of_state = state.dims().to_vec();
    let rank = scope.int("rank").and_then(|rank| usize::try_from(rank).ok()).unwrap_or(0);
    let wrong = || Stop::Refused(format!("{:?} and {:?}", features.dims(), times.dims()));
    let (&[batch, inputs], &[filters, memory]) = (x.dims(), times.dims()) else {
        return Err(wrong());
    };
    let whole = rank > 0 && filters.is_multiple_of(rank);
    if !whole || memory == 0 || features.dims() != [filters, inputs] {
        return Err(wrong());
    }
    let x = scope.view(&x, &[1, batch, inputs])?;
    let new = product(scope, &x, &features)?;
    let new = scope.view(&new, &[batch, filters, 1])?;
    let dims = [batch, filters, memory];
    let state = match state.dims().iter().product::<usize>() == batch * filters * memory {
        true => scope.view(&state, &dims)?,
        false => zeros(scope, &dims)?,
    };
    let kept = StridedCopy {
        dims: vec![batch, filters, memory - 1],
        start: usize::from(memory > 1 && batch * filters > 0),
        steps: steps(&dims),
    };
    let kept = scope.apply(kept, &[state])?;
    let state = scope.apply(Concat { axis: 2 }, &[kept, new])?;
    if of_state.iter().product::<usize>() == batch * filters * memory {
        let next = scope.view(&state, &of_state)?;
        keep(scope, 4, next)?;
    }
    let weighed = two(scope, Two::Mul, &state, &times)?;
    let weighed = scope.view(&weighed, &[batch, filters / rank, rank * memory])?;
    let mut y = reduced(scope, &weighed, &[2], Reduction::Sum, false)?;
    if let Some(bias) = bias {
        y = two(scope, Two::Add, &y, &bias)?;
    }
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::BIDIRECTIONAL_SEQUENCE_LSTM", both_lstm),
    row("TFLITE::BIDIRECTIONAL_SEQUENCE_RNN", both_rnn),
    row("TFLITE::LSTM", lstm_cell),
    row("TFLITE::RNN", sequence_rnn),
    row("TFLITE::SVDF", svdf),
    row("TFLITE::UNIDIRECTIONAL_SEQUENCE_LSTM", sequence_lstm),
    row("TFLITE::UNIDIRECTIONAL_SEQUENCE_RNN", sequence_rnn),
];
