use sidestage_tensor::{DType, Tensor};
use std::fmt;

/// Names a value of a [`Model`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub u32);

impl Var {
    /// Its index in [`Model::names`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names one of [`Model::bodies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BodyId(pub u32);

impl BodyId {
    /// Its index in [`Model::bodies`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A model as its file says it: calls of operators by name, of values whose shapes may depend on
/// what it is run with. [`crate::Trace`] makes a [`crate::Graph`] of it.
///
/// Each value has its own [`Var`], also those of inner bodies, which see those of the outer ones.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What each value is called.
    pub names: Vec<String>,
    /// Values that are known: weights.
    pub constants: Vec<(Var, Tensor)>,
    /// What the caller gives, in order.
    pub inputs: Vec<Port>,
    /// What the caller gets, in order.
    pub outputs: Vec<Port>,
    /// The calls: of the model itself the first, and those inside control flow.
    pub bodies: Vec<Body>,
    /// What is kept from run to run: inputs and outputs of the first body behind those of the caller.
    pub states: Vec<State>,
}

/// A value that a run leaves for the next one.
#[derive(Clone, Debug)]
pub struct State {
    /// What a run begins with.
    pub now: Var,
    /// What it leaves.
    pub next: Var,
    /// What the first run begins with.
    pub first: Tensor,
}

impl Model {
    /// A new value.
    pub fn var(&mut self, name: &str) -> Var {
        self.names.push(name.into());
        Var(self.names.len() as u32 - 1)
    }

    /// What a run is given, in order.
    pub fn given(&self) -> impl Iterator<Item = Var> {
        let inputs = self.inputs.iter().map(|port| port.var);
        inputs.chain(self.states.iter().map(|state| state.now))
    }

    /// What a run leaves, in order.
    pub fn left(&self) -> impl Iterator<Item = Var> {
        let outputs = self.outputs.iter().map(|port| port.var);
        outputs.chain(self.states.iter().map(|state| state.next))
    }

    /// Gives the calls that `random` takes, by their operators, an operand more: the number of the run, an
    /// `i64` that is kept from run to run, with an attribute `stream`, which is another for each call.
    pub fn number_runs(&mut self, random: impl Fn(&str) -> bool) {
        let calls = self.bodies.iter_mut().flat_map(|body| &mut body.calls);
        let calls: Vec<&mut Call> = calls.filter(|call| random(&call.op)).collect();
        let number = |value: i64| Tensor::new(DType::I64, &[], &value.to_le_bytes());
        let (false, Ok(first), Ok(step)) = (calls.is_empty(), number(0), number(1)) else { return };
        let free = self.names.len() as u32;
        let [now, one, next] = [0, 1, 2].map(|at| Var(free + at));
        for (stream, call) in calls.into_iter().enumerate() {
            call.inputs.push(Some(now));
            call.attributes.push(("stream".into(), Attribute::Int(stream as i64)));
        }
        self.names.extend([const { String::new() }; 3]);
        self.constants.push((one, step));
        let (inputs, outputs) = (vec![Some(now), Some(one)], vec![Some(next)]);
        let sum = Call { op: "Add".into(), version: 14, inputs, outputs, ..Call::default() };
        let body = &mut self.bodies[0];
        body.calls.push(sum);
        body.inputs.push(now);
        body.outputs.push(next);
        self.states.push(State { now, next, first });
    }

    /// What a value is called.
    pub fn name(&self, var: Var) -> &str {
        &self.names[var.index()]
    }
}

/// An input or output of a model, as declared.
#[derive(Clone, Debug)]
pub struct Port {
    /// The value.
    pub var: Var,
    /// What kind of value it is.
    pub kind: PortKind,
    /// Element type, if declared.
    pub dtype: Option<DType>,
    /// Another one that it takes.
    pub also: Option<DType>,
    /// Dimensions, outermost first, if declared.
    pub dims: Option<Vec<PortDim>>,
    /// What its integers stand for, if declared.
    pub quantization: Option<Quantization>,
}

/// How integers stand for numbers: `(integer - zero_point) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The number that 1 stands for: above 0.
    pub scale: f32,
    /// The integer that stands for 0.
    pub zero_point: i32,
}

