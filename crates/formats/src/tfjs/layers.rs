//! Layers models: Keras' layers as calls, of ONNX's operators and of TensorFlow's.

mod conv;
mod recurrent;
mod simple;

use super::attributes::declared;
use super::json::Json;
use super::weights::{Manifest, Weight};
use super::{TfjsError, Unplaced};
use sidestage_ir::{Attribute, Body, Call, Model, Port, PortDim, Var};
use sidestage_tensor::{DType, Tensor};
use std::collections::HashMap;

/// The version of ONNX's operators that are called.
const ONNX: i64 = 21;
/// Most models in models, and layers in all.
const DEEPEST: usize = 16;
const MOST: usize = 1 << 16;
/// How often the list of layers is gone through: files have them in an order in which once is enough.
const MOST_ROUNDS: usize = 256;

struct Builder<'a> {
    model: Model,
    body: Body,
    weights: HashMap<&'a str, &'a Weight>,
    constants: HashMap<String, Var>,
    /// Layers that are not known.
    unknown: Vec<String>,
    depth: usize,
    layers: usize,
}

/// A result of a layer: its name, which of its calls, and which result.
type Place<'a> = (&'a str, usize, usize);

/// A layer.
struct Layer<'a> {
    class: &'a str,
    /// Its name, and before it those of the layers around it.
    names: Vec<&'a str>,
    config: &'a Json,
}

impl<'a> Layer<'a> {
    fn read(json: &'a Json, around: &[&'a str]) -> Self {
        let config = json.get("config");
        let name = json.get("name").text().or_else(|| config.get("name").text());
        let names = around.iter().copied().chain(name).collect();
        Self { class: json.get("class_name").text().unwrap_or_default(), names, config }
    }

    fn name(&self) -> &'a str {
        self.names.last().copied().unwrap_or_default()
    }

    fn wrong(&self, problem: &'static str) -> TfjsError {
        TfjsError::malformed(format!("the layer {:?}", self.name()), problem)
    }

    fn truth(&self, key: &str, default: bool) -> bool {
        self.config.get(key).truth().unwrap_or(default)
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.config.get(key).number()
    }

    /// A list of integers, or one for all of `rank` dimensions.
    fn sizes(&self, key: &str, rank: usize) -> Option<Vec<i64>> {
        match self.config.get(key) {
            Json::List(list) if list.len() == rank => list.iter().map(Json::int).collect(),
            json => Some(vec![json.int()?; rank]),
        }
    }

    fn channels_first(&self) -> bool {
        self.config.get("data_format").text().is_some_and(|format| plain(format) == "channelsfirst")
    }
}

/// Names as Python and as JavaScript write them.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

pub(super) fn read(topology: &Json, manifest: Manifest) -> Result<Unplaced, TfjsError> {
    let mut builder = Builder {
        model: Model { bodies: vec![Body::default()], ..Model::default() },
        body: Body::default(),
        weights: manifest.weights().map(|weight| (weight.name.as_str(), weight)).collect(),
        constants: HashMap::new(),
        unknown: Vec::new(),
        depth: 0,
        layers: 0,
    };
    let class = topology.get("class_name").text().unwrap_or_default();
    let outputs = builder.whole((class, topology.get("config")), None, &[]);
    // What comes after a layer that is not known may not fit: that is no news.
    if !builder.unknown.is_empty() {
        let mut layers = builder.unknown;
        layers.sort_unstable();
        layers.dedup();
        return Err(TfjsError::Layers { layers });
    }
    for (var, name) in outputs? {
        let named = builder.model.var(&name);
        let identity = call("Identity", vec![Some(var)], vec![Some(named)], Vec::new());
        builder.body.calls.push(identity);
        builder.body.outputs.push(named);
        builder.model.outputs.push(Port::of(named));
    }
    builder.model.bodies[0] = builder.body;
    let (model, constants) = (builder.model, builder.constants);
    Ok(Unplaced { model, placing: manifest.plan(constants)? })
}

