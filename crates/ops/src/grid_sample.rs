#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "GridSample", summary: "elements of images at places that a grid names" };

/// How an element is made of those around its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ONNX's names")]
pub enum Sampling {
    Nearest,
    Linear,
    Cubic,
}

/// What lies outside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ONNX's names")]
pub enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// `x[n, c, …]` at the places that `grid[n, …, 2 or 3]` names from -1 to 1, the last axis first; in
/// `f32` (ONNX 20, "GridSample").
#[derive(Debug)]
pub struct GridSample {
    /// How an element is made.
    pub sampling: Sampling,
    /// What lies outside.
    pub padding: Padding,
    /// Whether -1 and 1 are the middles of the outermost elements, not their edges.
    pub align_corners: bool,
}

impl Operator for GridSample {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, grid] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        rules::dtype("the grid", grid, DType::F32)?;
        let (dims, places) = (rules::dims("x", x)?, rules::dims("the grid", grid)?);
        let ([n, c, spatial @ ..], [images, result @ .., axes]) = (&dims[..], &places[..]) else {
            return Err("x and the grid need more dimensions".into());
        };
        let fits = matches!(spatial.len(), 2 | 3) && *axes == spatial.len();
        if !fits || images != n || result.len() != *axes {
            return Err(format!("a grid of {places:?} over {dims:?}"));
        }
        if spatial.contains(&0) {
            return Err("there is nothing to sample".into());
        }
        Ok(vec![ValueType::fixed(DType::F32, &[&[*n, *c], result].concat())])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let grid = args.tensor(1).extents;
        let channels = args.tensor(0).extents.dims()[1];
        Work { units: grid.rows(), grain: 1, cost: 64 + 16 * channels }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, grid) = (args.tensor(0), args.tensor(1));
        let out = args.outputs[0].cells::<f32>();
        let [_, channels, spatial @ ..] = x.extents.dims() else { return };
        let (x, axes) = (x.f32s(), spatial.len());
        let pixels: usize = spatial.iter().product();
        let places: usize = args.outputs[0].extents.dims()[2..].iter().product();
        let mut taps = Vec::new();
        for unit in units {
            let (image, place) = (unit / places, unit % places);
            let at = &grid.f32s()[unit * axes..(unit + 1) * axes];
            taps.clear();
            taps.push((0, 1.0));
            for (axis, &dim) in spatial.iter().enumerate() {
                // The grid names the last axis first.
                self.spread(at[axes - 1 - axis], dim, &mut taps);
            }
            for channel in image * channels..(image + 1) * channels {
                let x = &x[channel * pixels..(channel + 1) * pixels];
                let sum: f64 = taps.iter().map(|&(at, weight)| f64::from(x[at]) * weight).sum();
                let to = channel * places + place;
                // SAFETY: units are places, and no two threads have the same.
                unsafe { out.part(to..to + 1)[0] = sum as f32 };
            }
        }
    }
}

impl GridSample {
    /// Spreads elements and their weights over one more axis of `dim` elements.
    fn spread(&self, place: f32, dim: usize, taps: &mut Vec<(usize, f64)>) {
        let whole = dim as f64;
        let place = f64::from(place);
        let place = if self.align_corners {
            (place + 1.0) / 2.0 * (whole - 1.0)
        } else {
            ((place + 1.0) * whole - 1.0) / 2.0
        };
        // Far outside one place is as good as another.
        let mut place = place.clamp(-1e15, 1e15);
        if self.sampling == Sampling::Nearest {
            place = place.round_ties_even();
        }
        place = match self.padding {
            Padding::Border => place.clamp(0.0, whole - 1.0),
            Padding::Reflection => self.reflected(place, whole),
            Padding::Zeros => place,
        };
        let base = place.floor();
        let (near, rest) = (base as i64, place - base);
        let (first, weights): (i64, &[f64]) = match self.sampling {
            Sampling::Nearest => (near, &[1.0]),
            Sampling::Linear => (near, &[1.0 - rest, rest]),
            Sampling::Cubic => (near - 1, &cubic(rest)),
        };
        let before = taps.len();
        for (tap, weight) in (first..).zip(weights) {
            let tap = match self.padding {
                Padding::Zeros if (0..dim as i64).contains(&tap) => tap,
                Padding::Zeros => continue,
                Padding::Border => tap.clamp(0, dim as i64 - 1),
                Padding::Reflection => self.reflected(tap as f64, whole) as i64,
            };
            if *weight == 0.0 {
                continue;
            }
            let tap = tap.clamp(0, dim as i64 - 1) as usize;
            for outer in 0..before {
                let (at, so_far) = taps[outer];
                taps.push((at * dim + tap, so_far * weight));
            }
        }
        taps.drain(..before);
    }

    /// A place thrown back at the image's edges as often as it takes.
    fn reflected(&self, place: f64, whole: f64) -> f64 {
        let (least, most) =
            if self.align_corners { (0.0, whole - 1.0) } else { (-0.5, whole - 0.5) };
        let span = most - least;
        if span <= 0.0 {
            return 0.0;
        }
        let off = (place - least).rem_euclid(2.0 * span);
        least + if off > span { 2.0 * span - off } else { off }
    }
}

/// The weights of four elements, the second of which is so far before the place.
fn cubic(rest: f64) -> [f64; 4] {
    const A: f64 = -0.75;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    [far(1.0 + rest), near(rest), near(1.0 - rest), far(2.0 - rest)]
}
