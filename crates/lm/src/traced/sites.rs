//! Where a decoder attends to its past: as one call, or spelt out as products and a softmax.

use super::net::{Net, Ports, float, int};
use super::refused;
use crate::LmError;
use sidestage_ir::{Call, PortDim, Var};
use std::collections::HashMap;

/// Something that scores are multiplied by, or divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    pub(super) var: Var,
    pub(super) divides: bool,
}

/// How scores that nobody is to have are hidden.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mask {
    /// By what is added.
    Added(Var),
    /// But where this is true.
    Kept(Var),
    /// Where this is true.
    Hidden(Var),
}

impl Mask {
    pub(super) fn var(self) -> Var {
        match self {
            Self::Added(var) | Self::Kept(var) | Self::Hidden(var) => var,
        }
    }
}

/// Rotary positions inside a call.
#[derive(Clone, Debug)]
pub(super) struct Rotary {
    pub(super) cos: Var,
    pub(super) sin: Var,
    pub(super) interleaved: i64,
}

/// Attention over the past.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The call that gives what is attended to.
    pub(super) call: usize,
    /// Queries; without keys and values all three, one behind the other.
    pub(super) query: Var,
    /// Keys and values of the new positions.
    pub(super) new: Option<[Var; 2]>,
    /// Query heads and key heads, where the shapes do not say them.
    pub(super) heads: Option<[usize; 2]>,
    /// Values of a head, where they are needed.
    pub(super) head_dim: Option<usize>,
    pub(super) rotary: Option<Rotary>,
    /// `None`: one over the root of a head's width.
    pub(super) scale: Option<f32>,
    pub(super) factors: Vec<Factor>,
    /// Scores become `cap * tanh(score / cap)`.
    pub(super) softcap: Option<f32>,
    /// Factors behind a `tanh`: the cap.
    pub(super) cap: Vec<Factor>,
    pub(super) masks: Vec<Mask>,
    /// The latest positions that are seen; `None`: all, as far as is known.
    pub(super) window: Option<usize>,
}

/// All of them, in the order of the layers.
pub(super) fn find(net: &Net<'_>, ports: &Ports) -> Result<Vec<Site>, LmError> {
    let mut sites = Vec::new();
    // Products with keys or values that are the past and what is new: the call of the product, what is
    // new, and what the keys are multiplied by.
    let mut joined: HashMap<usize, (Var, Vec<Factor>)> = HashMap::new();
    let (mut fused, mut spelt) = (0, 0);
    for (at, call) in net.alive() {
        if let Some(site) = call_of_attention(net, ports, at, call)? {
            sites.push(site);
            fused += 1;
        } else if let Some(new) = joins_the_past(net, ports, call) {
            spelt += 1;
            let whole = call.outputs.first().copied().flatten();
            let Some((product, factors)) = whole.and_then(|whole| trail(net, whole)) else {
                let name = &call.name;
                let problem = format!("where the past goes that {name} joins is not understood");
                return Err(refused(problem));
            };
            joined.insert(product, (new, factors));
        }
    }
    let mut keys: Vec<usize> = joined.keys().copied().collect();
    keys.sort_unstable();
    for product in keys {
        let Some(scores) = Scores::follow(net, product) else { continue };
        let (Some((key, factors)), Some((value, plain))) =
            (joined.get(&product), joined.get(&scores.values))
        else {
            continue;
        };
        let query = net.calls[product].inputs.first().copied().flatten();
        let query = query.filter(|_| plain.is_empty());
        let query = query.ok_or_else(|| refused("values that are multiplied by something"))?;
        sites.push(Site {
            call: scores.values,
            query,
            new: Some([*key, *value]),
            heads: None,
            head_dim: None,
            rotary: None,
            scale: Some(1.0),
            factors: factors.iter().chain(&scores.factors).copied().collect(),
            softcap: None,
            cap: scores.cap,
            masks: scores.masks,
            window: None,
        });
    }
    if sites.is_empty() || 2 * (sites.len() - fused) != spelt {
        let problem =
            format!("of {} attentions over a past not all are understood", fused + spelt / 2);
        return Err(refused(problem));
    }
    sites.sort_by_key(|site| site.call);
    Ok(sites)
}

