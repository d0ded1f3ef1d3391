//! From nodes to calls.

use super::attributes::{attribute, computed, declared, shape, type_name};
use super::frames::Frames;
use super::json::Json;
use super::node::{Node, Nodes, Place};
use super::tensor::tensor;
use super::weights::{Manifest, Weight};
use super::{TfjsError, Unplaced};
use sidestage_ir::{Attribute, Body, BodyId, Call, Model, Port, PortDim, Var};
use sidestage_tensor::DType;
use std::collections::HashMap;

/// Most functions in functions, loops in loops, and calls in all: a file of a few lines could ask for
/// 2^n.
const DEEPEST: usize = 16;
const MOST_CALLS: usize = 1 << 20;

/// The version of ONNX's operators that stand for branches and loops.
const ONNX: i64 = 21;

struct Builder<'a> {
    model: Model,
    library: HashMap<&'a str, &'a Json>,
    weights: HashMap<&'a str, &'a Weight>,
    constants: HashMap<String, Var>,
    calls: usize,
    depth: usize,
}

/// Nodes that become calls: of the graph, or of a function where it is called.
struct Walk<'a> {
    nodes: Nodes<'a>,
    frames: Frames,
    /// The results that are there.
    known: HashMap<Place, Var>,
    /// In the order in which they came: those of an inner body go when it ends.
    order: Vec<Place>,
}

impl<'a> Walk<'a> {
    fn new(arguments: &[&'a str], nodes: &'a Json) -> Result<Self, TfjsError> {
        let nodes = Nodes::read(arguments, nodes)?;
        let frames = Frames::read(&nodes)?;
        Ok(Self { nodes, frames, known: HashMap::new(), order: Vec::new() })
    }

    fn set(&mut self, place: Place, var: Var) {
        self.known.insert(place, var);
        self.order.push(place);
    }

    fn get(&self, place: Place, node: &str) -> Result<Var, TfjsError> {
        self.known.get(&place).copied().ok_or_else(|| TfjsError::Undefined {
            name: self.nodes.list[place.0].name.into(),
            node: node.into(),
        })
    }

    /// Forgets what has come since there were so many.
    fn forget(&mut self, count: usize) {
        self.order.drain(count..).for_each(|place| {
            self.known.remove(&place);
        });
    }
}

/// An input or output, as declared.
struct Declared<'a> {
    name: &'a str,
    place: Place,
    /// A `TensorInfo` of the signature.
    info: Option<&'a Json>,
}

pub(super) fn read(
    topology: &Json,
    signature: &Json,
    manifest: Manifest,
) -> Result<Unplaced, TfjsError> {
    let functions = topology.get("library").get("function").list().iter();
    let name = |function: &Json| function.get("signature").get("name").text().map(str::to_owned);
    let functions: Vec<(String, &Json)> =
        functions.filter_map(|function| Some((name(function)?, function))).collect();
    let mut builder = Builder {
        model: Model { bodies: vec![Body::default()], ..Model::default() },
        library: functions.iter().map(|(name, json)| (name.as_str(), *json)).collect(),
        weights: manifest.weights().map(|weight| (weight.name.as_str(), weight)).collect(),
        constants: HashMap::new(),
        calls: 0,
        depth: 0,
    };
    let mut walk = Walk::new(&[], topology.get("node"))?;
    let mut body = Body::default();
    for input in inputs(&walk.nodes, signature.get("inputs"))? {
        builder.input(&input, &mut walk, &mut body)?;
    }
    let outputs = outputs(&walk.nodes, signature.get("outputs"))?;
    let places: Vec<Place> = outputs.iter().map(|output| output.place).collect();
    places.iter().for_each(|place| walk.nodes.want(*place));
    builder.walk(&mut walk, &places, &mut body)?;
    for output in outputs {
        builder.output(&output, &walk, &mut body)?;
    }
    builder.model.bodies[0] = body;
    let (model, constants) = (builder.model, builder.constants);
    Ok(Unplaced { model, placing: manifest.plan(constants)? })
}

/// The members of a part of the signature; those that stand for tables are left out.
fn signed<'a>(nodes: &Nodes<'_>, part: &'a Json) -> Result<Vec<Declared<'a>>, TfjsError> {
    let members = part.members().iter().filter(|(_, info)| info.get("resourceId") == &Json::Null);
    let members = members.map(|(name, info)| {
        let wanted = info.get("name").text().unwrap_or(name);
        let place = nodes.place(wanted, "the signature")?;
        Ok(Declared { name, place, info: Some(info) })
    });
    members.collect()
}

