//! From the tables to a [`Model`].

mod states;

use super::flatbuffer::{Table, Tables};
use super::tensor::{self, Info, spend};
use super::{TfliteError, flexbuffer, schema};
use sidestage_ir::{Attribute, Body, BodyId, Call, Model, Port, PortDim, Quantization, Var};
use sidestage_tensor::DType;
use states::{Kept, LAYERS};
use std::collections::{HashMap, HashSet};

/// Most subgraphs in subgraphs, and calls in all: a file of a few lines could ask for 2^n.
const DEEPEST: usize = 16;
const MOST_CALLS: usize = 1 << 20;

/// What a file may make of each of its bytes, and of none. A tensor of few elements that are not 0
/// is the most that files make in earnest.
const GROWTH: usize = 64;
const GROWTH_OF_NOTHING: usize = 1 << 20;

/// Reads a whole file, with the weights that lie behind the FlatBuffer.
///
/// The model is the first subgraph, or that of the signature `serving_default`, or of the first one,
/// which then names and orders inputs and outputs. Calls are of `TFLITE::` and the operator's name,
/// a custom operator's own. Attributes are the options by the schema's names, and
/// `output.0.type` for each result; for each operand and result that is quantised
/// `input.0.scale`, `input.0.zero_point` and `input.0.quantized_dimension`, or `output.0.…`.
/// Subgraphs that a call runs are its attributes `then_branch`, `else_branch` and `body`.
/// Variables and the states of layers are [`Model::states`], if they are changed outside of branches and
/// loops.
///
/// # Errors
/// What is wrong with the file.
pub fn read(bytes: &[u8]) -> Result<Model, TfliteError> {
    if bytes.get(4..8) != Some(b"TFL3") {
        return Err(TfliteError::Magic);
    }
    let root = Table::root(bytes)?;
    let budget = bytes.len().saturating_mul(GROWTH).saturating_add(GROWTH_OF_NOTHING);
    let mut builder = Builder {
        file: bytes,
        codes: Vec::new(),
        buffers: root.tables(4)?,
        graphs: Vec::new(),
        model: Model { bodies: vec![Body::default()], ..Model::default() },
        calls: 0,
        depth: 0,
        inner: 0,
        budget,
        handles: HashMap::new(),
        variables: HashMap::new(),
        assigned: HashSet::new(),
        states: Vec::new(),
    };
    for code in root.tables(1)?.iter() {
        let code = builder.code(code?)?;
        builder.codes.push(code);
    }
    for graph in root.tables(2)?.iter() {
        let graph = builder.graph(graph?)?;
        builder.graphs.push(graph);
    }
    let signatures = root.tables(7)?;
    let mut found = None;
    for signature in signatures.iter() {
        let signature = signature?;
        let is_default = signature.text(2)? == "serving_default";
        if is_default || found.is_none() {
            found = Some(signature);
        }
        if is_default {
            break;
        }
    }
    builder.main(found)?;
    Ok(builder.model)
}

/// An operator: its name, and its version.
#[derive(Clone, Copy)]
struct Code<'a> {
    name: &'a str,
    version: i32,
}

struct Graph<'a> {
    tensors: Vec<Info<'a>>,
    /// Those whose content is known, when that has been asked for.
    constants: HashMap<usize, Option<Var>>,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    operators: Tables<'a>,
}

struct Builder<'a> {
    file: &'a [u8],
    codes: Vec<Code<'a>>,
    buffers: Tables<'a>,
    graphs: Vec<Graph<'a>>,
    model: Model,
    calls: usize,
    depth: usize,
    /// Branches and loops around what is read.
    inner: usize,
    budget: usize,
    /// The names of the variables that handles stand for, and what these hold.
    handles: HashMap<Var, &'a str>,
    variables: HashMap<&'a str, Var>,
    /// The names of those that the model's own subgraph changes.
    assigned: HashSet<&'a str>,
    /// What is kept from run to run.
    states: Vec<Kept<'a>>,
}

/// A subgraph where it is run: each run of one has its own values.
struct Instance {
    graph: usize,
    /// What is known of its tensors.
    vars: HashMap<usize, Var>,
    body: Body,
}