/// What is new, if a call joins it to the past along the positions.
fn joins_the_past(net: &Net<'_>, ports: &Ports, call: &Call) -> Option<Var> {
    let ("Concat", &[Some(past), Some(new)]) = (call.op.as_str(), call.inputs.as_slice()) else {
        return None;
    };
    net.origin(past, &ports.past)?;
    matches!(int(call, "axis"), Some(2 | -2)).then_some(new)
}

/// Follows keys or values, through what only moves their elements, to the product that takes them.
fn trail(net: &Net<'_>, from: Var) -> Option<(usize, Vec<Factor>)> {
    let (mut var, mut factors) = (from, Vec::new());
    loop {
        let &[(at, operand)] = net.uses(var) else { return None };
        let call = &net.calls[at];
        match (call.op.as_str(), operand) {
            ("MatMul", 1) => return Some((at, factors)),
            ("Transpose" | "Reshape" | "Expand" | "Squeeze" | "Cast" | "Identity", 0) => {}
            // A key head is that of neighbours among the queries' heads.
            ("Unsqueeze", 0) => {
                let given = call.attribute("axes").and_then(|axes| match axes {
                    sidestage_ir::Attribute::Ints(axes) => Some(axes.clone()),
                    _ => None,
                });
                let axes = given.or_else(|| net.integers(call.inputs.get(1).copied().flatten()));
                axes.filter(|axes| matches!(axes.as_slice(), [2 | -3]))?;
            }
            ("Mul" | "Div", _) => factors.push(factor(call, operand)?),
            _ => return None,
        }
        var = call.outputs.first().copied().flatten()?;
    }
}

/// The other operand of a product or quotient.
fn factor(call: &Call, operand: usize) -> Option<Factor> {
    let divides = call.op == "Div";
    let var = call.inputs.get(1 - operand).copied().flatten()?;
    (!divides || operand == 0).then_some(Factor { var, divides })
}

/// What is done to scores before they weigh the values.
struct Scores {
    factors: Vec<Factor>,
    cap: Vec<Factor>,
    masks: Vec<Mask>,
    /// The product with the values.
    values: usize,
}

