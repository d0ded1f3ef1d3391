//! The messages of `onnx.proto`, as far as they say what is computed.

use super::protobuf::Fields;
use super::tensor::elsewhere;
use super::{External, OnnxError};
use sidestage_ir::PortKind;
use std::collections::BTreeSet;

/// Deepest nesting of graphs.
const DEEPEST: usize = 16;

/// `ModelProto`.
#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    pub(super) opsets: Vec<(&'a str, i64)>,
    pub(super) graph: Option<Graph<'a>>,
    pub(super) functions: Vec<Function<'a>>,
}

/// `GraphProto`.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: Vec<Tensor<'a>>,
    pub(super) sparse: usize,
    pub(super) inputs: Vec<Value<'a>>,
    pub(super) outputs: Vec<Value<'a>>,
}

/// `FunctionProto`.
#[derive(Debug, Default)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) domain: &'a str,
    pub(super) overload: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) opsets: Vec<(&'a str, i64)>,
    pub(super) defaults: Vec<Attribute<'a>>,
}

/// `NodeProto`.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) op: &'a str,
    pub(super) domain: &'a str,
    pub(super) overload: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// `AttributeProto`.
#[derive(Debug, Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    /// Of the function that the node is in: the attribute whose value this has.
    pub(super) reference: &'a str,
    pub(super) kind: i64,
    pub(super) int: i64,
    pub(super) float: f32,
    pub(super) text: &'a [u8],
    pub(super) tensor: Option<Tensor<'a>>,
    pub(super) graph: Option<Graph<'a>>,
    pub(super) ints: Vec<i64>,
    pub(super) floats: Vec<f32>,
    pub(super) texts: Vec<&'a [u8]>,
}

/// `TensorProto`.
#[derive(Debug, Default)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) dims: Vec<i64>,
    pub(super) dtype: i64,
    pub(super) raw: Option<&'a [u8]>,
    pub(super) floats: Vec<f32>,
    pub(super) doubles: Vec<f64>,
    /// `int32_data`, `int64_data` and `uint64_data`.
    pub(super) ints: Vec<i64>,
    /// Whether the bytes lie elsewhere, and where.
    pub(super) external: bool,
    pub(super) place: Vec<(&'a str, &'a str)>,
}

/// `ValueInfoProto`.
#[derive(Debug, Default)]
pub(super) struct Value<'a> {
    pub(super) name: &'a str,
    pub(super) kind: PortKind,
    pub(super) dtype: Option<i64>,
    pub(super) dims: Option<Vec<Dim<'a>>>,
}

/// `TensorShapeProto.Dimension`.
#[derive(Debug)]
pub(super) enum Dim<'a> {
    Fixed(i64),
    Free(&'a str),
}

impl<'a> Model<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("ModelProto", bytes);
        let mut model = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                7 => model.graph = Some(Graph::read(wire.bytes(&fields)?, 0)?),
                8 => model.opsets.push(opset(wire.bytes(&fields)?)?),
                25 => model.functions.push(Function::read(wire.bytes(&fields)?)?),
                _ => {}
            }
        }
        Ok(model)
    }
}

impl Model<'_> {
    /// Where the bytes of tensors lie that are not in the file.
    pub(super) fn places(&self, to: &mut Vec<External>) -> Result<(), OnnxError> {
        if let Some(graph) = &self.graph {
            graph.places(to)?;
        }
        for function in &self.functions {
            function.nodes.iter().try_for_each(|node| node.places(to))?;
            function.defaults.iter().try_for_each(|attribute| attribute.places(to))?;
        }
        Ok(())
    }
}

impl<'a> Model<'a> {
    /// The operators that are called, but for the model's own functions.
    pub(super) fn ops(&self) -> BTreeSet<String> {
        let mut nodes: Vec<&Node<'a>> = Vec::new();
        nodes.extend(self.graph.iter().flat_map(|graph| &graph.nodes));
        nodes.extend(self.functions.iter().flat_map(|function| &function.nodes));
        let mut ops = BTreeSet::new();
        while let Some(node) = nodes.pop() {
            let inner = node.attributes.iter().filter_map(|attribute| attribute.graph.as_ref());
            nodes.extend(inner.flat_map(|graph| &graph.nodes));
            if !self.functions.iter().any(|function| function.is_called_by(node)) {
                ops.insert(node.full_name());
            }
        }
        ops
    }
}

