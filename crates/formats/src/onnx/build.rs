//! From the messages to a [`Model`].

use super::proto::{self, Dim, Function, Graph, Node, Value, domain};
use super::tensor::tensor;
use super::{External, OnnxError, quantization};
use sidestage_ir::{Attribute, Body, BodyId, Call, Model, Port, PortDim, Var};
use sidestage_tensor::{AlignedBytes, DType};
use std::collections::HashMap;
use std::sync::Arc;

/// Most functions in functions, and calls in all: a file of a few lines could ask for 2^n.
const DEEPEST: usize = 16;
const MOST_CALLS: usize = 1 << 20;

pub(super) type Read<'a> = &'a mut dyn FnMut(&External) -> Option<Arc<AlignedBytes>>;
type Opsets<'a> = [(&'a str, i64)];
type Names<'a> = HashMap<&'a str, Var>;

struct Builder<'a> {
    model: Model,
    functions: &'a [Function<'a>],
    external: Read<'a>,
    calls: usize,
    depth: usize,
}

/// Where a node stands: the names that it sees, from the inside out, and what its domains are.
struct Around<'a, 'o> {
    scopes: Vec<Names<'a>>,
    opsets: &'o Opsets<'a>,
    /// In a function: the attributes of its call.
    arguments: HashMap<&'a str, Option<Attribute>>,
}

pub(super) fn model<'a>(
    proto: &'a proto::Model<'a>,
    external: Read<'a>,
) -> Result<Model, OnnxError> {
    let graph = proto.graph.as_ref().ok_or(OnnxError::NoGraph)?;
    let model = Model { bodies: vec![Body::default()], ..Model::default() };
    let mut builder = Builder { model, functions: &proto.functions, external, calls: 0, depth: 0 };
    let mut around =
        Around { scopes: Vec::new(), opsets: &proto.opsets, arguments: HashMap::new() };
    let body = builder.graph(graph, &mut around, &mut |builder, names| {
        let weight = |value: &Value<'_>| graph.initializers.iter().any(|i| i.name == value.name);
        let given = graph.inputs.iter().filter(|value| !weight(value));
        builder.model.inputs = given.map(|value| port(value, names)).collect::<Result<_, _>>()?;
        Ok(())
    })?;
    let outputs = graph.outputs.iter().zip(&body.outputs);
    let port = |(value, var): (&Value<'_>, &Var)| Port { var: *var, ..declared(value, *var) };
    builder.model.outputs = outputs.map(port).collect();
    builder.model.bodies[0] = body;
    quantization::declare(&mut builder.model);
    Ok(builder.model)
}

fn port(value: &Value<'_>, names: &Names<'_>) -> Result<Port, OnnxError> {
    let var = names.get(value.name).copied().ok_or(OnnxError::NoGraph)?;
    Ok(declared(value, var))
}

fn declared(value: &Value<'_>, var: Var) -> Port {
    let dim = |dim: &Dim<'_>| match dim {
        Dim::Fixed(dim) => usize::try_from(*dim).map_or(PortDim::Free("".into()), PortDim::Fixed),
        Dim::Free(name) => PortDim::Free((*name).into()),
    };
    let dims = value.dims.as_ref().map(|dims| dims.iter().map(dim).collect());
    let dtype = value.dtype.and_then(DType::from_onnx);
    Port { kind: value.kind.clone(), dtype, dims, ..Port::of(var) }
}