impl<'a> Builder<'a> {
    /// A model, or one that is a layer of another: then `given` are its inputs. Gives its outputs, with
    /// the names of the layers that make them.
    fn whole(
        &mut self,
        (class, config): (&str, &'a Json),
        given: Option<Vec<Var>>,
        names: &[&'a str],
    ) -> Result<Vec<(Var, String)>, TfjsError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TfjsError::Nesting);
        }
        let outputs = match class {
            "Sequential" => self.sequence(config, given, names)?,
            _ => self.functional(config, given, names)?,
        };
        self.depth -= 1;
        Ok(outputs)
    }

    fn sequence(
        &mut self,
        config: &'a Json,
        given: Option<Vec<Var>>,
        names: &[&'a str],
    ) -> Result<Vec<(Var, String)>, TfjsError> {
        // Old files have the list itself.
        let layers =
            if config.list().is_empty() { config.get("layers").list() } else { config.list() };
        let top = given.is_none();
        let mut vals = given.unwrap_or_default();
        let mut last = String::new();
        for (at, json) in layers.iter().enumerate() {
            let layer = Layer::read(json, names);
            if at == 0 && top {
                let name = match layer.class {
                    "InputLayer" => layer.name().to_owned(),
                    _ => format!("{}_input", layer.name()),
                };
                // Of a model that begins with a model, the innermost says the shape.
                let mut first = layer.config;
                while let Some(inner) = first.get("layers").list().first() {
                    first = inner.get("config");
                }
                vals = vec![self.input(&name, first)?];
            }
            last = layer.name().to_owned();
            vals = self.layer(&layer, vals)?;
        }
        Ok(vals.into_iter().map(|var| (var, last.clone())).collect())
    }

    fn functional(
        &mut self,
        config: &'a Json,
        given: Option<Vec<Var>>,
        names: &[&'a str],
    ) -> Result<Vec<(Var, String)>, TfjsError> {
        let layers = config.get("layers").list();
        let mut known: HashMap<(&str, usize), Vec<Var>> = HashMap::new();
        let inputs = places(config.get("input_layers"));
        for (at, (name, ..)) in inputs.iter().enumerate() {
            let layer = layers.iter().map(|json| Layer::read(json, &[]));
            let layer = layer.into_iter().find(|layer| layer.name() == *name);
            let missing =
                || TfjsError::Undefined { name: (*name).into(), node: "the inputs".into() };
            let layer = layer.ok_or_else(missing)?;
            let var = match &given {
                Some(given) => *given.get(at).ok_or_else(|| layer.wrong("it is not given"))?,
                None => self.input(name, layer.config)?,
            };
            known.insert((name, 0), vec![var]);
        }
        // Each call of a layer, in an order in which there are the operands: mostly that of the file.
        let calls = layers.iter().map(|json| Layer::read(json, names)).zip(layers);
        let mut left: Vec<(Layer<'a>, usize, Vec<Place<'a>>)> = Vec::new();
        for (layer, json) in calls.filter(|(layer, _)| layer.class != "InputLayer") {
            for (at, call) in json.get("inbound_nodes").list().iter().enumerate() {
                let Layer { class, names, config } = &layer;
                let layer = Layer { class, names: names.clone(), config };
                left.push((layer, at, places(call)));
            }
        }
        // A model has been called once before it is a layer. Keras does not count that; where a model's
        // calls are counted from 1 on, it was counted.
        let outputs = places(config.get("output_layers"));
        let named = left.iter().flat_map(|(.., operands)| operands).chain(&outputs);
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (name, call, _) in named {
            let last = last.entry(*name).or_default();
            *last = (*last).max(*call);
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (layer, ..) in &left {
            *counts.entry(layer.name()).or_default() += 1;
        }
        let shift = |name: &str| usize::from(last.get(name) == counts.get(name));
        let mut rounds = 0;
        while !left.is_empty() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(TfjsError::Nesting);
            }
            let before = left.len();
            let mut waiting = Vec::new();
            for (layer, at, operands) in left {
                let find = |(name, call, result): &Place<'_>| {
                    known.get(&(*name, *call)).and_then(|vars| vars.get(*result).copied())
                };
                match operands.iter().map(find).collect::<Option<Vec<Var>>>() {
                    None => waiting.push((layer, at, operands)),
                    Some(vals) => {
                        let results = self.layer(&layer, vals)?;
                        known.insert((layer.name(), at + shift(layer.name())), results);
                    }
                }
            }
            if waiting.len() == before {
                return Err(TfjsError::Cycle { node: waiting[0].0.name().into() });
            }
            left = waiting;
        }
        let outputs = outputs.into_iter().map(|(name, call, result)| {
            let var = known.get(&(name, call)).and_then(|vars| vars.get(result));
            let missing = || TfjsError::Undefined { name: name.into(), node: "the outputs".into() };
            Ok((*var.ok_or_else(missing)?, name.to_owned()))
        });
        outputs.collect()
    }

    /// An input of the whole model. Whoever gives the other type of numbers means these.
    fn input(&mut self, name: &str, config: &Json) -> Result<Var, TfjsError> {
        let dtype = config.get("dtype").text().unwrap_or("float32");
        let unknown = || TfjsError::Type { name: name.into(), dtype: dtype.into() };
        let dtype = declared(dtype).ok_or_else(unknown)?;
        let dim = |dim: &Json| match dim.int().and_then(|dim| usize::try_from(dim).ok()) {
            Some(dim) => PortDim::Fixed(dim),
            None => PortDim::Free(String::new()),
        };
        let shape = ["batch_input_shape", "batch_shape"].into_iter().map(|key| config.get(key));
        let shape = shape.into_iter().find(|shape| **shape != Json::Null);
        let dims = shape.map(|shape| shape.list().iter().map(dim).collect());
        let var = self.model.var(name);
        self.body.inputs.push(var);
        let also = if dtype == DType::F32 { DType::I32 } else { DType::F32 };
        let port = Port { dtype: Some(dtype), also: Some(also), dims, ..Port::of(var) };
        self.model.inputs.push(port);
        Ok(self.cast(var, dtype))
    }

    // What layers are made of.

    /// A call with one result.
    fn call(&mut self, op: &str, inputs: &[Var], attributes: &[(&str, Attribute)]) -> Var {
        let inputs: Vec<Option<Var>> = inputs.iter().copied().map(Some).collect();
        self.calls(op, inputs, attributes, 1)[0]
    }

    /// A call.
    fn calls(
        &mut self,
        op: &str,
        inputs: Vec<Option<Var>>,
        attributes: &[(&str, Attribute)],
        results: usize,
    ) -> Vec<Var> {
        let results: Vec<Var> = (0..results).map(|_| self.model.var("")).collect();
        let given = results.iter().copied().map(Some).collect();
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.body.calls.push(call(op, inputs, given, attributes.collect()));
        results
    }

    fn cast(&mut self, x: Var, to: DType) -> Var {
        self.call("TF::Cast", &[x], &[("DstT", Attribute::Type(to))])
    }

    /// Integers that are known.
    fn list(&mut self, dims: &[usize], values: &[i64]) -> Result<Var, TfjsError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.known(DType::I64, dims, &bytes)
    }

    /// One number that is known.
    fn scalar(&mut self, value: f64) -> Result<Var, TfjsError> {
        self.known(DType::F32, &[], &(value as f32).to_le_bytes())
    }

    fn known(&mut self, dtype: DType, dims: &[usize], bytes: &[u8]) -> Result<Var, TfjsError> {
        let memory = |_| TfjsError::NoMemory { bytes: bytes.len() };
        let tensor = Tensor::new(dtype, dims, bytes).map_err(memory)?;
        let var = self.model.var("");
        self.model.constants.push((var, tensor));
        Ok(var)
    }

    /// A weight of a layer: `layer/kernel`, where names of cells and of layers around may stand between.
    fn weight(&mut self, layer: &Layer<'_>, which: &str) -> Result<Var, TfjsError> {
        let fits = |name: &&str| {
            let name = name.strip_suffix(":0").unwrap_or(name);
            let mut parts = name.split('/').rev();
            parts.next() == Some(which) && layer.names.iter().any(|own| name.contains(own))
        };
        let exact = format!("{}/{which}", layer.name());
        // Of several the one that has the most of its names, and then the shortest.
        let rank = |name: &&str| {
            let parts: Vec<&str> = name.split('/').collect();
            let own = layer.names.iter().rev().position(|own| parts.contains(own));
            (own.unwrap_or(usize::MAX), parts.len(), (*name).to_owned())
        };
        let found = match self.weights.get_key_value(exact.as_str()) {
            Some((name, _)) => Some(*name),
            None => self.weights.keys().copied().filter(fits).min_by_key(rank),
        };
        let missing =
            || TfjsError::Undefined { name: exact.clone(), node: layer.name().to_owned() };
        let name = found.ok_or_else(missing)?;
        if let Some(var) = self.constants.get(name) {
            return Ok(*var);
        }
        self.weights[name].dtype()?;
        let var = self.model.var(name);
        self.constants.insert(name.into(), var);
        Ok(var)
    }

    /// A layer as it is configured is not known.
    fn refuse(&mut self, layer: &Layer<'_>, what: &str) {
        let more = if what.is_empty() { String::new() } else { format!(" ({what})") };
        self.unknown.push(format!("{}{more}", layer.class));
    }

    /// What a layer makes of its operands.
    fn layer(&mut self, layer: &Layer<'a>, vals: Vec<Var>) -> Result<Vec<Var>, TfjsError> {
        self.layers += 1;
        if self.layers > MOST {
            return Err(TfjsError::Nesting);
        }
        let Some(&x) = vals.first() else { return Err(layer.wrong("it has no operand")) };
        if matches!(layer.class, "Sequential" | "Functional" | "Model") {
            let config = (layer.class, layer.config);
            let outputs = self.whole(config, Some(vals), &layer.names)?;
            return Ok(outputs.into_iter().map(|(var, _)| var).collect());
        }
        let before = self.unknown.len();
        if let Some(y) = self.simple(layer, x, &vals)? {
            return Ok(vec![y]);
        }
        if let Some(y) = self.convolution(layer, x)? {
            return Ok(vec![y]);
        }
        if let Some(all) = self.recurrent(layer, &vals)? {
            return Ok(all);
        }
        // A layer that is known, but not as it is configured, has been told of.
        if self.unknown.len() == before {
            self.refuse(layer, "");
        }
        // What comes after it is looked at all the same.
        Ok(vals)
    }
}