impl<'a> Builder<'a> {
    fn code(&mut self, table: Table<'a>) -> Result<Code<'a>, TfliteError> {
        let number = i32::from(table.byte(0, 0)?).max(table.int(3, 0)?) as usize;
        let name = match number {
            schema::CUSTOM => table.text(1)?,
            _ => schema::NAMES.get(number).copied().unwrap_or("an operator of a newer schema"),
        };
        spend(&mut self.budget, name.len() + 64)?;
        Ok(Code { name, version: table.int(2, 1)? })
    }

    fn graph(&mut self, table: Table<'a>) -> Result<Graph<'a>, TfliteError> {
        let mut tensors = Vec::new();
        for tensor in table.tables(0)?.iter() {
            tensors.push(Info::read(tensor?, &mut self.budget)?);
        }
        let (inputs, outputs) = (table.ints(1)?, table.ints(2)?);
        spend(&mut self.budget, 4 * (inputs.len() + outputs.len()) + 64)?;
        Ok(Graph {
            tensors,
            constants: HashMap::new(),
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            operators: table.tables(3)?,
        })
    }

    /// The model's own body, inputs and outputs.
    fn main(&mut self, signature: Option<Table<'a>>) -> Result<(), TfliteError> {
        let graph = signature.map_or(Ok(0), |signature| signature.index(4))?;
        let missing = if signature.is_none() { TfliteError::NoGraph } else { index(graph) };
        let Graph { inputs, outputs, .. } = self.graphs.get(graph).ok_or(missing)?;
        let (mut inputs, mut outputs) = (named(inputs), named(outputs));
        if let Some(signature) = signature {
            inputs = by_signature(signature.tables(0)?, inputs)?;
            outputs = by_signature(signature.tables(1)?, outputs)?;
        }
        self.assigned = self.assigned(graph)?;
        let mut instance = self.instance(graph, None)?;
        for (name, tensor) in inputs {
            let var = *instance.vars.get(&tensor).ok_or_else(|| index(tensor))?;
            let port = self.port(graph, tensor, var, name)?;
            self.model.inputs.push(port);
        }
        instance.body.outputs.clear();
        let mut ports: Vec<Port> = Vec::new();
        let mut taken: HashSet<Var> = self.model.inputs.iter().map(|port| port.var).collect();
        for (name, tensor) in outputs {
            let mut var = self.result(&mut instance, tensor, "the model")?;
            let constant = !instance.vars.contains_key(&tensor);
            if constant || !taken.insert(var) {
                // It has a name already.
                let copy = self.model.var("");
                let call = Call {
                    op: "Identity".into(),
                    inputs: vec![Some(var)],
                    outputs: vec![Some(copy)],
                    ..Call::default()
                };
                instance.body.calls.push(call);
                var = copy;
            }
            ports.push(self.port(graph, tensor, var, name)?);
            instance.body.outputs.push(var);
        }
        self.model.outputs = ports;
        self.keep(&mut instance);
        self.model.bodies[0] = instance.body;
        Ok(())
    }

    /// Whether what is read is done once in each run.
    fn is_outermost(&self) -> bool {
        (self.depth, self.inner) == (1, 0)
    }

    fn port(
        &mut self,
        graph: usize,
        tensor: usize,
        var: Var,
        name: Option<&str>,
    ) -> Result<Port, TfliteError> {
        let info = &self.graphs[graph].tensors[tensor];
        let name = name.unwrap_or(info.name);
        spend(&mut self.budget, name.len())?;
        self.model.names[var.index()] = name.into();
        let dtype = Some(info.dtype.ok_or_else(|| info.unsupported())?);
        let dim = |dim: &i64| match usize::try_from(*dim) {
            Ok(dim) => PortDim::Fixed(dim),
            Err(_) => PortDim::Free(String::new()),
        };
        let dims = Some(info.signature.iter().map(dim).collect());
        let found = match info.dtype {
            Some(DType::I8 | DType::U8 | DType::I16 | DType::U16 | DType::I32) => {
                info.quantization(&mut self.budget)?
            }
            _ => None,
        };
        let quantization = found.and_then(|found| match found.scales[..] {
            [scale] => Quantization::new(scale, found.zeros.first().copied().unwrap_or(0)),
            _ => None,
        });
        Ok(Port { dtype, dims, quantization, ..Port::of(var) })
    }

    fn var(&mut self, name: &str) -> Result<Var, TfliteError> {
        spend(&mut self.budget, name.len() + 64)?;
        Ok(self.model.var(name))
    }

    /// The calls of a subgraph, of values of their own; its inputs are these, or new ones.
    fn instance(&mut self, graph: usize, given: Option<&[Var]>) -> Result<Instance, TfliteError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TfliteError::Nesting);
        }
        let known = self.graphs.get(graph).ok_or_else(|| index(graph))?;
        let (inputs, outputs) = (known.inputs.clone(), known.outputs.clone());
        let operators = known.operators;
        spend(&mut self.budget, 8 * (inputs.len() + outputs.len()))?;
        let mut instance = Instance { graph, vars: HashMap::new(), body: Body::default() };
        if given.is_some_and(|given| given.len() != inputs.len()) {
            return Err(TfliteError::Subgraph { op: "a call" });
        }
        for (at, input) in inputs.iter().enumerate() {
            let (tensor, name) = self.tensor(graph, *input)?;
            let var = match given {
                Some(given) => given[at],
                None => self.var(name)?,
            };
            if instance.vars.insert(tensor, var).is_some() {
                return Err(TfliteError::Twice { name: name.into() });
            }
            instance.body.inputs.push(var);
        }
        for operator in operators.iter() {
            self.operator(operator?, &mut instance)?;
        }
        for output in outputs {
            let (tensor, _) = self.tensor(graph, output)?;
            let var = self.result(&mut instance, tensor, "a subgraph")?;
            instance.body.outputs.push(var);
        }
        self.depth -= 1;
        Ok(instance)
    }

    /// The tensor with this number, and its name.
    fn tensor(&self, graph: usize, number: i32) -> Result<(usize, &'a str), TfliteError> {
        let at = number as u32 as usize;
        let info = self.graphs[graph].tensors.get(at).ok_or_else(|| index(at))?;
        Ok((at, info.name))
    }

    /// A tensor that has been computed, or is known.
    fn operand(
        &mut self,
        instance: &mut Instance,
        tensor: usize,
        op: &str,
    ) -> Result<Var, TfliteError> {
        if let Some(var) = instance.vars.get(&tensor) {
            return Ok(*var);
        }
        if let Some(now) = self.state(instance, tensor, op)? {
            return Ok(now);
        }
        let Self { file, buffers, budget, model, .. } = self;
        let graph = &mut self.graphs[instance.graph];
        let info = graph.tensors.get(tensor).ok_or_else(|| index(tensor))?;
        let found = match graph.constants.get(&tensor) {
            Some(found) => *found,
            None => {
                let content = info.content(file, buffers, budget)?;
                let name = if content.is_some() { info.name } else { "" };
                spend(budget, name.len() + 64)?;
                let found = content.map(|content| {
                    let var = model.var(name);
                    model.constants.push((var, content));
                    var
                });
                graph.constants.insert(tensor, found);
                found
            }
        };
        let undefined = || TfliteError::Undefined { name: info.name.into(), op: op.into() };
        found.ok_or_else(undefined)
    }

    /// An output: as [`Self::operand`], but no handle of a variable, which is no value.
    fn result(
        &mut self,
        instance: &mut Instance,
        tensor: usize,
        op: &str,
    ) -> Result<Var, TfliteError> {
        let var = self.operand(instance, tensor, op)?;
        if self.handles.contains_key(&var) {
            return Err(TfliteError::Subgraph { op: "an output that is a variable's handle" });
        }
        Ok(var)
    }

    fn operator(&mut self, table: Table<'a>, to: &mut Instance) -> Result<(), TfliteError> {
        self.calls += 1;
        let code = *self.codes.get(table.index(0)?).ok_or_else(|| index(0))?;
        let (inputs, outputs) = (table.ints(1)?, table.ints(2)?);
        spend(&mut self.budget, 64 * (inputs.len() + outputs.len()) + 256)?;
        if self.calls > MOST_CALLS {
            return Err(TfliteError::Nesting);
        }
        let mut call = Call {
            op: format!("TFLITE::{}", code.name),
            version: code.version.into(),
            ..Call::default()
        };
        call.attributes = schema::attributes(code.name, table.table(4)?)?;
        if call.attributes.is_empty() {
            call.attributes = self.custom(code.name, table)?;
        }
        let mut kept = Vec::new();
        for (at, number) in inputs.enumerate() {
            if number == -1 {
                call.inputs.push(None);
                continue;
            }
            let (tensor, _) = self.tensor(to.graph, number)?;
            call.inputs.push(Some(self.operand(to, tensor, code.name)?));
            self.quantization(to.graph, tensor, &format!("input.{at}"), &mut call)?;
            let of = &self.graphs[to.graph].tensors[tensor];
            if of.variable && self.is_outermost() && LAYERS.contains(&code.name) {
                kept.push((at, tensor, of.dtype));
            }
        }
        match code.name {
            "CALL_ONCE" => {
                let graph = subgraph(&call, "init_subgraph_index");
                let instance = self.instance(graph, Some(&[]))?;
                to.body.calls.extend(instance.body.calls);
                return Ok(());
            }
            "VAR_HANDLE" => {
                let options = table.table(4)?.ok_or(TfliteError::Cut)?;
                let name = options.text(1)?;
                for number in outputs {
                    let (tensor, _) = self.tensor(to.graph, number)?;
                    let var = self.var("")?;
                    self.handles.insert(var, name);
                    to.vars.insert(tensor, var);
                }
                return Ok(());
            }
            "READ_VARIABLE" | "ASSIGN_VARIABLE" => {
                return self.variable(code.name == "ASSIGN_VARIABLE", &call, outputs, to);
            }
            "WHILE" => {
                self.inner += 1;
                self.repeat(&mut call, to)?;
                self.inner -= 1;
            }
            "IF" => {
                self.inner += 1;
                for (from, name) in
                    [("then_subgraph_index", "then_branch"), ("else_subgraph_index", "else_branch")]
                {
                    let mut instance = self.instance(subgraph(&call, from), None)?;
                    let given = call.inputs.len().saturating_sub(1);
                    if instance.body.inputs.len() != given {
                        return Err(TfliteError::Subgraph { op: "IF" });
                    }
                    let body = self.body(std::mem::take(&mut instance.body));
                    call.attributes.push((name.into(), Attribute::Body(body)));
                }
                self.inner -= 1;
            }
            _ => {}
        }
        if call.inputs.iter().flatten().any(|var| self.handles.contains_key(var)) {
            return Err(TfliteError::Subgraph { op: "a call of a variable's handle" });
        }
        for (at, number) in outputs.enumerate() {
            if number == -1 {
                call.outputs.push(None);
                continue;
            }
            let (tensor, name) = self.tensor(to.graph, number)?;
            let var = self.var(name)?;
            if to.vars.insert(tensor, var).is_some() {
                return Err(TfliteError::Twice { name: name.into() });
            }
            call.outputs.push(Some(var));
            let info = &self.graphs[to.graph].tensors[tensor];
            let dtype = info.dtype.ok_or_else(|| info.unsupported())?;
            call.attributes.push((format!("output.{at}.type"), Attribute::Type(dtype)));
            self.quantization(to.graph, tensor, &format!("output.{at}"), &mut call)?;
        }
        for (at, tensor, dtype) in kept {
            let (place, var) = (call.outputs.len(), self.var("")?);
            call.outputs.push(Some(var));
            call.attributes.push((format!("state.{at}"), Attribute::Int(place as i64)));
            let dtype = dtype.map(|of| (format!("output.{place}.type"), Attribute::Type(of)));
            call.attributes.extend(dtype);
            self.quantization(to.graph, tensor, &format!("output.{place}"), &mut call)?;
            to.vars.insert(tensor, var);
        }
        to.body.calls.push(call);
        Ok(())
    }

    fn body(&mut self, body: Body) -> BodyId {
        self.model.bodies.push(body);
        BodyId(self.model.bodies.len() as u32 - 1)
    }

    /// A loop: the condition before it, then rounds of the body and the condition.
    fn repeat(&mut self, call: &mut Call, to: &mut Instance) -> Result<(), TfliteError> {
        let wrong = TfliteError::Subgraph { op: "WHILE" };
        let carried: Option<Vec<Var>> = call.inputs.iter().copied().collect();
        let carried = carried.ok_or_else(|| wrong.clone())?;
        let condition = subgraph(call, "cond_subgraph_index");
        let before = self.instance(condition, Some(&carried))?;
        let first = *before.body.outputs.first().ok_or_else(|| wrong.clone())?;
        to.body.calls.extend(before.body.calls);
        let Body { inputs, mut calls, outputs } =
            self.instance(subgraph(call, "body_subgraph_index"), None)?.body;
        if inputs.len() != carried.len() || outputs.len() != carried.len() {
            return Err(wrong);
        }
        let after = self.instance(condition, Some(&outputs))?;
        let again = *after.body.outputs.first().ok_or(wrong)?;
        calls.extend(after.body.calls);
        // As ONNX's Loop, whose body is also told the round and the condition.
        let told = [self.var("")?, self.var("")?];
        let body = Body {
            inputs: told.into_iter().chain(inputs).collect(),
            calls,
            outputs: [again].into_iter().chain(outputs).collect(),
        };
        let body = self.body(body);
        call.attributes.push(("body".into(), Attribute::Body(body)));
        call.inputs.splice(0..0, [None, Some(first)]);
        Ok(())
    }

    /// The options of an operator that is not in the schema, as far as they are numbers.
    fn custom(
        &mut self,
        name: &str,
        table: Table<'a>,
    ) -> Result<Vec<(String, Attribute)>, TfliteError> {
        let options = table.raw(5)?;
        if name == "Convolution2DTransposeBias" {
            // `TfLiteTransposeConvParams` as it lies in memory; its padding counts from 1.
            let (fours, _) = options.as_chunks();
            let values = fours.iter().map(|four| i64::from(i32::from_le_bytes(*four)));
            let names = [("padding", 1), ("stride_w", 0), ("stride_h", 0)];
            let all = names.into_iter().zip(values);
            return Ok(all
                .map(|((name, less), v)| (name.into(), Attribute::Int(v - less)))
                .collect());
        }
        let all = flexbuffer::numbers(options).unwrap_or_default();
        spend(&mut self.budget, 128 * all.len())?;
        Ok(all)
    }

    fn quantization(
        &mut self,
        graph: usize,
        tensor: usize,
        which: &str,
        call: &mut Call,
    ) -> Result<(), TfliteError> {
        let found = self.graphs[graph].tensors[tensor].quantization(&mut self.budget)?;
        if let Some(tensor::Quantization { scales, zeros, axis }) = found {
            let mut add = |name: &str, value| {
                call.attributes.push((format!("{which}.{name}"), value));
            };
            add("scale", Attribute::Floats(scales));
            add("zero_point", Attribute::Ints(zeros));
            add("quantized_dimension", Attribute::Int(axis.into()));
        }
        Ok(())
    }
}