impl<'a> Builder<'a> {
    /// A graph's body. `named` sees the names of its inputs.
    fn graph(
        &mut self,
        graph: &'a Graph<'a>,
        around: &mut Around<'a, '_>,
        named: &mut dyn FnMut(&mut Self, &Names<'a>) -> Result<(), OnnxError>,
    ) -> Result<Body, OnnxError> {
        let mut names = Names::new();
        let mut body = Body::default();
        if graph.sparse > 0 {
            return Err(OnnxError::Type { name: "a sparse weight".into(), id: 0 });
        }
        for proto in &graph.initializers {
            let var = self.model.var(proto.name);
            names.insert(proto.name, var);
            self.model.constants.push((var, tensor(proto, self.external)?));
        }
        for value in &graph.inputs {
            // A weight may be declared as an input too: as a default, which nobody overrides here.
            if !names.contains_key(value.name) {
                let var = self.model.var(value.name);
                names.insert(value.name, var);
                body.inputs.push(var);
            }
        }
        named(self, &names)?;
        around.scopes.push(names);
        for node in &graph.nodes {
            self.node(node, around, &mut body)?;
        }
        for value in &graph.outputs {
            body.outputs.push(around.find(value.name, "the outputs")?);
        }
        around.scopes.pop();
        Ok(body)
    }

    fn node(
        &mut self,
        node: &'a Node<'a>,
        around: &mut Around<'a, '_>,
        body: &mut Body,
    ) -> Result<(), OnnxError> {
        self.calls += 1;
        if self.calls > MOST_CALLS {
            return Err(OnnxError::Nesting);
        }
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            let wanted = if name.is_empty() { None } else { Some(around.find(name, node.name)?) };
            inputs.push(wanted);
        }
        let mut attributes = Vec::with_capacity(node.attributes.len());
        for attribute in &node.attributes {
            if let Some(value) = self.attribute(attribute, around)? {
                attributes.push((attribute.name.to_owned(), value));
            }
        }
        let known = self.functions.iter().find(|function| function.is_called_by(node));
        let given = match known {
            Some(function) => self.inline(function, &inputs, attributes, body)?,
            None => {
                let mut outputs = Vec::new();
                for name in &node.outputs {
                    outputs.push((!name.is_empty()).then(|| self.model.var(name)));
                }
                let domain_of_node = domain(node.domain);
                let version =
                    around.opsets.iter().find(|(known, _)| domain(known) == domain_of_node);
                body.calls.push(Call {
                    op: node.full_name(),
                    version: version.map_or(1, |(_, version)| *version),
                    name: node.name.into(),
                    inputs,
                    outputs: outputs.clone(),
                    attributes,
                });
                outputs
            }
        };
        let scope = around.scopes.last_mut().ok_or(OnnxError::NoGraph)?;
        for (name, var) in node.outputs.iter().zip(given) {
            if let Some(var) = var
                && !name.is_empty()
                && scope.insert(name, var).is_some()
            {
                return Err(OnnxError::Twice { name: (*name).into() });
            }
        }
        Ok(())
    }

    /// The calls of a function, in the place of a call of it.
    fn inline(
        &mut self,
        function: &'a Function<'a>,
        inputs: &[Option<Var>],
        attributes: Vec<(String, Attribute)>,
        body: &mut Body,
    ) -> Result<Vec<Option<Var>>, OnnxError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(OnnxError::Nesting);
        }
        let formals = function.inputs.iter().zip(inputs);
        let names = formals.filter_map(|(name, var)| Some((*name, (*var)?))).collect();
        let mut around =
            Around { scopes: vec![names], opsets: &function.opsets, arguments: HashMap::new() };
        for attribute in &function.defaults {
            let value = self.attribute(attribute, &mut around)?;
            around.arguments.insert(attribute.name, value);
        }
        let given: HashMap<String, Attribute> = attributes.into_iter().collect();
        for attribute in function.nodes.iter().flat_map(|node| &node.attributes) {
            if let Some(value) = given.get(attribute.reference) {
                around.arguments.insert(attribute.reference, Some(value.clone()));
            }
        }
        for node in &function.nodes {
            self.node(node, &mut around, body)?;
        }
        self.depth -= 1;
        Ok(function.outputs.iter().map(|name| around.find(name, "").ok()).collect())
    }

    fn attribute(
        &mut self,
        attribute: &'a proto::Attribute<'a>,
        around: &mut Around<'a, '_>,
    ) -> Result<Option<Attribute>, OnnxError> {
        if !attribute.reference.is_empty() {
            return Ok(around.arguments.get(attribute.reference).cloned().flatten());
        }
        let texts = || attribute.texts.iter().map(|text| text.to_vec()).collect();
        Ok(Some(match attribute.kind {
            1 => Attribute::Float(attribute.float),
            2 => Attribute::Int(attribute.int),
            3 => Attribute::Text(attribute.text.into()),
            4 => match &attribute.tensor {
                Some(proto) => Attribute::Tensor(tensor(proto, self.external)?),
                None => return Ok(None),
            },
            5 => match &attribute.graph {
                Some(graph) => {
                    let id = BodyId(self.model.bodies.len() as u32);
                    self.model.bodies.push(Body::default());
                    let body = self.graph(graph, around, &mut |_, _| Ok(()))?;
                    self.model.bodies[id.index()] = body;
                    Attribute::Body(id)
                }
                None => return Ok(None),
            },
            6 => Attribute::Floats(attribute.floats.clone()),
            7 => Attribute::Ints(attribute.ints.clone()),
            8 => Attribute::Texts(texts()),
            // A sequence's or an optional's type, a sparse tensor: nobody reads them.
            _ => return Ok(None),
        }))
    }
}

impl Around<'_, '_> {
    fn find(&self, name: &str, node: &str) -> Result<Var, OnnxError> {
        let known = self.scopes.iter().rev().find_map(|names| names.get(name));
        let missing = || OnnxError::Undefined { name: name.into(), node: node.into() };
        known.copied().ok_or_else(missing)
    }
}
