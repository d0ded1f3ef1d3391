use crate::finish::vector;
use crate::gemm::Cut;
use crate::layer_normalization::operands;
use crate::pack_int8::packed;
use crate::quantize_linear::number;
use crate::{Binary, Cast, OpInfo, rules};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueId, ValueType, Work};
use sidestage_kernels::{Binary as Two, GemmInt8, Int8, Int8Results, PANEL, gemm_int8, panels};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "MatMulInteger",
    summary: "products of bytes with packed matrices, with scales and a bias",
};

pub(crate) const PASS: Pass = Pass {
    name: "integer products",
    summary: "scales and biases behind products of bytes, into them",
    rule,
};

/// `a[…, m, k]` of bytes times a matrix of bytes, each without what stands for 0 in it: sums of `i32`
/// (ONNX 10, "MatMulInteger"), or numbers. Operands: `a`; what [`PackInt8`](crate::PackInt8) makes of
/// `b[k, n]`; the zero of `a`, one of its bytes; with a scale that of the sums, one or one for each
/// column, of `f32`; with a bias as well, a value for each column.
#[derive(Clone, Debug)]
pub struct MatMulInteger {
    /// Columns.
    pub n: usize,
    /// What stands for 0 in packed weights: one for each column or for all, or none that is not 0.
    pub zeros: Vec<i32>,
    /// Whether sums have a scale: they are numbers then.
    pub scaled: bool,
    /// Whether there is a bias of the numbers.
    pub bias: bool,
}

impl MatMulInteger {
    fn cut(&self, args: &Args<'_>) -> Cut {
        let a = args.tensor(0).extents;
        let (rows, panels) = (args.outputs[0].extents.rows(), panels(self.n));
        // Four products of bytes take the time of one of floats; then a sum is scaled.
        let cost = a.inner() * PANEL / 4 + 2 * PANEL;
        Cut { matrices: 1, rows, panels, cost, widened: true }
    }
}

impl Operator for MatMulInteger {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let count = 3 + usize::from(self.scaled) + usize::from(self.bias);
        let ([a, b, zero, rest @ ..], true) = (inputs, inputs.len() == count) else {
            return Err(format!("takes {count} operands, got {}", inputs.len()));
        };
        if !matches!(a.dtype, DType::I8 | DType::U8) {
            return Err(format!("is not defined for {}", a.dtype));
        }
        rules::dtype("the zero", zero, a.dtype)?;
        let one: usize = rules::dims("the zero", zero)?.iter().product();
        rules::equal("the number of zeros", one, 1)?;
        let dims = rules::dims("a", a)?;
        let [outer @ .., _, k] = dims.as_slice() else {
            return Err("a must be matrices".into());
        };
        let of_b = packed(&[], *k, self.n);
        if **b != ValueType::fixed(DType::I8, &of_b) {
            return Err(format!("b must be packed as {of_b:?}"));
        }
        if self.zeros.len() > 1 && self.zeros.len() != self.n {
            return Err(format!("{} zeros of {} columns", self.zeros.len(), self.n));
        }
        for (at, one) in rest.iter().enumerate() {
            let (what, single) = if at == 0 { ("scale", 1) } else { ("bias", self.n) };
            rules::dtype(what, one, DType::F32)?;
            let found = rules::dims(what, one)?;
            if found != [single] && found != [self.n] {
                return Err(format!("a {what} of {found:?} for {} columns", self.n));
            }
        }
        let dims = [outer, &[dims[dims.len() - 2], self.n]].concat();
        let dtype = if self.scaled { DType::F32 } else { DType::I32 };
        match self.bias && !self.scaled {
            true => Err("a bias of numbers belongs to numbers".into()),
            false => Ok(vec![ValueType::fixed(dtype, &dims)]),
        }
    }

    fn work(&self, args: &Args<'_>) -> Work {
        self.cut(args).work()
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (a, b, zero, out) = (args.tensor(0), args.tensor(1), args.tensor(2), args.outputs[0]);
        let results = match self.scaled {
            false => Int8Results::Sums(out.cells()),
            true => Int8Results::Numbers {
                scale: args.tensor(3).f32s(),
                bias: self.bias.then(|| args.tensor(4).f32s()),
                y: out.cells(),
            },
        };
        let product = GemmInt8 {
            a: Int8 { bytes: a.bytes, signed: a.dtype == DType::I8, zero: number(zero) },
            b: b.bytes,
            zeros: &self.zeros,
            shape: (a.extents.inner(), self.n),
            bias: None,
            results,
        };
        self.cut(args).parts(units, |_, rows, panels| gemm_int8(&product, rows, panels));
    }
}

fn rule(site: &mut Site<'_>) -> Option<Made> {
    let function = site.op::<Binary>()?.function;
    let [a, b] = operands(site, site.output()?, function)?;
    behind(site, function, a, b).or_else(|| behind(site, function, b, a))
}

/// A function of a product and something else.
fn behind(site: &mut Site<'_>, function: Two, of: ValueId, other: ValueId) -> Option<Made> {
    let all = site.dims(site.output()?)?;
    let same = site.dims(of)? == all && site.ty(other).dtype == DType::F32;
    if !same || !site.only_here(of) {
        return None;
    }
    match function {
        Two::Mul => {
            let (cast, inputs) = site.made::<Cast>(of)?;
            let (sums, true) = (*inputs.first()?, cast.to == DType::F32) else { return None };
            let (op, inputs) = site.made::<MatMulInteger>(sums)?;
            if op.scaled || !site.only_here(sums) {
                return None;
            }
            let (op, mut inputs) = (op.clone(), inputs.to_vec());
            let scale = if site.dims(other)?.iter().product::<usize>() == 1 {
                site.view(other, &[1])?
            } else {
                vector(site, other, &all, op.n)?
            };
            inputs.push(scale);
            Some(Made::new(MatMulInteger { scaled: true, ..op }, inputs))
        }
        Two::Add => {
            let (op, inputs) = site.made::<MatMulInteger>(of)?;
            if !op.scaled || op.bias {
                return None;
            }
            let (op, mut inputs) = (op.clone(), inputs.to_vec());
            inputs.push(vector(site, other, &all, op.n)?);
            Some(Made::new(MatMulInteger { bias: true, ..op }, inputs))
        }
        _ => None,
    }
}
