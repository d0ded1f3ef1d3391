use super::{float, give, give_moved};
use crate::calls::{CallInfo, row};
use crate::interpolate::Taps;
use crate::{Interpolate, Take};
use sidestage_ir::{Scope, Stop};

/// How the places of the result lie among those of the operand.
#[derive(Clone, Copy)]
struct Grid {
    input: usize,
    output: usize,
    corners: bool,
    half: bool,
}

impl Grid {
    /// Elements of the operand for one of the result, in single precision as LiteRT has it.
    fn scale(self) -> f32 {
        if self.corners && self.output > 1 {
            (self.input - 1) as f32 / (self.output - 1) as f32
        } else {
            self.input as f32 / self.output as f32
        }
    }

    fn nearest(self, at: usize) -> i64 {
        let offset = if self.half { 0.5 } else { 0.0 };
        let place = (at as f32 + offset) * self.scale();
        let near = if self.corners { place.round() } else { place.floor() };
        (near as i64).clamp(0, self.input as i64 - 1)
    }

    /// What the `at`-th element of the result is made of.
    fn taps(self, at: usize) -> Taps {
        let place = match self.half {
            true => (at as f32 + 0.5) * self.scale() - 0.5,
            false => at as f32 * self.scale(),
        };
        let last = self.input - 1;
        let low = (place.floor().max(0.0) as usize).min(last);
        let high = (place.ceil().max(0.0) as usize).min(last);
        let part = place - low as f32;
        if low == high { vec![(low, 1.0)] } else { vec![(low, 1.0 - part), (high, part)] }
    }
}

/// The grids of rows and columns.
fn grids(scope: &Scope<'_, '_>) -> Result<[Grid; 2], Stop> {
    let x = scope.tensor(0)?;
    let size = scope.integers(1)?.ok_or("the size is missing")?;
    let (&[_, h, w, _], &[height, width]) = (x.dims(), &size[..]) else {
        return Err(Stop::Refused(format!("{:?} to {size:?}", x.dims())));
    };
    let most = 1_i64 << 24;
    if h == 0 || w == 0 || !(0..most).contains(&height) || !(0..most).contains(&width) {
        return Err(Stop::Refused(format!("{:?} to {size:?}", x.dims())));
    }
    let corners = scope.int("align_corners") == Some(1);
    let half = scope.int("half_pixel_centers") == Some(1);
    let grid = |input, output: i64| Grid { input, output: output as usize, corners, half };
    Ok([grid(h, height), grid(w, width)])
}

fn bilinear(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let grids = grids(scope)?;
    let mut x = float(scope, 0)?;
    for (axis, grid) in [(1, grids[0]), (2, grids[1])] {
        if grid.input == grid.output {
            continue;
        }
        let taps = (0..grid.output).map(|at| grid.taps(at)).collect();
        x = scope.apply(Interpolate { axis, taps }, &[x])?;
    }
    give(scope, 0, x)
}

fn nearest(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    for (axis, grid) in grids(scope)?.into_iter().enumerate() {
        let places: Vec<i64> = (0..grid.output).map(|at| grid.nearest(at)).collect();
        let places = scope.list(&places)?;
        x = scope.apply(Take { axis: axis + 1 }, &[x, places])?;
    }
    give_moved(scope, 0, 0, x)
}

pub(in crate::calls) const CALLS: &[CallInfo] =
    &[row("TFLITE::RESIZE_BILINEAR", bilinear), row("TFLITE::RESIZE_NEAREST_NEIGHBOR", nearest)];
