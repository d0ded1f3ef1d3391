use super::{Scope, Stop};
use crate::{ValueId, ValueType};
use sidestage_tensor::{DType, Tensor};
use std::sync::Arc;

/// A value while a model is traced.
#[derive(Clone, Debug)]
pub enum Val {
    /// A tensor.
    Tensor(Traced),
    /// A sequence of values.
    Sequence(Vec<Val>),
    /// An optional value that is not there.
    Nothing,
    /// A value of a branch that is not taken.
    Dead,
}

/// A tensor while a model is traced. Shared, because lowerings hand it on and drop it in thousands of
/// places.
#[derive(Clone, Debug)]
pub struct Traced(pub(super) Arc<Parts>);

/// What is known of a tensor.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) ty: ValueType,
    pub(super) dims: Vec<usize>,
    pub(super) at: At,
    /// How the elements lie, if not as the dimensions say; it is then of the graph at hand.
    pub(super) order: Option<Order>,
}

/// An order in which elements lie.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Which axis is the outermost, and so on.
    pub(super) axes: Vec<usize>,
    /// How it is changed.
    pub(super) transpose: Transpose,
}

/// Applies what gives a tensor with its axes in another order.
pub type Transpose = fn(&mut Scope<'_, '_>, &Traced, &[usize]) -> Result<Traced, Stop>;

/// The type of what a model is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A tensor.
    Tensor(ValueType),
    /// Several.
    Sequence(Vec<Given>),
    /// An optional value that is not there.
    Nothing,
}

impl Given {
    /// The value; each tensor of it has the next register.
    pub(super) fn val(&self, registers: &mut usize) -> Val {
        match self {
            Self::Tensor(ty) => {
                *registers += 1;
                Val::new(ty.clone(), At::Register(*registers - 1))
            }
            Self::Sequence(all) => {
                Val::Sequence(all.iter().map(|one| one.val(registers)).collect())
            }
            Self::Nothing => Val::Nothing,
        }
    }
}

/// Where a tensor is.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// Known.
    Known(Tensor),
    /// Computed in the graph at hand.
    Value(ValueId),
    /// Kept from an earlier one.
    Register(usize),
}

impl Traced {
    pub(super) fn new(ty: ValueType, dims: Vec<usize>, at: At, order: Option<Order>) -> Self {
        Self(Arc::new(Parts { ty, dims, at, order }))
    }

    /// That it is somewhere else now.
    pub(super) fn move_to(&mut self, at: At) {
        Arc::make_mut(&mut self.0).at = at;
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.0.ty.dtype
    }

    /// Dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.0.dims
    }

    /// In which order the axes lie; `None`: in their own.
    pub fn order(&self) -> Option<&[usize]> {
        self.0.order.as_ref().map(|order| order.axes.as_slice())
    }

    /// The tensor itself, if it is known.
    pub fn known(&self) -> Option<&Tensor> {
        match &self.0.at {
            At::Known(tensor) => Some(tensor),
            _ => None,
        }
    }
}

impl Val {
    pub(super) fn new(ty: ValueType, at: At) -> Self {
        let dims = ty.extents(&[]).dims().to_vec();
        Self::Tensor(Traced::new(ty, dims, at, None))
    }

    /// A tensor that is known.
    pub fn known(tensor: Tensor) -> Self {
        Self::new(ValueType::fixed(tensor.dtype(), tensor.dims()), At::Known(tensor))
    }

    /// What was asked for is known now.
    pub(super) fn learn(&mut self, asked: &[usize], known: &[Tensor]) {
        self.each(&mut |tensor| {
            if let At::Register(register) = tensor.0.at
                && let Some(at) = asked.iter().position(|asked| *asked == register)
            {
                tensor.move_to(At::Known(known[at].reshaped(tensor.dims())));
            }
        });
    }

    /// Shows each tensor of it.
    pub(super) fn each(&mut self, show: &mut dyn FnMut(&mut Traced)) {
        match self {
            Self::Tensor(tensor) => show(tensor),
            Self::Sequence(all) => all.iter_mut().for_each(|val| val.each(show)),
            Self::Nothing | Self::Dead => {}
        }
    }
}