fn index(index: usize) -> TfliteError {
    TfliteError::Index { index }
}

/// The number of a subgraph.
fn subgraph(call: &Call, name: &str) -> usize {
    match call.attribute(name) {
        Some(Attribute::Int(number)) => *number as u32 as usize,
        _ => usize::MAX,
    }
}

/// Tensors under their own names.
fn named<'a>(tensors: &[i32]) -> Vec<(Option<&'a str>, usize)> {
    tensors.iter().map(|tensor| (None, *tensor as u32 as usize)).collect()
}

/// Inputs or outputs as a signature names and orders them, if it names them all.
fn by_signature<'a>(
    maps: Tables<'a>,
    own: Vec<(Option<&'a str>, usize)>,
) -> Result<Vec<(Option<&'a str>, usize)>, TfliteError> {
    let mut found = Vec::new();
    for map in maps.iter() {
        let map = map?;
        found.push((Some(map.text(0)?), map.index(1)?));
    }
    let has =
        |all: &[(Option<&str>, usize)], wanted: usize| all.iter().any(|(_, at)| *at == wanted);
    let fits = found.len() == own.len()
        && found.len() <= MOST_PORTS
        && found.iter().all(|(_, at)| has(&own, *at))
        && own.iter().all(|(_, at)| has(&found, *at));
    Ok(if fits { found } else { own })
}

/// A signature with more inputs or outputs is not followed.
const MOST_PORTS: usize = 4096;
