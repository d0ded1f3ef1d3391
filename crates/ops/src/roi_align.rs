#![allow(unsafe_code, reason = "each thread writes the regions it was given")]

use crate::take::{index, is_index};
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "RoiAlign", summary: "regions of images, each in one size" };

/// `[regions, c, height, width]` of `x[n, c, h, w]`, `regions[regions, 4]` and the index of each one's
/// image, in `f32` (ONNX 22, "RoiAlign").
#[derive(Debug)]
pub struct RoiAlign {
    /// The result's height and width.
    pub output: [usize; 2],
    /// From the regions' coordinates to elements.
    pub scale: f32,
    /// Samples of each element along each axis; 0: as many as it covers elements.
    pub samples: usize,
    /// Whether the largest sample counts, not the mean.
    pub largest: bool,
    /// Whether coordinates are those of elements' middles.
    pub half_pixel: bool,
}

/// Where a sample lies along an axis: the elements below and above it, and how far it is from the lower
/// one; `None`: outside.
type Place = Option<(usize, usize, f32)>;

impl Operator for RoiAlign {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, regions, images] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        rules::rank("x", x, 4)?;
        rules::dtype("the regions", regions, DType::F32)?;
        is_index(images.dtype)?;
        let (dims, regions) = (rules::dims("x", x)?, rules::dims("the regions", regions)?);
        if regions.len() != 2 || regions[1] != 4 || rules::dims("", images)? != regions[..1] {
            return Err(format!("regions of {regions:?}"));
        }
        if dims.contains(&0) && regions[0] > 0 {
            return Err("there is nothing to sample".into());
        }
        let [height, width] = self.output;
        Ok(vec![ValueType::fixed(DType::F32, &[regions[0], dims[1], height, width])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let dims = args.outputs[0].extents;
        let dims = dims.dims();
        let samples = self.samples.max(2).pow(2);
        Work { units: dims[0], grain: 1, cost: dims[1..].iter().product::<usize>() * samples * 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, regions, images) = (args.tensor(0), args.tensor(1), args.tensor(2));
        let out = args.outputs[0].cells::<f32>();
        let &[n, channels, height, width] = x.extents.dims() else { return };
        let (x, pixels) = (x.f32s(), height * width);
        let cells: usize = self.output.iter().product();
        let places = |along: Along, output: usize, dim: usize| -> Vec<Place> {
            let all = 0..output * along.count;
            all.map(|at| along.place(at / along.count, at % along.count, dim)).collect()
        };
        for unit in units {
            let image = index(&images, unit, n);
            // SAFETY: units are whole regions, and no two threads have the same.
            let out = unsafe { out.part(unit * channels * cells..(unit + 1) * channels * cells) };
            let region = &regions.f32s()[unit * 4..(unit + 1) * 4];
            let [rows, columns] = self.output;
            let down = self.along(region[1], region[3], rows, height);
            let right = self.along(region[0], region[2], columns, width);
            let (below, beside) = (places(down, rows, height), places(right, columns, width));
            for (at, out) in out.iter_mut().enumerate() {
                let (channel, row, column) = (at / cells, at % cells / columns, at % columns);
                *out = self.value(
                    &x[(image * channels + channel) * pixels..][..pixels],
                    width,
                    &below[row * down.count..(row + 1) * down.count],
                    &beside[column * right.count..(column + 1) * right.count],
                );
            }
        }
    }
}

/// How a region is sampled along an axis: where it begins, how long an element of the result is, and
/// how many samples that has.
#[derive(Clone, Copy)]
struct Along {
    start: f32,
    size: f32,
    count: usize,
}

impl RoiAlign {
    fn along(&self, start: f32, end: f32, output: usize, dim: usize) -> Along {
        let offset = if self.half_pixel { 0.5 } else { 0.0 };
        let (start, end) = (start * self.scale - offset, end * self.scale - offset);
        let output = output.max(1);
        let length = if self.half_pixel { end - start } else { (end - start).max(1.0) };
        let size = length / output as f32;
        let count = match self.samples {
            // Of a region that is much larger than the image most samples lie outside.
            0 => (size.ceil() as usize).min(2 * dim.div_ceil(output)),
            samples => samples,
        };
        Along { start, size, count }
    }

    /// What the samples of an element of the result make of a channel; those outside are zeros.
    fn value(&self, x: &[f32], width: usize, below: &[Place], beside: &[Place]) -> f32 {
        let (mut sum, mut most) = (0.0, f32::NEG_INFINITY);
        for row in below {
            for column in beside {
                let (Some((top, bottom, y)), Some((left, right, z))) = (*row, *column) else {
                    most = most.max(0.0);
                    continue;
                };
                let four = [
                    x[top * width + left] * (1.0 - y) * (1.0 - z),
                    x[top * width + right] * (1.0 - y) * z,
                    x[bottom * width + left] * y * (1.0 - z),
                    x[bottom * width + right] * y * z,
                ];
                sum += four.iter().sum::<f32>();
                // The largest of the products, not of their sums: so it is defined.
                most = four.into_iter().fold(most, f32::max);
            }
        }
        let count = below.len() * beside.len();
        match (count, self.largest) {
            (0, _) => 0.0,
            (_, true) => most,
            (_, false) => sum / count as f32,
        }
    }
}

impl Along {
    /// Where a sample of an element of the result lies among `dim` elements.
    fn place(&self, element: usize, sample: usize, dim: usize) -> Place {
        let Self { start, size, count } = *self;
        let place = start + element as f32 * size + (sample as f32 + 0.5) * size / count as f32;
        if !(-1.0..=dim as f32).contains(&place) {
            return None;
        }
        let (place, last) = (place.max(0.0), dim - 1);
        let low = (place as usize).min(last);
        let rest = if low == last { 0.0 } else { place - low as f32 };
        Some((low, (low + 1).min(last), rest))
    }
}
