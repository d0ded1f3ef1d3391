//! What an app should know of a model that was loaded all the same.

use crate::error::error;
use crate::protocol::ErrorInfo;
use sidestage_kernels::{WeightKernel, weight_kernel};
use sidestage_tensor::DType;
use std::collections::BTreeSet;

/// That weights of some types are slow to read, if there are any; once, whatever their number.
pub(crate) fn slow_weights(types: impl IntoIterator<Item = DType>) -> Option<ErrorInfo> {
    let slow: BTreeSet<&str> = types
        .into_iter()
        .filter(|dtype| weight_kernel(*dtype) == Some(WeightKernel::Lists))
        .map(DType::name)
        .collect();
    let names: Vec<&str> = slow.into_iter().collect();
    let text = names.join(", ");
    (!names.is_empty()).then(|| {
        error("SLOW_WEIGHTS", format!("there is no fast kernel for weights of type {text}"))
            .hint("A file of 4 bits (Q4_K_M, Q4_0) answers about twice as fast, if it fits.")
            .with("types", names)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slow_type_is_named_once() {
        let types = [DType::F32, DType::IQ3_S, DType::IQ2_XS, DType::Q4_K, DType::IQ3_S];
        let warning = slow_weights(types).unwrap();
        assert_eq!(warning.code, "SLOW_WEIGHTS");
        assert!(warning.message.ends_with("type IQ2_XS, IQ3_S"), "{}", warning.message);
        assert_eq!(warning.detail.unwrap()["types"], serde_json::json!(["IQ2_XS", "IQ3_S"]));
        assert_eq!(slow_weights([DType::F32, DType::Q4_K, DType::IQ4_XS]), None);
    }
}