impl Scores {
    fn follow(net: &Net<'_>, product: usize) -> Option<Self> {
        let (mut factors, mut cap, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        let (mut capped, mut shares) = (false, false);
        let mut var = net.calls[product].outputs.first().copied().flatten()?;
        loop {
            let uses = net.uses(var).iter();
            // Rows that see nothing are looked for, and there are none.
            let uses = uses.filter(|(at, _)| net.calls[*at].op != "IsNaN");
            let &[(at, operand)] = uses.copied().collect::<Vec<_>>().as_slice() else {
                return None;
            };
            let call = &net.calls[at];
            let other = |index: usize| call.inputs.get(index).copied().flatten();
            let hides = |var| net.number(var).is_some_and(|value| value <= -1e4);
            match call.op.as_str() {
                "Mul" | "Div" if !shares && masks.is_empty() => {
                    let list = if capped { &mut cap } else { &mut factors };
                    list.push(factor(call, operand)?);
                }
                "Tanh" if !shares && !capped && masks.is_empty() => capped = true,
                "Add" if !shares => masks.push(Mask::Added(other(1 - operand)?)),
                "Where" if !shares && operand == 1 && hides(other(2)) => {
                    masks.push(Mask::Kept(other(0)?));
                }
                "Where" if !shares && operand == 2 && hides(other(1)) => {
                    masks.push(Mask::Hidden(other(0)?));
                }
                "Where" if shares && operand == 2 => {
                    let (_, made) = net.maker(other(0)?)?;
                    if made.op != "IsNaN" {
                        return None;
                    }
                }
                "Softmax" if !shares && matches!(int(call, "axis"), None | Some(-1 | 3)) => {
                    shares = true;
                }
                "Cast" | "Identity" => {}
                "MatMul" if shares && operand == 0 => {
                    return Some(Self { factors, cap, masks, values: at });
                }
                _ => return None,
            }
            var = call.outputs.first().copied().flatten()?;
        }
    }
}

/// Attention that is one call.
fn call_of_attention(
    net: &Net<'_>,
    ports: &Ports,
    at: usize,
    call: &Call,
) -> Result<Option<Site>, LmError> {
    let input = |index: usize| call.inputs.get(index).copied().flatten();
    let (past, unknown, names): (usize, &[usize], [&str; 2]) = match call.op.as_str() {
        "com.microsoft::GroupQueryAttention" => {
            (3, &[10, 11, 12, 13, 14, 15], ["num_heads", "kv_num_heads"])
        }
        "com.microsoft::MultiHeadAttention" => (6, &[3, 4, 8, 9], ["num_heads", "num_heads"]),
        "Attention" => (4, &[6], ["q_num_heads", "kv_num_heads"]),
        _ => return Ok(None),
    };
    let port = input(past).and_then(|var| net.origin(var, &ports.past));
    let Some(port) = port else { return Ok(None) };
    let flags = ["smooth_softmax", "sliding_window_cache", "qk_output", "qk_matmul_output_mode"];
    if unknown.iter().any(|index| input(*index).is_some())
        || flags.iter().any(|name| int(call, name).is_some_and(|value| value > 0))
    {
        return Err(refused(format!(
            "{} at {} has operands that are not known",
            call.op, call.name
        )));
    }
    let size = |name: &str| int(call, name).and_then(|size| usize::try_from(size).ok());
    let heads = size(names[0]).zip(size(names[1])).map(|(heads, own)| [heads, own]);
    let head_dim = ports.past[port].dims.as_ref().and_then(|dims| match dims.last() {
        Some(PortDim::Fixed(dim)) => Some(*dim),
        _ => None,
    });
    let query = input(0).ok_or_else(|| refused("attention without queries"))?;
    let group = call.op == "com.microsoft::GroupQueryAttention";
    let rotary = match (input(7), input(8)) {
        (Some(cos), Some(sin)) if group && int(call, "do_rotary") == Some(1) => {
            let interleaved = int(call, "rotary_interleaved").unwrap_or(0);
            Some(Rotary { cos, sin, interleaved })
        }
        _ => None,
    };
    let mask = match call.op.as_str() {
        "com.microsoft::MultiHeadAttention" => input(5).map(Mask::Added),
        // Truth or numbers: the values tell.
        "Attention" => input(3).map(Mask::Added),
        _ => None,
    };
    let causal = match call.op.as_str() {
        "com.microsoft::MultiHeadAttention" => int(call, "unidirectional") == Some(1),
        "Attention" => int(call, "is_causal") == Some(1),
        _ => int(call, "causal") != Some(0),
    };
    if !causal && mask.is_none() {
        return Err(refused(format!("{} at {} sees what is to come", call.op, call.name)));
    }
    let window = int(call, "local_window_size").and_then(|size| usize::try_from(size).ok());
    Ok(Some(Site {
        call: at,
        query,
        new: input(1).zip(input(2)).map(|(key, value)| [key, value]),
        heads,
        head_dim,
        rotary,
        scale: float(call, "scale").filter(|scale| *scale != 0.0),
        factors: Vec::new(),
        softcap: float(call, "softcap").filter(|cap| *cap > 0.0),
        cap: Vec::new(),
        masks: mask.into_iter().collect(),
        window: window.filter(|window| *window > 0),
    }))
}
