use crate::{Args, Operand, Operator, ValueType};
use sidestage_tensor::{AlignedBytes, SharedOut, Tensor, TensorOut};

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
    let mut bytes = Vec::new();
    for ty in results {
        let size = ty.bytes(&[]).ok_or("its result has no size")?;
        let room = AlignedBytes::zeroed(size);
        bytes.push(room.map_err(|_| format!("no memory for a result of {size} bytes"))?);
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
    op.run(&args, 0..work.units);
    let tensor = |(ty, bytes): (&ValueType, AlignedBytes)| {
        Tensor::from_bytes(ty.dtype, ty.extents(&[]).dims(), bytes)
    };
    Ok(results.iter().zip(bytes).map(tensor).collect())
}
