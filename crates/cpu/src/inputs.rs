use crate::Value;
use sidestage_ir::{Model, PortKind};
use std::fmt;

/// Inputs that a model does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError {
    /// There is no such input.
    Unknown {
        /// The name.
        name: String,
        /// Those that there are, with their types.
        inputs: String,
    },
    /// It has another type or shape.
    Type {
        /// The input.
        name: String,
        /// What it must be.
        expected: String,
        /// What was given.
        given: String,
    },
    /// It is given twice.
    Twice {
        /// The input.
        name: String,
    },
    /// It is missing.
    Missing {
        /// The input.
        name: String,
        /// Those that there are, with their types.
        inputs: String,
    },
}

impl InputError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        "INPUT_INVALID"
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, inputs } => {
                write!(f, "the model has no input {name:?}; it takes: {inputs}")
            }
            Self::Type { name, expected, given } => {
                write!(f, "the input {name} must be {expected}, not {given}")
            }
            Self::Twice { name } => write!(f, "the input {name} is given twice"),
            Self::Missing { name, inputs } => {
                write!(f, "the input {name} is missing; the model takes: {inputs}")
            }
        }
    }
}

impl std::error::Error for InputError {}

/// A model's inputs in its order, from those given by name.
///
/// # Errors
/// What the model does not take, or what is missing.
pub fn inputs(
    model: &Model,
    named: impl IntoIterator<Item = (String, Value)>,
) -> Result<Vec<Value>, InputError> {
    let all = || {
        let ports = model.inputs.iter();
        let ports = ports.map(|port| format!("{} {port}", model.name(port.var)));
        ports.collect::<Vec<_>>().join("; ")
    };
    let mut given: Vec<Option<Value>> = vec![None; model.inputs.len()];
    for (name, value) in named {
        let Some(at) = model.inputs.iter().position(|port| model.name(port.var) == name) else {
            return Err(InputError::Unknown { name, inputs: all() });
        };
        let port = &model.inputs[at];
        let fits = match (&value, &port.kind) {
            (Value::Tensor(tensor), _) => port.takes(tensor.dtype(), tensor.dims()),
            (Value::Sequence(_), PortKind::Sequence(_)) => true,
            (Value::Sequence(_), PortKind::Optional(of)) => !of.is_tensor(),
            (Value::Nothing, kind) => matches!(kind, PortKind::Optional(_)),
            (Value::Sequence(_), PortKind::Tensor) => false,
        };
        if !fits {
            return Err(InputError::Type {
                name,
                expected: port.to_string(),
                given: match value {
                    Value::Tensor(tensor) => format!("{tensor:?}"),
                    Value::Sequence(_) => "a sequence".into(),
                    Value::Nothing => "nothing".into(),
                },
            });
        }
        if given[at].replace(value).is_some() {
            return Err(InputError::Twice { name });
        }
    }
    let ports = model.inputs.iter().zip(given);
    let all = ports.map(|(port, given)| match (given, &port.kind) {
        (Some(value), _) => Ok(value),
        (None, PortKind::Optional(_)) => Ok(Value::Nothing),
        (None, _) => {
            let name = model.name(port.var).to_owned();
            Err(InputError::Missing { name, inputs: all() })
        }
    });
    all.collect()
}
