use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Activation, Epilogue, PANEL, Strides, panels};
use sidestage_tensor::{DType, SharedOut};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Gemm",
    summary: "products with packed matrices, with a bias, a sum and an activation",
};

/// What [`Gemm`], [`Conv`](crate::Conv) and [`DepthwiseConv`](crate::DepthwiseConv) do to a sum:
/// `activation(sum + bias[column] + add)`. The bias, if it is there, is the operand behind the weights,
/// what is added, which lies as the result does, the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Finish {
    /// Whether there is a bias, a value for each column (or channel).
    pub bias: bool,
    /// Whether there is something to add, of the result's shape.
    pub add: bool,
    /// Whether there are slopes, a value for each column (or channel): what is below 0 is multiplied by
    /// them. Then there is no activation.
    pub slopes: bool,
    /// What becomes of it then.
    pub activation: Activation,
}

impl Finish {
    /// The first two operands, if the others are those that belong to a result of these dimensions,
    /// whose bias has `columns`.
    pub(crate) fn split<'a>(
        &self,
        inputs: &[&'a ValueType],
    ) -> Result<(&'a ValueType, &'a ValueType), String> {
        let count = 2 + [self.bias, self.slopes, self.add].map(usize::from).iter().sum::<usize>();
        match *inputs {
            [x, weights, ..] if inputs.len() == count => Ok((x, weights)),
            _ => Err(format!("takes {count} operands, got {}", inputs.len())),
        }
    }

    /// The result, if it has these dimensions and the other operands belong to it.
    pub(crate) fn result(
        &self,
        inputs: &[&ValueType],
        dims: &[usize],
    ) -> Result<Vec<ValueType>, String> {
        let result = ValueType::fixed(DType::F32, dims);
        if let Activation::Unary(function) = self.activation
            && function.result(DType::F32) != Some(DType::F32)
        {
            return Err(format!("{function:?} is no activation"));
        }
        let columns = ValueType::fixed(DType::F32, &dims[dims.len() - 1..]);
        let vectors = usize::from(self.bias) + usize::from(self.slopes);
        if inputs[2..2 + vectors].iter().any(|vector| **vector != columns) {
            return Err(format!("bias and slopes must have {:?} values of F32", columns.dims));
        }
        if self.slopes && self.activation != Activation::None {
            return Err("slopes and an activation".into());
        }
        if self.add && *inputs[inputs.len() - 1] != result {
            return Err("what is added must have the shape of the result".into());
        }
        Ok(vec![result])
    }

    /// For the kernels.
    pub(crate) fn epilogue<'a>(&self, args: &Args<'a>) -> Epilogue<'a> {
        Epilogue {
            bias: self.bias.then(|| args.tensor(2).f32s()),
            slopes: self.slopes.then(|| args.tensor(2 + usize::from(self.bias)).f32s()),
            add: self.add.then(|| args.tensor(args.inputs.len() - 1).f32s()),
            activation: self.activation,
        }
    }
}

/// `a[…, m, k] · b[…, k, n]` in `f32`, the dimensions before them broadcast, where `b` is what
/// [`Pack`](crate::Pack) has made of it.
#[derive(Clone, Debug)]
pub struct Gemm {
    /// Columns of `b` before it was packed.
    pub n: usize,
    /// What becomes of a sum.
    pub finish: Finish,
}

/// How the work of a product is cut.
pub(crate) struct Cut {
    /// Matrices, or images, or whatever lies one behind the other.
    pub(crate) matrices: usize,
    /// Rows of each.
    pub(crate) rows: usize,
    /// Panels of the right side.
    pub(crate) panels: usize,
    /// Multiply-adds of a row of a panel.
    pub(crate) cost: usize,
    /// Whether both sides are made wider for each part, rows once for its panels and panels once for its
    /// rows, and the cut is to spare that: 128 by 384 by 384 in bytes is 1.09 times as fast with two
    /// threads.
    pub(crate) widened: bool,
}

