#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::Windows;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "DeformIm2Col", summary: "windows of images, each of whose elements is moved" };

/// The windows of `x[n, c, h, w]` as `[n, c * taps, windows]`, in `f32`: the elements at places that
/// are moved by `offset[n, groups * taps * 2, oh, ow]` (down, right), times
/// `mask[n, groups * taps, oh, ow]`, which may be missing (ONNX 22, "DeformConv").
#[derive(Debug)]
pub struct DeformIm2Col {
    /// Groups of channels that are moved alike.
    pub groups: usize,
    /// How the windows lie; those of depth are of one element.
    pub windows: Windows,
}

impl Operator for DeformIm2Col {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, offset, masks @ ..] = inputs else {
            return Err(format!("takes 2 or 3 operands, got {}", inputs.len()));
        };
        if masks.len() > 1 {
            return Err(format!("takes 2 or 3 operands, got {}", inputs.len()));
        }
        for ty in inputs {
            rules::dtype("an operand", ty, DType::F32)?;
            rules::rank("an operand", ty, 4)?;
        }
        let dims = rules::dims("x", x)?;
        let Windows { input, output, kernel, .. } = self.windows;
        let flat = [input[0], output[0], kernel[0]] == [1; 3];
        if !flat || dims[2..] != input[1..] || input.contains(&0) {
            return Err("the windows are those of another operand".into());
        }
        let places = self.windows.taps().checked_mul(self.groups);
        let places = places.filter(|all| *all > 0 && dims[1].is_multiple_of(self.groups));
        let places = places.ok_or_else(|| format!("{} groups of {dims:?}", self.groups))?;
        for (ty, each) in [(*offset, 2)].into_iter().chain(masks.iter().map(|mask| (*mask, 1))) {
            let found = rules::dims("an operand", ty)?;
            if found != [dims[0], places * each, output[1], output[2]] {
                return Err(format!("offsets or a mask of {found:?}"));
            }
        }
        let rows = dims[1].checked_mul(self.windows.taps()).ok_or("too many windows")?;
        Ok(vec![ValueType::fixed(DType::F32, &[dims[0], rows, self.windows.outputs()])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let out = args.outputs[0].extents;
        Work { units: out.rows(), grain: 1, cost: 16 * out.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, offset) = (args.tensor(0), args.tensor(1).f32s());
        let mask = (args.inputs.len() > 2).then(|| args.tensor(2).f32s());
        let out = args.outputs[0].cells::<f32>();
        let windows = &self.windows;
        let (channels, taps) = (x.extents.dims()[1], windows.taps());
        let (pixels, places) = (windows.inputs(), windows.outputs());
        let (dims, x) = ([windows.input[1], windows.input[2]], x.f32s());
        for unit in units {
            let (plane, tap) = (unit / taps, unit % taps);
            let (image, channel) = (plane / channels, plane % channels);
            let group = channel / (channels / self.groups);
            let moved = (image * self.groups + group) * taps + tap;
            let offset = &offset[2 * moved * places..2 * (moved + 1) * places];
            let mask = mask.map(|mask| &mask[moved * places..(moved + 1) * places]);
            let x = &x[plane * pixels..(plane + 1) * pixels];
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.part(unit * places..(unit + 1) * places) };
            let tap = [tap / windows.kernel[2], tap % windows.kernel[2]];
            for (at, cell) in cells.iter_mut().enumerate() {
                let window = [at / windows.output[2], at % windows.output[2]];
                let place = [0, 1].map(|axis| {
                    let start = window[axis] * windows.stride[axis + 1];
                    let start = start + tap[axis] * windows.dilation[axis + 1];
                    start as f32 - windows.pad[axis + 1] as f32 + offset[axis * places + at]
                });
                *cell = bilinear(x, dims, place) * mask.map_or(1.0, |mask| mask[at]);
            }
        }
    }
}

/// The element at a place, made of the four around it; outside there are zeros.
fn bilinear(x: &[f32], [height, width]: [usize; 2], [row, column]: [f32; 2]) -> f32 {
    let inside = |place: f32, dim: usize| place > -1.0 && place < dim as f32;
    if !inside(row, height) || !inside(column, width) {
        return 0.0;
    }
    let (top, left) = (row.floor(), column.floor());
    let (down, right) = (row - top, column - left);
    let at = |row: isize, column: isize| {
        let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
        if inside { x[row as usize * width + column as usize] } else { 0.0 }
    };
    let (top, left) = (top as isize, left as isize);
    (1.0 - down) * ((1.0 - right) * at(top, left) + right * at(top, left + 1))
        + down * ((1.0 - right) * at(top + 1, left) + right * at(top + 1, left + 1))
}