impl Function<'_> {
    pub(super) fn is_called_by(&self, node: &Node<'_>) -> bool {
        (self.name, domain(self.domain), self.overload)
            == (node.op, domain(node.domain), node.overload)
    }
}

impl Node<'_> {
    /// The operator's name: after its domain, if that is not ONNX's.
    pub(super) fn full_name(&self) -> String {
        match domain(self.domain) {
            "" => self.op.to_owned(),
            "com.microsoft" if TAKEN_OVER.contains(&self.op) => self.op.to_owned(),
            domain => format!("{domain}::{}", self.op),
        }
    }
}

/// Operators that ONNX Runtime had before ONNX did, and that mean the same: its quantiser still writes
/// 16 and 4 bits so for models of opsets before 21.
const TAKEN_OVER: [&str; 5] =
    ["DequantizeLinear", "GridSample", "QuantizeLinear", "Range", "Trilu"];

/// The domain of ONNX itself has two names.
pub(super) fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

impl Graph<'_> {
    fn places(&self, to: &mut Vec<External>) -> Result<(), OnnxError> {
        for tensor in &self.initializers {
            to.extend(elsewhere(tensor)?);
        }
        self.nodes.iter().try_for_each(|node| node.places(to))
    }
}

impl Node<'_> {
    fn places(&self, to: &mut Vec<External>) -> Result<(), OnnxError> {
        self.attributes.iter().try_for_each(|attribute| attribute.places(to))
    }
}

impl Attribute<'_> {
    fn places(&self, to: &mut Vec<External>) -> Result<(), OnnxError> {
        if let Some(tensor) = &self.tensor {
            to.extend(elsewhere(tensor)?);
        }
        self.graph.iter().try_for_each(|graph| graph.places(to))
    }
}

/// `OperatorSetIdProto`.
fn opset(bytes: &[u8]) -> Result<(&str, i64), OnnxError> {
    let mut fields = Fields::new("OperatorSetIdProto", bytes);
    let (mut domain, mut version) = ("", 0);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => domain = wire.text(&fields)?,
            2 => version = wire.int(&fields)?,
            _ => {}
        }
    }
    Ok((domain, version))
}

impl<'a> Graph<'a> {
    fn read(bytes: &'a [u8], depth: usize) -> Result<Self, OnnxError> {
        if depth > DEEPEST {
            return Err(OnnxError::Nesting);
        }
        let mut fields = Fields::new("GraphProto", bytes);
        let mut graph = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => graph.nodes.push(Node::read(wire.bytes(&fields)?, depth)?),
                5 => graph.initializers.push(Tensor::read(wire.bytes(&fields)?)?),
                11 => graph.inputs.push(Value::read(wire.bytes(&fields)?)?),
                12 => graph.outputs.push(Value::read(wire.bytes(&fields)?)?),
                15 => graph.sparse += 1,
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'a> Function<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("FunctionProto", bytes);
        let mut function = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => function.name = wire.text(&fields)?,
                4 => function.inputs.push(wire.text(&fields)?),
                5 => function.outputs.push(wire.text(&fields)?),
                7 => function.nodes.push(Node::read(wire.bytes(&fields)?, 0)?),
                9 => function.opsets.push(opset(wire.bytes(&fields)?)?),
                10 => function.domain = wire.text(&fields)?,
                11 => function.defaults.push(Attribute::read(wire.bytes(&fields)?, 0)?),
                13 => function.overload = wire.text(&fields)?,
                _ => {}
            }
        }
        Ok(function)
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8], depth: usize) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("NodeProto", bytes);
        let mut node = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => node.inputs.push(wire.text(&fields)?),
                2 => node.outputs.push(wire.text(&fields)?),
                3 => node.name = wire.text(&fields)?,
                4 => node.op = wire.text(&fields)?,
                5 => node.attributes.push(Attribute::read(wire.bytes(&fields)?, depth)?),
                7 => node.domain = wire.text(&fields)?,
                8 => node.overload = wire.text(&fields)?,
                _ => {}
            }
        }
        Ok(node)
    }
}