fn inputs<'a>(nodes: &Nodes<'a>, part: &'a Json) -> Result<Vec<Declared<'a>>, TfjsError> {
    let signed = signed(nodes, part)?;
    if !signed.is_empty() {
        return Ok(signed);
    }
    let list = nodes.list.iter().enumerate().filter(|(_, node)| node.op == "Placeholder");
    Ok(list.map(|(at, node)| Declared { name: node.name, place: (at, 0), info: None }).collect())
}

/// Without a signature: the nodes that no other node needs.
fn outputs<'a>(nodes: &Nodes<'a>, part: &'a Json) -> Result<Vec<Declared<'a>>, TfjsError> {
    let signed = signed(nodes, part)?;
    if !signed.is_empty() {
        return Ok(signed);
    }
    let mut needed = vec![false; nodes.list.len()];
    nodes.operands.iter().flatten().for_each(|(at, _)| needed[*at] = true);
    let list = nodes.list.iter().enumerate();
    let list = list.filter(|(at, node)| !needed[*at] && !matches!(node.op, "Const" | "NoOp"));
    Ok(list.map(|(at, node)| Declared { name: node.name, place: (at, 0), info: None }).collect())
}

/// The type and dimensions of an input or output, as the signature says them, or else the node.
fn described(node: &Node<'_>, info: Option<&Json>) -> (Option<String>, Option<Vec<PortDim>>) {
    let of_node = |key: &str| node.attributes.get(key);
    let info = info.unwrap_or(&Json::Null);
    let dtype = type_name(info.get("dtype")).or_else(|| type_name(of_node("dtype").get("type")));
    let dims = [info.get("tensorShape"), of_node("shape").get("shape")];
    let dims = dims.into_iter().find(|dims| **dims != Json::Null).and_then(shape);
    let dim = |dim: i64| match usize::try_from(dim) {
        Ok(dim) => PortDim::Fixed(dim),
        Err(_) => PortDim::Free(String::new()),
    };
    (dtype.map(str::to_owned), dims.map(|dims| dims.into_iter().map(dim).collect()))
}

impl<'a> Builder<'a> {
    fn input(
        &mut self,
        input: &Declared<'_>,
        walk: &mut Walk<'a>,
        body: &mut Body,
    ) -> Result<(), TfjsError> {
        let (dtype, dims) = described(&walk.nodes.list[input.place.0], input.info);
        let unknown =
            |dtype: &String| TfjsError::Type { name: input.name.into(), dtype: dtype.clone() };
        let dtype = dtype.map(|dtype| declared(&dtype).ok_or_else(|| unknown(&dtype)));
        let dtype = dtype.transpose()?;
        let var = self.model.var(input.name);
        body.inputs.push(var);
        // What is computed with: who has only TensorFlow.js' types may give those.
        let also = dtype.map(computed).filter(|also| Some(*also) != dtype);
        self.model.inputs.push(Port { dtype, also, dims, ..Port::of(var) });
        let var = match also {
            Some(dtype) => self.cast(var, dtype, body),
            None => var,
        };
        walk.set(input.place, var);
        Ok(())
    }

    /// What is given is called as the signature calls it.
    fn output(
        &mut self,
        output: &Declared<'_>,
        walk: &Walk<'a>,
        body: &mut Body,
    ) -> Result<(), TfjsError> {
        let (dtype, dims) = described(&walk.nodes.list[output.place.0], output.info);
        // Only the signature tells of outputs: a node's attributes may be about something else.
        let dims = dims.filter(|_| output.info.is_some());
        let dtype = dtype.filter(|_| output.info.is_some());
        let dtype = dtype.and_then(|dtype| declared(&dtype)).map(computed);
        let given = walk.get(output.place, "the outputs")?;
        let var = self.model.var(output.name);
        body.calls.push(call("Identity", vec![Some(given)], vec![Some(var)], Vec::new()));
        body.outputs.push(var);
        self.model.outputs.push(Port { dtype, dims, ..Port::of(var) });
        Ok(())
    }

    fn cast(&mut self, var: Var, dtype: DType, body: &mut Body) -> Var {
        let to = self.model.var("");
        let attributes = vec![("DstT".into(), Attribute::Type(dtype))];
        body.calls.push(call("TF::Cast", vec![Some(var)], vec![Some(to)], attributes));
        to
    }

