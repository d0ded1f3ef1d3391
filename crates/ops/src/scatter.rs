#![allow(unsafe_code, reason = "one unit writes everything")]

use crate::take::{index, is_index};
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Binary, Strides};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Scatter", summary: "a tensor with some of its elements or slices changed" };

/// How the places are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// An index along this axis for each element (ONNX, "ScatterElements").
    Elements(usize),
    /// Several indices for each slice (ONNX, "ScatterND").
    Slices,
}

/// `x` with updates at the places that indices name, one after the other. An index below 0 counts from
/// the end; one that is not there takes the nearest.
#[derive(Debug)]
pub struct Scatter {
    /// How the places are named.
    pub places: Places,
    /// What becomes of the element there and the update; `None`: the update takes its place.
    pub reduction: Option<Binary>,
}

impl Operator for Scatter {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, indices, updates] = rules::operands(inputs)?;
        is_index(indices.dtype)?;
        rules::dtype("the updates", updates, x.dtype)?;
        let (dims, named) = (rules::dims("x", x)?, rules::dims("the indices", indices)?);
        let given = rules::dims("the updates", updates)?;
        let fits = match self.places {
            Places::Elements(axis) => {
                let inside = |at: usize| at == axis || named[at] <= dims[at];
                named.len() == dims.len()
                    && axis < dims.len()
                    && given == named
                    && (0..dims.len()).all(inside)
            }
            Places::Slices => named.split_last().is_some_and(|(&depth, places)| {
                depth <= dims.len() && given == [places, &dims[depth..]].concat()
            }),
        };
        if !fits || !x.dtype.is_plain() {
            return Err(format!("indices of {named:?} and updates of {given:?} into {dims:?}"));
        }
        if dims.contains(&0) && !given.contains(&0) {
            return Err("there is nothing to change".into());
        }
        if self.reduction.is_some_and(|reduction| reduction.result(x.dtype).is_none()) {
            return Err(format!("is not defined for {}", x.dtype));
        }
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        // Two updates may name one place: they come in order.
        let all = args.outputs[0].extents.elements() + 8 * args.tensor(2).extents.elements();
        Work { units: 1, grain: 1, cost: all }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        if units.is_empty() {
            return;
        }
        let (x, indices, updates) = (args.tensor(0), args.tensor(1), args.tensor(2));
        let (dims, named) = (x.extents.dims(), indices.extents.dims());
        let out = args.outputs[0];
        // SAFETY: there is one unit.
        let cells = unsafe { out.bytes.part(0..out.bytes.len()) };
        cells.copy_from_slice(x.bytes);
        let size = x.dtype.block_bytes();
        let (count, slice) = match self.places {
            Places::Elements(_) => (indices.extents.elements(), size),
            Places::Slices => {
                let depth = named.last().copied().unwrap_or(0);
                (indices.extents.rows(), dims[depth..].iter().product::<usize>() * size)
            }
        };
        for at in 0..count {
            let place = match self.places {
                Places::Elements(along) => {
                    let (mut rest, mut place, mut step) = (at, 0, 1);
                    for axis in (0..dims.len()).rev() {
                        let mut own = rest % named[axis];
                        rest /= named[axis];
                        if axis == along {
                            own = index(&indices, at, dims[axis]);
                        }
                        place += own * step;
                        step *= dims[axis];
                    }
                    place
                }
                Places::Slices => {
                    let depth = named.last().copied().unwrap_or(0);
                    (0..depth).fold(0, |place, axis| {
                        place * dims[axis] + index(&indices, at * depth + axis, dims[axis])
                    })
                }
            };
            let update = &updates.bytes[at * slice..(at + 1) * slice];
            let cell = &mut cells[place * slice..(place + 1) * slice];
            match self.reduction {
                None => cell.copy_from_slice(update),
                Some(reduction) => {
                    let old = cell.to_vec();
                    let strides = Strides::new(&[slice / size], [&[1], &[1]], [0, 0]);
                    reduction.run(x.dtype, &strides, [&old, update], 0, cell);
                }
            }
        }
    }
}
