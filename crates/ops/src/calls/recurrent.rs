//! Layers with a state: the input's products of all steps at once, then step by step.

use super::{CallInfo, matmul::product, row, scalar, transpose};
use crate::{Binary, Cast, Cell, Concat, Recurrent, Squash, StridedCopy};
use sidestage_ir::{Attribute, Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;

/// One of the tensors that lie along the first axis.
fn part(scope: &mut Scope<'_, '_>, x: &Traced, at: usize) -> Result<Traced, Stop> {
    let dims = x.dims()[1..].to_vec();
    let steps = super::steps(&dims);
    let start = if dims.contains(&0) { 0 } else { at * dims.iter().product::<usize>() };
    scope.apply(StridedCopy { dims, start, steps }, std::slice::from_ref(x))
}

fn zeros(scope: &mut Scope<'_, '_>, dims: &[usize]) -> Result<Traced, Stop> {
    let zero = scalar(scope, DType::F32, 0.0)?;
    super::expand(scope, &zero, dims)
}

/// An operand, in single precision and of this shape.
fn operand(
    scope: &mut Scope<'_, '_>,
    index: usize,
    dims: &[usize],
) -> Result<Option<Traced>, Stop> {
    let Some(x) = scope.optional_tensor(index)? else { return Ok(None) };
    if x.dims() != dims {
        let found = x.dims();
        return Err(Stop::Refused(format!("operand {index} must be {dims:?}, not {found:?}")));
    }
    if x.dtype() == DType::F32 {
        return Ok(Some(x));
    }
    scope.apply(Cast { to: DType::F32 }, &[x]).map(Some)
}

/// The functions of each direction, `count` for each.
fn functions(
    scope: &Scope<'_, '_>,
    directions: usize,
    defaults: &[Squash],
) -> Result<Vec<[Squash; 3]>, Stop> {
    let names = match scope.call().attribute("activations") {
        Some(Attribute::Texts(names)) => names.as_slice(),
        _ => &[],
    };
    let parameters = |name: &str| match scope.call().attribute(name) {
        Some(Attribute::Floats(all)) => all.iter(),
        _ => [].iter(),
    };
    let mut alphas = parameters("activation_alpha").copied();
    let mut betas = parameters("activation_beta").copied();
    let mut all = vec![[Squash::Tanh; 3]; directions];
    if !names.is_empty() && names.len() != directions * defaults.len() {
        let wanted = directions * defaults.len();
        return Err(Stop::Refused(format!("{} functions, not {wanted}", names.len())));
    }
    for (direction, own) in all.iter_mut().enumerate() {
        for (at, default) in defaults.iter().enumerate() {
            let name = names.get(direction * defaults.len() + at);
            own[at] = match name {
                None => *default,
                // The parameters are those of the functions that have some, one after the other.
                Some(name) => {
                    let name = String::from_utf8_lossy(name);
                    let mut alpha = |default| alphas.next().unwrap_or(default);
                    let mut beta = |default| betas.next().unwrap_or(default);
                    match name.to_ascii_lowercase().as_str() {
                        "affine" => Squash::Affine(alpha(1.0), beta(0.0)),
                        "elu" => Squash::Elu(alpha(1.0)),
                        "hardsigmoid" => Squash::HardSigmoid(alpha(0.2), beta(0.5)),
                        "leakyrelu" => Squash::LeakyRelu(alpha(0.01)),
                        "relu" => Squash::Relu,
                        "scaledtanh" => Squash::ScaledTanh(alpha(1.0), beta(1.0)),
                        "sigmoid" => Squash::Sigmoid,
                        "softplus" => Squash::Softplus,
                        "softsign" => Squash::Softsign,
                        "tanh" => Squash::Tanh,
                        "thresholdedrelu" => Squash::ThresholdedRelu(alpha(1.0)),
                        _ => return Err(Stop::Refused(format!("the function {name}"))),
                    }
                }
            };
        }
    }
    Ok(all)
}

fn recurrent(scope: &mut Scope<'_, '_>, cell: Cell, defaults: &[Squash]) -> Result<(), Stop> {
    let lstm = matches!(cell, Cell::Lstm { .. });
    let reverse: &[bool] = match scope.text("direction").unwrap_or("forward") {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(Stop::Refused(format!("the direction {other}"))),
    };
    let dtype = scope.tensor(0)?.dtype();
    let x_dims = scope.tensor(0)?.dims().to_vec();
    let x = operand(scope, 0, &x_dims)?.ok_or("x is missing")?;
    // Sequences first, or steps.
    let batched = scope.int("layout") == Some(1);
    let x = if batched && x_dims.len() == 3 { transpose(scope, &x, &[1, 0, 2])? } else { x };
    let (&[steps, count, inputs], &[_, _, size]) = (x.dims(), scope.tensor(2)?.dims()) else {
        return Err("x and the weights must have three dimensions".into());
    };
    let (directions, width) = (reverse.len(), cell.gates().saturating_mul(size));
    let functions = functions(scope, directions, defaults)?;
    let w = operand(scope, 1, &[directions, width, inputs])?.ok_or("w is missing")?;
    let r = operand(scope, 2, &[directions, width, size])?.ok_or("r is missing")?;
    let bias = match operand(scope, 3, &[directions, width.saturating_mul(2)])? {
        Some(bias) => bias,
        None => zeros(scope, &[directions, width.saturating_mul(2)])?,
    };
    let bias = scope.view(&bias, &[directions * 2, width])?;
    let lengths = match scope.optional_tensor(4)? {
        Some(lengths) if lengths.dtype() == DType::I64 => lengths,
        Some(lengths) => scope.apply(Cast { to: DType::I64 }, &[lengths])?,
        None => scope.list(&vec![steps as i64; count])?,
    };
    let mut states = Vec::new();
    for index in if lstm { &[5, 6][..] } else { &[5] } {
        let shape = [directions, count, size];
        let given = if batched { [count, directions, size] } else { shape };
        states.push(match operand(scope, *index, &given)? {
            Some(state) if batched => transpose(scope, &state, &[1, 0, 2])?,
            Some(state) => state,
            None => zeros(scope, &shape)?,
        });
    }
    let peepholes =
        if lstm { operand(scope, 7, &[directions, size.saturating_mul(3)])? } else { None };
    let rows = scope.view(&x, &[steps.saturating_mul(count), inputs])?;
    let mut results = vec![Vec::new(); if lstm { 3 } else { 2 }];
    for (direction, functions) in functions.into_iter().enumerate() {
        let w = part(scope, &w, direction)?;
        let w = transpose(scope, &w, &[1, 0])?;
        let r = part(scope, &r, direction)?;
        let r = transpose(scope, &r, &[1, 0])?;
        let of_input = part(scope, &bias, 2 * direction)?;
        let of_state = part(scope, &bias, 2 * direction + 1)?;
        let gates = product(scope, &rows, &w)?;
        let gates = scope.apply(Binary { function: Two::Add }, &[gates, of_input])?;
        let gates = scope.view(&gates, &[steps, count, width])?;
        let mut operands = vec![gates, r, of_state, lengths.clone()];
        for state in &states {
            operands.push(part(scope, state, direction)?);
        }
        if lstm {
            operands.push(match &peepholes {
                Some(peepholes) => part(scope, peepholes, direction)?,
                None => zeros(scope, &[3 * size])?,
            });
        }
        let reverse = reverse[direction];
        let clip = scope.float("clip").filter(|clip| *clip > 0.0);
        let all = scope.apply_all(Recurrent { cell, reverse, clip, functions }, &operands)?;
        for (at, result) in all.into_iter().enumerate() {
            // Directions lie before the sequences.
            let mut dims = result.dims().to_vec();
            dims.insert(dims.len() - 2, 1);
            results[at].push(scope.view(&result, &dims)?);
        }
    }
    for (at, parts) in results.into_iter().enumerate() {
        let axis = usize::from(at == 0);
        let mut y = match parts.as_slice() {
            [one] => one.clone(),
            _ => scope.apply(Concat { axis }, &parts)?,
        };
        if batched {
            let order: &[usize] = if at == 0 { &[2, 0, 1, 3] } else { &[1, 0, 2] };
            y = transpose(scope, &y, order)?;
        }
        if dtype != DType::F32 {
            y = scope.apply(Cast { to: dtype }, &[y])?;
        }
        scope.give_tensor(at, y);
    }
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("GRU", |scope| {
        let linear_before_reset = scope.int("linear_before_reset").is_some_and(|on| on != 0);
        let defaults = [Squash::Sigmoid, Squash::Tanh];
        recurrent(scope, Cell::Gru { linear_before_reset }, &defaults)
    }),
    row("LSTM", |scope| {
        let input_forget = scope.int("input_forget").is_some_and(|on| on != 0);
        let defaults = [Squash::Sigmoid, Squash::Tanh, Squash::Tanh];
        recurrent(scope, Cell::Lstm { input_forget }, &defaults)
    }),
    row("RNN", |scope| recurrent(scope, Cell::Rnn, &[Squash::Tanh])),
];