    /// Makes these results, and all that they need, where they are not there.
    fn walk(
        &mut self,
        walk: &mut Walk<'a>,
        wanted: &[Place],
        body: &mut Body,
    ) -> Result<(), TfjsError> {
        // Nodes that are waited for: each with those of its operands that have not been looked at.
        let mut open: Vec<(usize, std::vec::IntoIter<Place>)> = Vec::new();
        let mut opened = vec![false; walk.nodes.list.len()];
        for &place in wanted {
            let mut next = Some(place);
            loop {
                if let Some(place) = next.take()
                    && !walk.known.contains_key(&place)
                {
                    if std::mem::replace(&mut opened[place.0], true) {
                        let node = walk.nodes.list[place.0].name.to_owned();
                        return Err(TfjsError::Cycle { node });
                    }
                    open.push((place.0, needs(walk, place.0).into_iter()));
                }
                let Some((at, needs)) = open.last_mut() else { break };
                next = needs.next();
                if next.is_none() {
                    let at = *at;
                    open.pop();
                    opened[at] = false;
                    self.node(walk, at, body)?;
                }
            }
            // A node may have fewer results than are wanted of it.
            walk.get(place, "the outputs")?;
        }
        Ok(())
    }

    fn count(&mut self, calls: usize) -> Result<(), TfjsError> {
        self.calls = self.calls.saturating_add(calls);
        if self.calls > MOST_CALLS { Err(TfjsError::Nesting) } else { Ok(()) }
    }

    /// A node whose operands are there.
    fn node(&mut self, walk: &mut Walk<'a>, at: usize, body: &mut Body) -> Result<(), TfjsError> {
        self.count(1)?;
        if walk.frames.exits.contains_key(&at) {
            return self.frame(walk, at, body);
        }
        let mut given = self.results(walk, at, body)?;
        let guards = walk.frames.guards(&walk.nodes, at);
        if let (Some(first), false) = (given.first_mut(), guards.is_empty()) {
            let mut inputs = vec![Some(*first)];
            for place in guards {
                inputs.push(Some(walk.get(place, walk.nodes.list[at].name)?));
            }
            let var = self.model.var(walk.nodes.list[at].name);
            body.calls.push(call("TF::After", inputs, vec![Some(var)], Vec::new()));
            *first = var;
        }
        for (result, var) in given.into_iter().enumerate() {
            walk.set((at, result), var);
        }
        Ok(())
    }

    /// What a node gives.
    fn results(
        &mut self,
        walk: &Walk<'a>,
        at: usize,
        body: &mut Body,
    ) -> Result<Vec<Var>, TfjsError> {
        let node = &walk.nodes.list[at];
        let operands = walk.nodes.operands[at].iter().map(|place| walk.get(*place, node.name));
        let first = || {
            let missing = || TfjsError::malformed(node.name, "a node without an operand");
            let place = walk.nodes.operands[at].first().ok_or_else(missing)?;
            walk.get(*place, node.name)
        };
        match node.op {
            "Const" => return Ok(vec![self.constant(node)?]),
            "Placeholder" => {
                let name = node.name.to_owned();
                return Err(TfjsError::Undefined { name, node: "the model".into() });
            }
            // Either way it is the value.
            _ if walk.frames.gates.contains_key(&at) => return Ok(vec![first()?; 2]),
            _ => {}
        }
        let operands = operands.collect::<Result<Vec<Var>, _>>()?;
        let name = |which: &str| node.attributes.get(which).get("func").get("name").text();
        match node.op {
            "Enter" | "LoopCond" | "PlaceholderWithDefault" => Ok(vec![first()?]),
            "IdentityN" => Ok(operands),
            "PartitionedCall" | "StatefulPartitionedCall" => {
                self.function(node, name("f").unwrap_or_default(), &operands, body)
            }
            "If" | "StatelessIf" => {
                let which =
                    [name("then_branch"), name("else_branch")].map(Option::unwrap_or_default);
                self.branch(node, first()?, which, &operands[1..], body)
            }
            "While" | "StatelessWhile" => {
                let which = [name("cond"), name("body")].map(Option::unwrap_or_default);
                self.repeat(node, which, &operands, body)
            }
            op if self.library.contains_key(op) => self.function(node, op, &operands, body),
            op => {
                let name = |result: usize| match result {
                    0 => node.name.to_owned(),
                    _ => format!("{}:{result}", node.name),
                };
                let results = 0..walk.nodes.results[at];
                let results: Vec<Var> =
                    results.map(|result| self.model.var(&name(result))).collect();
                let attributes = node.attributes.members().iter();
                let attributes =
                    attributes.filter_map(|(name, json)| Some((name.clone(), attribute(json)?)));
                body.calls.push(Call {
                    name: node.name.into(),
                    ..call(
                        &format!("TF::{op}"),
                        operands.into_iter().map(Some).collect(),
                        results.iter().copied().map(Some).collect(),
                        attributes.collect(),
                    )
                });
                Ok(results)
            }
        }
    }