impl<'a> Attribute<'a> {
    fn read(bytes: &'a [u8], depth: usize) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("AttributeProto", bytes);
        let mut attribute = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => attribute.name = wire.text(&fields)?,
                2 => attribute.float = wire.float(&fields)?,
                3 => attribute.int = wire.int(&fields)?,
                4 => attribute.text = wire.bytes(&fields)?,
                5 => attribute.tensor = Some(Tensor::read(wire.bytes(&fields)?)?),
                6 => attribute.graph = Some(Graph::read(wire.bytes(&fields)?, depth + 1)?),
                7 => wire.floats(&fields, &mut attribute.floats)?,
                8 => wire.ints(&fields, &mut attribute.ints)?,
                9 => attribute.texts.push(wire.bytes(&fields)?),
                20 => attribute.kind = wire.int(&fields)?,
                21 => attribute.reference = wire.text(&fields)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl<'a> Tensor<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("TensorProto", bytes);
        let mut tensor = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => wire.ints(&fields, &mut tensor.dims)?,
                2 => tensor.dtype = wire.int(&fields)?,
                4 => wire.floats(&fields, &mut tensor.floats)?,
                5 | 7 | 11 => wire.ints(&fields, &mut tensor.ints)?,
                8 => tensor.name = wire.text(&fields)?,
                9 => tensor.raw = Some(wire.bytes(&fields)?),
                10 => wire.doubles(&fields, &mut tensor.doubles)?,
                13 => tensor.place.push(entry(wire.bytes(&fields)?)?),
                14 => tensor.external = wire.int(&fields)? == 1,
                _ => {}
            }
        }
        Ok(tensor)
    }
}

/// `StringStringEntryProto`.
fn entry(bytes: &[u8]) -> Result<(&str, &str), OnnxError> {
    let mut fields = Fields::new("StringStringEntryProto", bytes);
    let (mut key, mut value) = ("", "");
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => key = wire.text(&fields)?,
            2 => value = wire.text(&fields)?,
            _ => {}
        }
    }
    Ok((key, value))
}

impl<'a> Value<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut fields = Fields::new("ValueInfoProto", bytes);
        let mut value = Self::default();
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => value.name = wire.text(&fields)?,
                2 => value.kind = value.read_type(wire.bytes(&fields)?, 0)?,
                _ => {}
            }
        }
        Ok(value)
    }

    /// `TypeProto`: element type and shape are those of the tensors in it.
    fn read_type(&mut self, bytes: &'a [u8], depth: usize) -> Result<PortKind, OnnxError> {
        if depth > DEEPEST {
            return Err(OnnxError::Nesting);
        }
        let mut fields = Fields::new("TypeProto", bytes);
        let mut kind = PortKind::Tensor;
        while let Some((number, wire)) = fields.next()? {
            match number {
                4 => kind = PortKind::Sequence(self.read_element(wire.bytes(&fields)?, depth)?),
                9 => kind = PortKind::Optional(self.read_element(wire.bytes(&fields)?, depth)?),
                _ => {}
            }
            if number != 1 {
                continue;
            }
            let mut tensor = Fields::new("TypeProto.Tensor", wire.bytes(&fields)?);
            while let Some((number, wire)) = tensor.next()? {
                match number {
                    1 => self.dtype = Some(wire.int(&tensor)?),
                    2 => self.dims = Some(shape(wire.bytes(&tensor)?)?),
                    _ => {}
                }
            }
        }
        Ok(kind)
    }

    /// `TypeProto.Sequence` or `TypeProto.Optional`.
    fn read_element(&mut self, bytes: &'a [u8], depth: usize) -> Result<Box<PortKind>, OnnxError> {
        let mut fields = Fields::new("TypeProto.Sequence", bytes);
        let mut kind = PortKind::Tensor;
        while let Some((number, wire)) = fields.next()? {
            if number == 1 {
                kind = self.read_type(wire.bytes(&fields)?, depth + 1)?;
            }
        }
        Ok(Box::new(kind))
    }
}

/// `TensorShapeProto`.
fn shape(bytes: &[u8]) -> Result<Vec<Dim<'_>>, OnnxError> {
    let mut fields = Fields::new("TensorShapeProto", bytes);
    let mut dims = Vec::new();
    while let Some((number, wire)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let mut dim = Dim::Free("");
        let mut inner = Fields::new("TensorShapeProto.Dimension", wire.bytes(&fields)?);
        while let Some((number, wire)) = inner.next()? {
            match number {
                1 => dim = Dim::Fixed(wire.int(&inner)?),
                2 => dim = Dim::Free(wire.text(&inner)?),
                _ => {}
            }
        }
        dims.push(dim);
    }
    Ok(dims)
}
