use crate::rows::rows;
use crate::{OpInfo, Pack, StridedCopy, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueType, Work};
use sidestage_kernels::{PANEL, Strides, panels};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "PackStrided",
    summary: "matrices whose elements lie in any order, in panels of eight columns",
};

pub(crate) const PASS: Pass = Pass {
    name: "packing",
    summary: "another order of a matrix's elements and packing, to one copy",
    rule,
};

/// What [`Pack`] makes of what [`StridedCopy`] makes of the operand: of matrices `[…, k, n]`, or, where
/// the packing transposes, `[…, n, k]`. Along one of their two sides elements lie one behind the other,
/// along the other behind each other in the operand's order.
#[derive(Debug)]
pub struct PackStrided {
    /// The matrices' dimensions.
    pub dims: Vec<usize>,
    /// The operand's element that is the first one of the first matrix.
    pub start: usize,
    /// Elements of the operand from one to the next along each dimension.
    pub steps: Vec<isize>,
    /// Whether they are to be transposed.
    pub transposed: bool,
}

impl PackStrided {
    /// `k` and `n`, and how far apart elements are along them.
    fn sides(&self) -> Option<[(usize, usize); 2]> {
        let ([.., rows, columns], [.., down, along]) = (&self.dims[..], &self.steps[..]) else {
            return None;
        };
        let of = |dim: usize, step: isize| Some((dim, usize::try_from(step).ok()?));
        let (rows, columns) = (of(*rows, *down)?, of(*columns, *along)?);
        let [k, n] = if self.transposed { [columns, rows] } else { [rows, columns] };
        (k.1 == 1 || n.1 == 1).then_some([k, n])
    }
}

impl Operator for PackStrided {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("the operand", x, DType::F32)?;
        // That the steps stay inside.
        let Self { dims, start, steps, .. } = self;
        StridedCopy { dims: dims.clone(), start: *start, steps: steps.clone() }.infer(inputs)?;
        let [(k, _), (n, _)] = self.sides().ok_or("no side has its elements side by side")?;
        let dims = [&dims[..dims.len() - 2], &[panels(n), k, PANEL]].concat();
        Ok(vec![ValueType::fixed(DType::F32, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let k = self.sides().map_or(1, |[(k, _), _]| k);
        let units = args.outputs[0].extents.elements() / (k * PANEL).max(1);
        Work { units, grain: 1, cost: 4 * k * PANEL }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let Some([(k, down), (n, along)]) = self.sides() else { return };
        let x = args.tensor(0).f32s();
        let outer = self.dims.len() - 2;
        let steps = &self.steps[..outer];
        let matrices = Strides::new(&self.dims[..outer], [steps], [self.start as isize]);
        let all = panels(n);
        let mut unit = units.start;
        while unit < units.end {
            let (matrix, panel) = (unit / all, unit % all);
            let end = all.min(panel + units.end - unit);
            let (_, out) = rows(args, unit * k..(unit + end - panel) * k);
            let mut from = 0;
            matrices.rows(matrix..matrix + 1, |_, [start], _, _| from = start);
            sidestage_kernels::pack(&x[from..], (k, n), [down, along], panel..end, out);
            unit += end - panel;
        }
    }
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    let transposed = site.op::<Pack>()?.transposed;
    let &[matrices] = site.inputs() else { return None };
    let (copy, inputs) = site.made::<StridedCopy>(matrices)?;
    if site.dims(matrices)? != copy.dims {
        return None;
    }
    let StridedCopy { dims, start, steps } = copy;
    let op = PackStrided { dims: dims.clone(), start: *start, steps: steps.clone(), transposed };
    Some(Made::new(op, inputs))
}