/// Units that a matrix has at least, if it has as many panels: enough for some shares of each thread.
const UNITS: usize = 16;

/// Most rows of a unit: the kernel's block.
const ROWS: usize = 128;

/// Most panels of a unit. A piece of a long product is then some units, each of a whole block of rows,
/// rather than a few rows that would read the whole right side: 1024 by 1024 by 1024 reaches 90 %
/// of the limit for 68 %, with two threads and pieces of both's length.
const PANELS: usize = 8;

/// Rows that kernels take at once.
const TILE: usize = 4;

/// Where sides are made wider a unit has this cost at least, as long as there are [`UNITS`].
const WIDENED: u64 = 250_000;

/// And this at most, so that a caller may stop between two.
const LONG: u64 = 16_000_000;

impl Cut {
    /// Tiles of rows.
    fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE).max(1)
    }

    /// Multiply-adds of a matrix.
    fn whole(&self) -> u64 {
        let panels = self.rows as u64 * self.panels as u64;
        panels.saturating_mul(self.cost as u64)
    }

    /// In how many parts rows and panels are cut.
    fn grid(&self) -> [usize; 2] {
        let (tiles, panels) = (self.tiles(), self.panels.max(1));
        if !self.widened {
            let blocks = self.rows.div_ceil(ROWS).max(1);
            let most = (panels.saturating_mul(blocks) / UNITS).clamp(1, PANELS);
            return [blocks, panels.div_ceil(most)];
        }
        let cost = self.whole();
        let units = (cost / WIDENED).clamp(1, UNITS as u64).max(cost / LONG) as usize;
        // A tile of rows takes about as long as a step of as many weights.
        let near = (units.saturating_mul(tiles) / panels).isqrt().clamp(1, units);
        let of = |blocks: usize| [blocks.min(tiles), units.div_ceil(blocks).min(panels)];
        let widening = |[blocks, groups]: [usize; 2]| {
            blocks.saturating_mul(panels).saturating_add(groups.saturating_mul(tiles))
        };
        [of(near), of(near + 1)].into_iter().min_by_key(|grid| widening(*grid)).unwrap_or([1; 2])
    }

    pub(crate) fn work(&self) -> Work {
        let [blocks, groups] = self.grid();
        let cost = (self.whole() / (blocks * groups) as u64) as usize;
        let units = if self.whole() == 0 { 0 } else { self.matrices * blocks * groups };
        Work { units, grain: 1, cost }
    }

    /// The parts of matrices that some units are: the matrix, its rows and its panels. Units side by side
    /// in a block of rows are one part, whose windows are gathered once, as are whole blocks.
    pub(crate) fn parts(
        &self,
        units: Range<usize>,
        mut part: impl FnMut(usize, Range<usize>, Range<usize>),
    ) {
        let [blocks, groups] = self.grid();
        let row = |block: usize| (start(self.tiles(), block, blocks) * TILE).min(self.rows);
        let panel = |group: usize| start(self.panels, group, groups);
        let mut unit = units.start;
        while unit < units.end {
            let (block, from) = (unit / groups, unit % groups);
            let to = groups.min(from + units.end - unit);
            let (matrix, block) = (block / blocks, block % blocks);
            let whole = ((units.end - unit) / groups).clamp(1, blocks - block);
            if from > 0 || to < groups {
                part(matrix, row(block)..row(block + 1), panel(from)..panel(to));
                unit += to - from;
                continue;
            }
            part(matrix, row(block)..row(block + whole), 0..self.panels);
            unit += whole * groups;
        }
    }
}

/// Where a part of as even ones begins.
fn start(count: usize, part: usize, parts: usize) -> usize {
    (count as u64 * part as u64 / parts as u64) as usize
}

