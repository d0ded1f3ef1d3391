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
}

/// Units that a matrix has at least, if it has as many panels: enough for some shares of each thread.
const UNITS: usize = 16;

/// Most rows of a unit: the kernel's block.
const ROWS: usize = 128;

/// Most panels of a unit. A piece of a long product is then some units, each of a whole block of rows,
/// rather than a few rows that would read the whole right side: 1024 by 1024 by 1024 reaches 90 %
/// of the limit for 68 %, with two threads and pieces of both's length.
const PANELS: usize = 8;

impl Cut {
    /// Rows and panels of a unit, and how many units a matrix has along either.
    fn tiles(&self) -> [usize; 4] {
        let blocks = self.rows.div_ceil(ROWS).max(1);
        let rows = self.rows.div_ceil(blocks).next_multiple_of(4).max(4);
        let most = (self.panels.saturating_mul(blocks) / UNITS).clamp(1, PANELS);
        let groups = self.panels.div_ceil(most).max(1);
        let panels = self.panels.div_ceil(groups).max(1);
        [rows, panels, self.rows.div_ceil(rows), self.panels.div_ceil(panels)]
    }

    pub(crate) fn work(&self) -> Work {
        let [rows, panels, blocks, groups] = self.tiles();
        let cost = (rows * panels).saturating_mul(self.cost);
        Work { units: self.matrices * blocks * groups, grain: 1, cost }
    }

    /// The parts of matrices that some units are: the matrix, its rows and its panels. Units side by side
    /// in a block of rows are one part, whose windows are gathered once, as are whole blocks.
    pub(crate) fn parts(
        &self,
        units: Range<usize>,
        mut part: impl FnMut(usize, Range<usize>, Range<usize>),
    ) {
        let [rows, panels, blocks, groups] = self.tiles();
        let mut unit = units.start;
        while unit < units.end {
            let (block, from) = (unit / groups, unit % groups);
            let to = groups.min(from + units.end - unit);
            let (matrix, row) = (block / blocks, block % blocks * rows);
            let whole = (units.end - unit) / groups;
            if from == 0 && whole > 1 {
                let whole = whole.min(blocks - block % blocks);
                part(matrix, row..self.rows.min(row + whole * rows), 0..self.panels);
                unit += whole * groups;
                continue;
            }
            let of_panels = from * panels..self.panels.min(to * panels);
            part(matrix, row..self.rows.min(row + rows), of_panels);
            unit += to - from;
        }
    }
}

impl Gemm {
    fn cut(&self, args: &Args<'_>) -> Cut {
        let (a, b) = (args.tensor(0).extents, args.tensor(1).extents);
        let cost = (a.inner() * PANEL).max(1);
        let (rows, panels) = (args.outputs[0].extents.rows(), panels(self.n));
        let [.., m, _] = *a.dims() else { return Cut { matrices: 0, rows, panels, cost } };
        // One right side for all: they are one matrix.
        let one = b.elements() == panels * a.inner() * PANEL;
        let matrices = if one || m == 0 { 1 } else { rows / m };
        Cut { matrices, rows: rows / matrices.max(1), panels, cost }
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
