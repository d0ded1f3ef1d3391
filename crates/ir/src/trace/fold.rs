use super::Stop;
use crate::{Args, Operand, Operator, ValueType};
use sidestage_tensor::{AlignedBytes, SharedOut, Tensor, TensorOut};

/// What costs more is not computed here but when the model runs, which can be stopped meanwhile.
const DEAREST: usize = 1 << 30;

/// What an operator makes of tensors that are known.
///
/// # Errors
/// Its refusal, or if there is no memory.
pub fn computed(op: &dyn Operator, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
    let types: Vec<ValueType> =
        inputs.iter().map(|input| ValueType::fixed(input.dtype(), input.dims())).collect();
    let results = op.infer(&types.iter().collect::<Vec<_>>())?;
    fold(op, inputs, &results)
}

/// Runs an operator whose operands are all known.
pub(crate) fn fold(
    op: &dyn Operator,
    inputs: &[&Tensor],
    results: &[ValueType],
) -> Result<Vec<Tensor>, String> {
    let refused = |bytes| format!("no memory for a result of {bytes} bytes");
    run(op, inputs, results, usize::MAX).map_err(refused)?.ok_or_else(|| "it is too dear".into())
}

/// As [`fold`]. Nothing: it would take long.
pub(super) fn fold_here(
    op: &dyn Operator,
    inputs: &[&Tensor],
    results: &[ValueType],
) -> Result<Option<Vec<Tensor>>, Stop> {
    run(op, inputs, results, DEAREST).map_err(Stop::Memory)
}

/// Runs it unless it costs more than this. An error is the size of a result that does not fit.
fn run(
    op: &dyn Operator,
    inputs: &[&Tensor],
    results: &[ValueType],
    dearest: usize,
) -> Result<Option<Vec<Tensor>>, usize> {
    let mut bytes = Vec::new();
    for ty in results {
        let size = ty.bytes(&[]).unwrap_or(usize::MAX);
        bytes.push(AlignedBytes::zeroed(size).map_err(|_| size)?);
    }
    let inputs: Vec<Operand<'_>> =
        inputs.iter().map(|input| Operand::Tensor(input.view())).collect();
    let outputs: Vec<TensorOut<'_>> = results
        .iter()
        .zip(&mut bytes)
        .map(|(ty, bytes)| TensorOut {
            dtype: ty.dtype,
            extents: ty.extents(&[]),
            bytes: SharedOut::new(bytes.as_mut_slice()),
        })
        .collect();
    let args = Args { inputs: &inputs, outputs: &outputs };
    let work = op.work(&args);
    if work.units.saturating_mul(work.cost) > dearest {
        return Ok(None);
    }
    op.run(&args, 0..work.units);
    let tensor = |(ty, bytes): (&ValueType, AlignedBytes)| {
        Tensor::from_bytes(ty.dtype, ty.extents(&[]).dims(), bytes)
    };
    Ok(Some(results.iter().zip(bytes).map(tensor).collect()))
}
