//! The types of weights there are kernels for.

use sidestage_tensor::DType;

/// How the linear layer reads weights of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKernel {
    /// Floats, widened in registers, times floats.
    Floats,
    /// Small integers, unpacked in registers, times activations of 8 bits.
    Integers,
    /// As integers, but several values at once are looked up in a list that the format fixes: about
    /// half of the speed.
    Lists,
}

/// The kernel for weights of this type; `None` if there is none.
pub fn weight_kernel(dtype: DType) -> Option<WeightKernel> {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => Some(WeightKernel::Floats),
        DType::Q8_0
        | DType::Q4_0
        | DType::Q4_1
        | DType::Q5_0
        | DType::Q5_1
        | DType::Q2_K
        | DType::Q3_K
        | DType::Q4_K
        | DType::Q5_K
        | DType::Q6_K
        | DType::TQ1_0
        | DType::TQ2_0
        | DType::MXFP4
        | DType::NVFP4
        | DType::IQ4_NL
        | DType::IQ4_XS => Some(WeightKernel::Integers),
        DType::IQ1_S
        | DType::IQ1_M
        | DType::IQ2_XXS
        | DType::IQ2_XS
        | DType::IQ2_S
        | DType::IQ3_XXS
        | DType::IQ3_S => Some(WeightKernel::Lists),
        DType::F64
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::Q8_1
        | DType::Q8_K
        | DType::Bool
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::I4
        | DType::U4
        | DType::I2
        | DType::U2
        | DType::F8E4M3
        | DType::F8E4M3UZ
        | DType::F8E5M2
        | DType::F8E5M2UZ
        | DType::F4E2M1
        | DType::F8E8M0
        | DType::Act8 => None,
    }
}

/// Whether the kernels take weights of this type.
pub fn supports(dtype: DType) -> bool {
    weight_kernel(dtype).is_some()
}

/// Whether those do that are for graphs' weights ([`linear_graphs`](crate::linear_graphs)): the others'
/// kernels are much code.
pub fn supports_graphs(dtype: DType) -> bool {
    let floats = matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
    floats || matches!(dtype, DType::Q4_0 | DType::Q4_1 | DType::Q8_0)
}
