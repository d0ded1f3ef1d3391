use super::val::{At, Order, Traced, Transpose};
use super::{Frame, Rounds, Stop, Val, Work};
use crate::{Attribute, BodyId, Call, Model, Operator, ValueId, ValueType, Var};
use sidestage_tensor::{DType, Extents, Tensor};

/// A call that is being lowered.
pub struct Scope<'a, 'w> {
    work: &'a mut Work<'w>,
    model: &'a Model,
    call: &'a Call,
    /// Values of the graph before this call.
    before: usize,
}

impl<'a, 'w> Scope<'a, 'w> {
    pub(super) fn new(work: &'a mut Work<'w>, model: &'a Model, call: &'a Call) -> Self {
        let before = work.draft.graph.values();
        Self { work, model, call, before }
    }

    /// The call.
    pub fn call(&self) -> &'a Call {
        self.call
    }

    /// A body of the model.
    pub fn body(&self, id: BodyId) -> &'a crate::Body {
        &self.model.bodies[id.index()]
    }

    // Operands.

    /// How many operands there are, with those left out in between.
    pub fn count(&self) -> usize {
        self.call.inputs.len()
    }

    /// An operand; `None` if it is left out. It may be [`Val::Dead`], which others refuse.
    pub fn optional(&self, index: usize) -> Option<Val> {
        let var = self.call.inputs.get(index).copied().flatten()?;
        self.work.trace.env[var.index()].clone()
    }

    /// An operand.
    ///
    /// # Errors
    /// If it is left out.
    pub fn val(&self, index: usize) -> Result<Val, Stop> {
        match self.optional(index) {
            None => Err(Stop::Refused(format!("operand {index} is missing"))),
            Some(Val::Dead) => Err(Stop::Dead),
            Some(val) => Ok(val),
        }
    }

    /// An operand that is a tensor.
    ///
    /// # Errors
    /// If it is not.
    pub fn tensor(&self, index: usize) -> Result<Traced, Stop> {
        tensor(self.val(index)?)
    }

    /// An operand that is a tensor; `None` if it is left out.
    ///
    /// # Errors
    /// If it is not.
    pub fn optional_tensor(&self, index: usize) -> Result<Option<Traced>, Stop> {
        match self.optional(index) {
            None | Some(Val::Nothing) => Ok(None),
            Some(val) => tensor(val).map(Some),
        }
    }

    /// What a tensor holds.
    ///
    /// # Errors
    /// [`Stop::Needs`] if that is not known yet. Only operands, and views of them, can be asked for.
    pub fn known(&self, tensor: &Traced) -> Result<Tensor, Stop> {
        match &tensor.0.at {
            At::Known(known) => Ok(known.clone()),
            // It would be made anew, and asked for again.
            At::Value(id) if id.index() >= self.before => {
                Err("a value that only this call makes cannot be asked for".into())
            }
            _ => Err(Stop::Needs(vec![Val::Tensor(tensor.clone())])),
        }
    }

    /// The integers that an operand holds; `None` if it is left out.
    ///
    /// # Errors
    /// If it is no tensor of integers, or as [`Scope::known`].
    pub fn integers(&self, index: usize) -> Result<Option<Vec<i64>>, Stop> {
        let Some(tensor) = self.optional_tensor(index)? else { return Ok(None) };
        let known = self.known(&tensor)?;
        let refusal = || Stop::Refused(format!("operand {index} must be integers"));
        known.integers().ok_or_else(refusal).map(Some)
    }

    // Attributes.

    /// An integer; `None` if it is not there.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.call.attribute(name) {
            Some(Attribute::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// A number; `None` if it is not there.
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.call.attribute(name) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }

    /// A list of integers; `None` if it is not there.
    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        match self.call.attribute(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    /// A text; `None` if it is not there or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.call.attribute(name) {
            Some(Attribute::Text(value)) => std::str::from_utf8(value).ok(),
            _ => None,
        }
    }

    // What is made of them.

    /// Applies an operator with one result.
    ///
    /// # Errors
    /// Its refusal.
    pub fn apply(
        &mut self,
        op: impl Operator + 'static,
        inputs: &[Traced],
    ) -> Result<Traced, Stop> {
        self.apply_one(Box::new(op), inputs)
    }

    // Not for each operator anew.
    fn apply_one(&mut self, op: Box<dyn Operator>, inputs: &[Traced]) -> Result<Traced, Stop> {
        let first = self.apply_boxed(op, inputs)?.into_iter().next();
        first.ok_or_else(|| "an operator without a result".into())
    }

    /// Applies an operator.
    ///
    /// # Errors
    /// Its refusal.
    pub fn apply_all(
        &mut self,
        op: impl Operator + 'static,
        inputs: &[Traced],
    ) -> Result<Vec<Traced>, Stop> {
        self.apply_boxed(Box::new(op), inputs)
    }

    fn apply_boxed(
        &mut self,
        op: Box<dyn Operator>,
        inputs: &[Traced],
    ) -> Result<Vec<Traced>, Stop> {
        if let Some(results) = self.permuted(&*op, inputs)? {
            return Ok(results);
        }
        let inputs =
            inputs.iter().map(|input| self.settled(input)).collect::<Result<Vec<_>, _>>()?;
        self.applied(op, &inputs)
    }

    /// Applies an operator to operands that lie as their dimensions say.
    fn applied(&mut self, op: Box<dyn Operator>, inputs: &[Traced]) -> Result<Vec<Traced>, Stop> {
        let types: Vec<&ValueType> = inputs.iter().map(|input| &input.0.ty).collect();
        let results = op.infer(&types)?;
        for ty in &results {
            if ty.dims.len() > Extents::MAX_RANK {
                return Err(format!("a result would have {} dimensions", ty.dims.len()).into());
            }
            // Where there are no elements a dimension may still be one that nobody can count through.
            let longest = ty.extents(&[]).dims().iter().copied().max().unwrap_or(0);
            self.afford(ty.bytes(&[]).unwrap_or(usize::MAX).max(longest))?;
        }
        let known: Option<Vec<&Tensor>> = inputs.iter().map(Traced::known).collect();
        if let Some(known) = known.filter(|_| !op.has_effect())
            && let Some(tensors) = self.work.trace.fold(&*op, &known, &results)?
        {
            return tensors.into_iter().map(|one| tensor(Val::known(one))).collect();
        }
        let inputs: Vec<ValueId> = inputs.iter().map(|input| self.value(input)).collect();
        let name = self.call.name.as_str();
        let outputs = self.work.draft.graph.apply_boxed(name, op, &inputs);
        let outputs = outputs.map_err(|error| error.to_string())?;
        let vals = outputs.into_iter().zip(results);
        vals.map(|(id, ty)| tensor(Val::new(ty, At::Value(id)))).collect()
    }

    /// Pages that are kept from run to run, each of this shape.
    ///
    /// # Errors
    /// If there can be no such pages.
    pub fn state(&mut self, name: &str, dtype: DType, dims: &[usize]) -> Result<Traced, Stop> {
        let id = self.work.draft.graph.state(name, dtype, dims);
        tensor(Val::new(ValueType::fixed(dtype, dims), At::Value(id)))
    }

    /// Applies an operator that only changes states.
    ///
    /// # Errors
    /// Its refusal.
    pub fn effect(&mut self, op: impl Operator + 'static, inputs: &[Traced]) -> Result<(), Stop> {
        self.apply_all(op, inputs).map(|_| ())
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// If there are not as many.
    pub fn view(&mut self, of: &Traced, dims: &[usize]) -> Result<Traced, Stop> {
        let elements =
            |dims: &[usize]| dims.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim));
        if dims.len() > Extents::MAX_RANK || elements(dims) != elements(of.dims()) {
            return Err(format!("{:?} cannot have the shape {dims:?}", of.dims()).into());
        }
        if dims == of.dims() {
            return Ok(of.clone());
        }
        let of = &self.settled(of)?;
        if let At::Known(known) = &of.0.at {
            return tensor(Val::known(known.reshaped(dims)));
        }
        let id = self.value(of);
        let id = self.work.draft.graph.view(id, dims);
        tensor(Val::new(ValueType::fixed(of.dtype(), dims), At::Value(id)))
    }

    // Orders. A tensor whose axes lie in another order is left so for whoever can take it as it is; who
    // cannot gets it transposed, without asking.

    /// A tensor whose elements are those of `lying`, whose dimensions are its own in the order `axes`.
    ///
    /// # Errors
    /// If they are not as many, or as of `transpose`.
    pub fn ordered(
        &mut self,
        lying: &Traced,
        axes: &[usize],
        transpose: Transpose,
    ) -> Result<Traced, Stop> {
        let back = inverse(axes).filter(|back| back.len() == lying.0.dims.len());
        let back = back.ok_or("an order of other axes")?;
        let moved = axes.iter().filter(|axis| lying.0.dims[back[**axis]] != 1);
        let moves = !moved.is_sorted();
        if lying.0.order.is_some() || !matches!(lying.0.at, At::Value(_)) || !moves {
            return transpose(self, lying, &back);
        }
        let dims: Vec<usize> = back.iter().map(|&at| lying.0.dims[at]).collect();
        let ty = ValueType::fixed(lying.dtype(), &dims);
        let order = Some(Order { axes: axes.to_vec(), transpose });
        let ordered = Traced::new(ty, dims, lying.0.at.clone(), order);
        if self.work.trace.orders { Ok(ordered) } else { self.settled(&ordered) }
    }

    /// A tensor with its axes in the order `axes`, which lies as its dimensions then say.
    ///
    /// # Errors
    /// As of `transpose`.
    pub fn in_order(
        &mut self,
        tensor: &Traced,
        axes: &[usize],
        transpose: Transpose,
    ) -> Result<Traced, Stop> {
        if tensor.order() == Some(axes) {
            return Ok(lying(tensor));
        }
        let tensor = self.settled(tensor)?;
        self.transposed(&tensor, axes, transpose)
    }

    /// A tensor with its axes in the order `axes`, lying as it does.
    ///
    /// # Errors
    /// If these are no axes of it, or as of `transpose`.
    pub fn reordered(
        &mut self,
        tensor: &Traced,
        axes: &[usize],
        transpose: Transpose,
    ) -> Result<Traced, Stop> {
        let back = inverse(axes).filter(|back| back.len() == tensor.0.dims.len());
        let back = back.ok_or("an order of other axes")?;
        let lies: Vec<usize> = match &tensor.0.order {
            Some(order) => order.axes.iter().map(|&axis| back[axis]).collect(),
            None => back,
        };
        self.ordered(&lying(tensor), &lies, transpose)
    }

    /// A tensor that lies as its dimensions say.
    ///
    /// # Errors
    /// As of what transposes it.
    pub fn settled(&mut self, tensor: &Traced) -> Result<Traced, Stop> {
        let Some(Order { axes, transpose }) = &tensor.0.order else { return Ok(tensor.clone()) };
        let back = inverse(axes).ok_or("an order of other axes")?;
        self.transposed(&lying(tensor), &back, *transpose)
    }

    /// As `transpose`, once for each value of the graph.
    fn transposed(
        &mut self,
        tensor: &Traced,
        axes: &[usize],
        transpose: Transpose,
    ) -> Result<Traced, Stop> {
        let At::Value(id) = tensor.0.at else { return transpose(self, tensor, axes) };
        let made = self.work.draft.transposed.iter().find(|(of, by, _)| *of == id && by == axes);
        if let Some((_, _, made)) = made {
            return Ok(made.clone());
        }
        let made = transpose(self, tensor, axes)?;
        self.work.draft.transposed.push((id, axes.to_vec(), made.clone()));
        Ok(made)
    }

    /// What an operator makes of operands of which some lie in another order, if it can be applied in
    /// that order.
    fn permuted(
        &mut self,
        op: &dyn Operator,
        inputs: &[Traced],
    ) -> Result<Option<Vec<Traced>>, Stop> {
        let Some(Order { axes, transpose }) = inputs.iter().find_map(|input| input.0.order.clone())
        else {
            return Ok(None);
        };
        let fits = |input: &Traced| input.0.dims.len() <= axes.len();
        let Some(permuted) = op.permuted(&axes).filter(|_| inputs.iter().all(fits)) else {
            return Ok(None);
        };
        op.infer(&inputs.iter().map(|input| &input.0.ty).collect::<Vec<_>>())?;
        let mut lying = Vec::with_capacity(inputs.len());
        for input in inputs {
            let missing = axes.len() - input.0.dims.len();
            let dims: Vec<usize> =
                std::iter::repeat_n(1, missing).chain(input.0.dims.iter().copied()).collect();
            let input = self.view(input, &dims)?;
            lying.push(self.in_order(&input, &axes, transpose)?);
        }
        let results = self.applied(permuted, &lying)?;
        let results = results.iter().map(|result| self.ordered(result, &axes, transpose));
        results.collect::<Result<_, _>>().map(Some)
    }

    /// A tensor that is known.
    pub fn constant(&self, tensor: Tensor) -> Traced {
        let ty = ValueType::fixed(tensor.dtype(), tensor.dims());
        Traced::new(ty, tensor.dims().to_vec(), At::Known(tensor), None)
    }

    /// That a value may have so many bytes.
    ///
    /// # Errors
    /// If it may not.
    pub fn afford(&self, bytes: usize) -> Result<(), Stop> {
        if bytes > self.work.trace.limit { Err(Stop::Memory(bytes)) } else { Ok(()) }
    }

    /// A list of integers that is known.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn list(&self, values: &[i64]) -> Result<Traced, Stop> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = Tensor::new(DType::I64, &[values.len()], &bytes);
        Ok(self.constant(tensor.map_err(|_| "no memory")?))
    }

    /// Gives a result of the call, if it is wanted.
    pub fn give(&mut self, index: usize, val: Val) {
        if let Some(var) = self.call.outputs.get(index).copied().flatten() {
            self.set(var, val);
        }
    }

    /// Gives a tensor as a result.
    pub fn give_tensor(&mut self, index: usize, tensor: Traced) {
        self.give(index, Val::Tensor(tensor));
    }

    /// Gives a variable: an input of a body that is to run.
    pub fn set(&mut self, var: Var, val: Val) {
        self.work.trace.env[var.index()] = Some(val);
    }

    /// Goes into a body, whose inputs have been set. What it gives is the call's results, or goes to
    /// `rounds`.
    pub fn enter(&mut self, body: BodyId, rounds: Option<Box<dyn Rounds>>) {
        self.work.trace.frames.push(Frame { body, next: 0, rounds });
    }

    /// The value in the graph at hand.
    fn value(&mut self, tensor: &Traced) -> ValueId {
        match &tensor.0.at {
            At::Value(id) => *id,
            At::Known(known) => self.work.draft.graph.constant(known),
            At::Register(register) => {
                let fed = self.work.draft.feeds.iter().find(|(known, _)| known == register);
                if let Some((_, id)) = fed {
                    // It may have been reshaped since.
                    let same = self.work.draft.graph.ty(*id).extents(&[]).dims() == tensor.dims();
                    return if same { *id } else { self.work.draft.graph.view(*id, tensor.dims()) };
                }
                let id = self.work.draft.graph.input("", tensor.0.ty.dtype, &tensor.0.ty.dims);
                self.work.draft.feeds.push((*register, id));
                id
            }
        }
    }
}

/// The elements of a tensor as they lie.
fn lying(tensor: &Traced) -> Traced {
    let Some(Order { axes, .. }) = &tensor.0.order else { return tensor.clone() };
    let dims: Vec<usize> = axes.iter().map(|&axis| tensor.0.dims[axis]).collect();
    let ty = ValueType::fixed(tensor.dtype(), &dims);
    Traced::new(ty, dims, tensor.0.at.clone(), None)
}

/// The order that takes one back; `None`: it is none.
fn inverse(axes: &[usize]) -> Option<Vec<usize>> {
    (0..axes.len()).map(|axis| axes.iter().position(|at| *at == axis)).collect()
}

fn tensor(val: Val) -> Result<Traced, Stop> {
    match val {
        Val::Tensor(tensor) => Ok(tensor),
        Val::Sequence(_) => Err("a sequence where a tensor belongs".into()),
        Val::Dead => Err(Stop::Dead),
        Val::Nothing => Err("an optional value that is not there".into()),
    }
}
