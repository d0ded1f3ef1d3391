use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_kernels::{embed, embed_graphs};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Gather", summary: "rows of an embedding table, or vectors given instead" };

/// The embedding of each row: row `token` of `table[vocab, width]` (any weight type), or the
/// row's own vector in `vectors[rows, width]` where the token is negative. A token past the table's
/// end takes its last row; callers check tokens before. Without vectors (two operands) a negative
/// index takes the first row. `ALL` is that of [`Linear`](crate::Linear).
#[derive(Debug)]
pub struct Gather<const ALL: bool>;

impl<const ALL: bool> Operator for Gather<ALL> {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (tokens, vectors, table) = match *inputs {
            [tokens, table] => (tokens, None, table),
            [tokens, vectors, table] => (tokens, Some(vectors), table),
            _ => return Err(format!("takes 2 or 3 operands, got {}", inputs.len())),
        };
        rules::dtype("tokens", tokens, DType::I32)?;
        rules::rank("tokens", tokens, 1)?;
        rules::rank("table", table, 2)?;
        let width = rules::width("table", table)?;
        if !rules::weights::<ALL>(table.dtype) {
            return Err(format!("weights of type {} are not supported", table.dtype));
        }
        let result = ValueType::new(DType::F32, [tokens.dims[0], Dim::Fixed(width)]);
        if vectors.is_some_and(|vectors| *vectors != result) {
            return Err("vectors must have the tokens' rows and the table's width".into());
        }
        Ok(vec![result])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 3 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let width = args.outputs[0].extents.inner();
        let tokens = args.tensor(0).i32s();
        let vectors = (args.inputs.len() > 2).then(|| args.tensor(1).f32s());
        let table = args.tensor(args.inputs.len() - 1);
        let last = table.extents.rows().saturating_sub(1);
        let embed = if ALL { embed } else { embed_graphs };
        for unit in units {
            let (span, out) = rows::<f32>(args, unit..unit + 1);
            match vectors {
                Some(vectors) if tokens[unit] < 0 => out.copy_from_slice(&vectors[span]),
                _ => {
                    let token = (tokens[unit].max(0) as usize).min(last);
                    let shape = (table.extents.rows(), width);
                    embed(table.dtype, table.bytes, shape, token, out);
                }
            }
        }
    }
}