impl Quantization {
    /// What a file says; `None`: it cannot be.
    pub fn new(scale: f32, zero_point: i64) -> Option<Self> {
        let zero_point = i32::try_from(zero_point).ok()?;
        (scale > 0.0 && scale.is_finite()).then_some(Self { scale, zero_point })
    }
}

impl Port {
    /// A tensor of which nothing is declared.
    pub fn of(var: Var) -> Self {
        let kind = PortKind::Tensor;
        Self { var, kind, dtype: None, also: None, dims: None, quantization: None }
    }

    /// Whether a tensor can be this input, as far as it is declared.
    pub fn takes(&self, dtype: DType, dims: &[usize]) -> bool {
        let fits = |(port, dim): (&PortDim, &usize)| match port {
            PortDim::Fixed(fixed) => fixed == dim,
            PortDim::Free(_) => true,
        };
        self.kind.is_tensor()
            && self.dtype.is_none_or(|known| known == dtype || self.also == Some(dtype))
            && self
                .dims
                .as_ref()
                .is_none_or(|known| known.len() == dims.len() && known.iter().zip(dims).all(fits))
    }

    /// Its dimensions, if all are declared.
    pub fn fixed(&self) -> Option<Vec<usize>> {
        let dims = self.dims.as_ref()?.iter().map(|dim| match dim {
            PortDim::Fixed(dim) => Some(*dim),
            PortDim::Free(_) => None,
        });
        dims.collect()
    }
}

impl fmt::Display for Port {
    /// Its type and shape: `F32 [batch, 3, ?]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dtype.map_or("any type", DType::name))?;
        if let Some(also) = self.also {
            write!(f, " or {also}")?;
        }
        let Some(dims) = &self.dims else { return Ok(()) };
        let dim = |dim: &PortDim| match dim {
            PortDim::Fixed(dim) => dim.to_string(),
            PortDim::Free(name) if name.is_empty() => "?".into(),
            PortDim::Free(name) => name.clone(),
        };
        write!(f, " [{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", "))
    }
}

/// What an input or output of a model is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PortKind {
    /// A tensor.
    #[default]
    Tensor,
    /// Any number of these.
    Sequence(Box<PortKind>),
    /// One of these, or nothing.
    Optional(Box<PortKind>),
}

impl PortKind {
    /// Whether it may be a tensor.
    pub fn is_tensor(&self) -> bool {
        match self {
            Self::Tensor => true,
            Self::Sequence(_) => false,
            Self::Optional(inner) => inner.is_tensor(),
        }
    }
}

/// A dimension as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortDim {
    /// Always this.
    Fixed(usize),
    /// Any; equal names mean equal dimensions, and some have no name.
    Free(String),
}

/// Calls in an order in which each has its operands.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// What whoever runs the body gives.
    pub inputs: Vec<Var>,
    /// The calls.
    pub calls: Vec<Call>,
    /// What it gives back.
    pub outputs: Vec<Var>,
}

/// A call of an operator.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The operator's name: in the domain of ONNX, or after another domain and `::`.
    pub op: String,
    /// The version of the operator's domain (of ONNX: the opset).
    pub version: i64,
    /// What the file calls it; may be empty.
    pub name: String,
    /// Operands; some may be left out.
    pub inputs: Vec<Option<Var>>,
    /// Results; some may not be wanted.
    pub outputs: Vec<Option<Var>>,
    /// Attributes.
    pub attributes: Vec<(String, Attribute)>,
}

impl Call {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// With an attribute more.
    #[must_use]
    pub fn with(mut self, name: &str, value: Attribute) -> Self {
        self.attributes.push((name.into(), value));
        self
    }

    /// The bodies it may run.
    pub fn bodies(&self) -> impl Iterator<Item = BodyId> {
        self.attributes.iter().filter_map(|(_, value)| match value {
            Attribute::Body(body) => Some(*body),
            _ => None,
        })
    }
}

/// An attribute of a call.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "they say it themselves")]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Text(Vec<u8>),
    Tensor(Tensor),
    Type(DType),
    Body(BodyId),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Texts(Vec<Vec<u8>>),
}
