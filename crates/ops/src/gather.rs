use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Gather", summary: "rows of an embedding table, or vectors given instead" };

/// The embedding of each row: row `token` of `table[vocab, width]` (any weight type), or the
/// row's own vector in `vectors[rows, width]` where the token is negative. A token past the table's
/// end takes its last row; callers check tokens before.
#[derive(Debug)]
pub struct Gather;

impl Operator for Gather {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [tokens, vectors, table] = rules::operands(inputs)?;
        rules::dtype("tokens", tokens, DType::I32)?;
        rules::rank("tokens", tokens, 1)?;
        let (rows, width) = rules::matrix("vectors", vectors)?;
        rules::rank("table", table, 2)?;
        rules::equal("the table's width", rules::width("table", table)?, width)?;
        if !sidestage_kernels::supports(table.dtype) {
            return Err(format!("weights of type {} are not supported", table.dtype));
        }
        if rows != tokens.dims[0] {
            return Err("tokens and vectors must have the same rows".into());
        }
        Ok(vec![vectors.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 3 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let width = args.outputs[0].extents.inner();
        let (tokens, vectors, table) =
            (args.tensor(0).i32s(), args.tensor(1).f32s(), args.tensor(2));
        let last = table.extents.rows().saturating_sub(1);
        for unit in units {
            let (span, out) = rows::<f32>(args, unit..unit + 1);
            match usize::try_from(tokens[unit]) {
                Ok(token) => {
                    sidestage_kernels::embed(table.dtype, table.bytes, width, token.min(last), out);
                }
                Err(_) => out.copy_from_slice(&vectors[span]),
            }
        }
    }
}
