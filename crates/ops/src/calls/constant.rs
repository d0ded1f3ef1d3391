use super::{CallInfo, row};
use sidestage_ir::{Attribute, Scope, Stop};
use sidestage_tensor::{DType, Tensor};

fn constant(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (_, value) = scope.call().attributes.first().ok_or("the value is missing")?;
    let made = match value {
        Attribute::Tensor(tensor) => Ok(tensor.clone()),
        Attribute::Int(value) => Tensor::new(DType::I64, &[], &value.to_le_bytes()),
        Attribute::Float(value) => Tensor::new(DType::F32, &[], &value.to_le_bytes()),
        Attribute::Ints(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Tensor::new(DType::I64, &[values.len()], &bytes)
        }
        Attribute::Floats(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Tensor::new(DType::F32, &[values.len()], &bytes)
        }
        _ => return Err("texts are not supported".into()),
    };
    let tensor = scope.constant(made.map_err(|_| "no memory")?);
    scope.give_tensor(0, tensor);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Constant", constant)];