impl Gemm {
    fn cut(&self, args: &Args<'_>) -> Cut {
        let (a, b) = (args.tensor(0).extents, args.tensor(1).extents);
        let (cost, widened) = ((a.inner() * PANEL).max(1), false);
        let (rows, panels) = (args.outputs[0].extents.rows(), panels(self.n));
        let [.., m, _] = *a.dims() else { return Cut { matrices: 0, rows, panels, cost, widened } };
        // One right side for all: they are one matrix.
        let one = b.elements() == panels * a.inner() * PANEL;
        let matrices = if one || m == 0 { 1 } else { rows / m };
        Cut { matrices, rows: rows / matrices.max(1), panels, cost, widened }
    }
}

impl Operator for Gemm {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (a, b) = self.finish.split(inputs)?;
        rules::dtype("a", a, DType::F32)?;
        rules::dtype("b", b, DType::F32)?;
        let (a_dims, b_dims) = (rules::dims("a", a)?, rules::dims("b", b)?);
        let ([batch @ .., m, k], [other @ .., all, l, PANEL]) =
            (a_dims.as_slice(), b_dims.as_slice())
        else {
            return Err("a must be matrices and b packed ones".into());
        };
        rules::equal("b's number of rows", *l, *k)?;
        rules::equal("b's number of panels", *all, panels(self.n))?;
        let mut dims = rules::broadcast(batch, other)?;
        dims.extend([*m, self.n]);
        self.finish.result(inputs, &dims)
    }

    fn work(&self, args: &Args<'_>) -> Work {
        self.cut(args).work()
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, out) = (args.tensor(0), args.tensor(1), args.outputs[0]);
        let (k, cut) = (a.extents.inner(), self.cut(args));
        let (a_size, b_size, c_size) = (cut.rows * k, cut.panels * k * PANEL, cut.rows * self.n);
        let epilogue = self.finish.epilogue(args);
        let c: SharedOut<'_, f32> = out.cells();
        let outer = |dims: &'_ [usize], last: usize| dims[..dims.len() - last].to_vec();
        let sides = [outer(a.extents.dims(), 2), outer(b.extents.dims(), 3)];
        let strides = Strides::broadcast(&outer(out.extents.dims(), 2), [&sides[0], &sides[1]]);
        cut.parts(units, |matrix, rows, panels| {
            let (mut x, mut y) = (0, 0);
            if cut.matrices > 1 {
                strides.rows(matrix..matrix + 1, |_, from, _, _| [x, y] = from);
            }
            let places = matrix * c_size..(matrix + 1) * c_size;
            let args = sidestage_kernels::Gemm {
                a: &a.f32s()[x * a_size..][..a_size],
                apart: [k, self.n],
                b: &b.f32s()[y * b_size..][..b_size],
                shape: (k, self.n),
                epilogue: Epilogue {
                    add: epilogue.add.map(|add| &add[places.clone()]),
                    ..epilogue
                },
                c: c.slice(places),
            };
            sidestage_kernels::gemm(&args, rows, panels);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_panel_is_in_one_part() {
        for (rows, panels) in [(0, 3), (1, 1), (1, 125), (49, 20), (196, 8), (300, 2), (1030, 70)] {
            for (cost, widened) in [(40, false), (40, true), (3000, false), (3000, true)] {
                let cut = Cut { matrices: 3, rows, panels, cost, widened };
                let units = cut.work().units;
                for shares in [1, 2, 3, 16, units.max(1)] {
                    let mut done = vec![0; 3 * rows * panels];
                    for share in 0..shares {
                        let share = units * share / shares..units * (share + 1) / shares;
                        cut.parts(share, |matrix, of_rows, of_panels| {
                            for row in of_rows {
                                let row = (matrix * rows + row) * panels;
                                done[row..][of_panels.clone()].iter_mut().for_each(|it| *it += 1);
                            }
                        });
                    }
                    assert!(done.iter().all(|it| *it == 1), "{rows} rows, {panels} panels");
                }
            }
        }
    }
}