/// The results of layers that a list names: `[layer, call, result]`, one or several.
fn places(json: &Json) -> Vec<Place<'_>> {
    let mut all = Vec::new();
    found(json, 0, &mut all);
    all
}

fn found<'a>(json: &'a Json, depth: usize, to: &mut Vec<Place<'a>>) {
    if depth > DEEPEST {
        return;
    }
    let index = |json: Option<&Json>| {
        let index = json.and_then(Json::int).and_then(|index| usize::try_from(index).ok());
        index.unwrap_or(0)
    };
    match json {
        Json::List(list) => match list.first() {
            Some(Json::Text(name)) => to.push((name, index(list.get(1)), index(list.get(2)))),
            _ => list.iter().for_each(|one| found(one, depth + 1, to)),
        },
        // Keras 3 names tensors.
        Json::Map(members) => {
            let wanted = ["args", "config", "keras_history"];
            let inner = members.iter().filter(|(name, _)| wanted.contains(&name.as_str()));
            inner.for_each(|(_, value)| found(value, depth + 1, to));
        }
        _ => {}
    }
}

fn call(
    op: &str,
    inputs: Vec<Option<Var>>,
    outputs: Vec<Option<Var>>,
    attributes: Vec<(String, Attribute)>,
) -> Call {
    Call { op: op.into(), version: ONNX, name: String::new(), inputs, outputs, attributes }
}

fn ints(values: &[i64]) -> Attribute {
    Attribute::Ints(values.to_vec())
}

fn text(value: &str) -> Attribute {
    Attribute::Text(value.as_bytes().to_vec())
}