    fn constant(&mut self, node: &Node<'a>) -> Result<Var, TfjsError> {
        if let Some(var) = self.constants.get(node.name) {
            return Ok(*var);
        }
        if let Some(weight) = self.weights.get(node.name) {
            weight.dtype()?;
            let var = self.model.var(node.name);
            self.constants.insert(node.name.into(), var);
            return Ok(var);
        }
        let tensor = tensor(node.name, node.attributes.get("value").get("tensor"))?;
        // A large one may be said in few words.
        self.count(tensor.len() / 64)?;
        let var = self.model.var(node.name);
        self.model.constants.push((var, tensor));
        Ok(var)
    }

    /// A function where it is called.
    fn function(
        &mut self,
        node: &Node<'a>,
        name: &str,
        operands: &[Var],
        body: &mut Body,
    ) -> Result<Vec<Var>, TfjsError> {
        let wrong = |problem| TfjsError::malformed(node.name, problem);
        let function = *self
            .library
            .get(name)
            .ok_or_else(|| TfjsError::Undefined { name: name.into(), node: node.name.into() })?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TfjsError::Nesting);
        }
        let signature = function.get("signature");
        let arguments = signature.get("inputArg").list().iter();
        let arguments: Vec<&str> = arguments.filter_map(|arg| arg.get("name").text()).collect();
        if arguments.len() > operands.len() {
            return Err(wrong("a function of more operands than there are"));
        }
        self.count(arguments.len() + function.get("nodeDef").list().len())?;
        let mut inner = Walk::new(&arguments, function.get("nodeDef"))?;
        for (at, var) in operands.iter().enumerate().take(arguments.len()) {
            inner.set((at, 0), *var);
        }
        let results = signature.get("outputArg").list().iter();
        let results = results.map(|result| {
            let name = result.get("name").text().unwrap_or_default();
            let name = function.get("ret").get(name).text().unwrap_or(name);
            inner.nodes.place(name, node.name)
        });
        let results = results.collect::<Result<Vec<Place>, _>>()?;
        results.iter().for_each(|place| inner.nodes.want(*place));
        self.walk(&mut inner, &results, body)?;
        self.depth -= 1;
        results.into_iter().map(|place| inner.get(place, node.name)).collect()
    }

    /// An inner body.
    fn body(&mut self, body: Body) -> Attribute {
        self.model.bodies.push(body);
        Attribute::Body(BodyId(self.model.bodies.len() as u32 - 1))
    }

    /// ONNX's `If`.
    fn either(&mut self, condition: Var, then: Body, other: Body, body: &mut Body) -> Vec<Var> {
        let results: Vec<Var> = then.outputs.iter().map(|_| self.model.var("")).collect();
        let then = ("then_branch".to_owned(), self.body(then));
        let other = ("else_branch".to_owned(), self.body(other));
        let given = results.iter().copied().map(Some).collect();
        body.calls.push(call("If", vec![Some(condition)], given, vec![then, other]));
        results
    }

    fn branch(
        &mut self,
        node: &Node<'a>,
        condition: Var,
        [yes, no]: [&str; 2],
        operands: &[Var],
        body: &mut Body,
    ) -> Result<Vec<Var>, TfjsError> {
        let (mut then, mut other) = (Body::default(), Body::default());
        then.outputs = self.function(node, yes, operands, &mut then)?;
        other.outputs = self.function(node, no, operands, &mut other)?;
        if then.outputs.len() != other.outputs.len() {
            return Err(TfjsError::malformed(
                node.name,
                "branches that give differently many values",
            ));
        }
        let condition = self.cast(condition, DType::Bool, body);
        Ok(self.either(condition, then, other, body))
    }

    fn repeat(
        &mut self,
        node: &Node<'a>,
        [go_on, rest]: [&str; 2],
        operands: &[Var],
        body: &mut Body,
    ) -> Result<Vec<Var>, TfjsError> {
        let carried: Vec<Var> = operands.iter().map(|_| self.model.var("")).collect();
        let mut round = Body::default();
        let condition = self.function(node, go_on, &carried, &mut round)?;
        let condition = condition.first().copied();
        let condition = condition
            .ok_or_else(|| TfjsError::malformed(node.name, "a loop without a condition"))?;
        let mut then = Body::default();
        then.outputs = self.function(node, rest, &carried, &mut then)?;
        if then.outputs.len() != carried.len() {
            return Err(TfjsError::malformed(
                node.name,
                "a loop that gives other values than it takes",
            ));
        }
        Ok(self.rounds(operands, carried, condition, round, then, body))
    }

    /// ONNX's `Loop`, of rounds that begin with the condition: `then` is the rest of a round.
    fn rounds(
        &mut self,
        first: &[Var],
        carried: Vec<Var>,
        condition: Var,
        mut round: Body,
        then: Body,
        body: &mut Body,
    ) -> Vec<Var> {
        let condition = self.cast(condition, DType::Bool, &mut round);
        let other = Body { outputs: carried.clone(), ..Body::default() };
        let next = self.either(condition, then, other, &mut round);
        let (count, go_on) = (self.model.var(""), self.model.var(""));
        round.inputs = [count, go_on].into_iter().chain(carried).collect();
        round.outputs = [condition].into_iter().chain(next).collect();
        let results: Vec<Var> = first.iter().map(|_| self.model.var("")).collect();
        let inputs = [None, None].into_iter().chain(first.iter().copied().map(Some)).collect();
        let outputs = results.iter().copied().map(Some).collect();
        let attribute = ("body".to_owned(), self.body(round));
        body.calls.push(call("Loop", inputs, outputs, vec![attribute]));
        results
    }

    /// The loop that an `Exit` leaves.
    fn frame(
        &mut self,
        walk: &mut Walk<'a>,
        exit: usize,
        body: &mut Body,
    ) -> Result<(), TfjsError> {
        let (at, _) = walk.frames.exits[&exit];
        let carried = walk.frames.list[at].carried.clone();
        let condition = walk.frames.list[at].condition;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TfjsError::Nesting);
        }
        let name = walk.nodes.list[exit].name;
        let first = carried.iter().map(|one| walk.get(one.first, name));
        let first = first.collect::<Result<Vec<Var>, _>>()?;
        let before = walk.order.len();
        let mut vars = Vec::new();
        for one in &carried {
            let var = self.model.var(walk.nodes.list[one.merge].name);
            walk.set((one.merge, 0), var);
            vars.push(var);
        }
        let (mut round, mut then) = (Body::default(), Body::default());
        self.walk(walk, &[condition], &mut round)?;
        let truth = walk.get(condition, name)?;
        let next: Vec<Place> = carried.iter().map(|one| one.next).collect();
        self.walk(walk, &next, &mut then)?;
        then.outputs =
            next.into_iter().map(|place| walk.get(place, name)).collect::<Result<_, _>>()?;
        walk.forget(before);
        self.depth -= 1;
        let results = self.rounds(&first, vars, truth, round, then, body);
        let exits = walk.frames.exits.iter().filter(|(_, (frame, _))| *frame == at);
        let exits: Vec<(usize, usize)> = exits.map(|(exit, (_, value))| (*exit, *value)).collect();
        for (exit, value) in exits {
            walk.set((exit, 0), results[value]);
        }
        Ok(())
    }
}

/// What must be there before a node.
fn needs(walk: &Walk<'_>, at: usize) -> Vec<Place> {
    let (nodes, frames) = (&walk.nodes, &walk.frames);
    if let Some((frame, _)) = frames.exits.get(&at) {
        return frames.list[*frame].entering.clone();
    }
    let mut needs = match nodes.operands[at].as_slice() {
        [data, _] if frames.gates.contains_key(&at) => vec![*data],
        all => all.to_vec(),
    };
    needs.extend(frames.guards(nodes, at));
    needs
}

fn call(
    op: &str,
    inputs: Vec<Option<Var>>,
    outputs: Vec<Option<Var>>,
    attributes: Vec<(String, Attribute)>,
) -> Call {
    Call { op: op.into(), version: ONNX, name: String::new(), inputs, outputs, attributes }
}
