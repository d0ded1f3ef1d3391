//! Encoders that are graph models, as exporters write them.

use crate::error::error;
use crate::protocol::ErrorInfo;
use sidestage_cpu::Value;
use sidestage_ir::{Model, Port};
use sidestage_tensor::{DType, Tensor};

/// Names of outputs with a vector for each token, the usual ones first.
const TOKENS: [&str; 2] = ["last_hidden_state", "token_embeddings"];

/// An output with a vector for the whole text.
const TEXT: &str = "sentence_embedding";

fn unsupported(problem: String) -> ErrorInfo {
    error("TASK_UNSUPPORTED", format!("the model makes no vectors of texts: {problem}"))
        .hint("Use model.run.")
}

/// The output that has the vectors; `pooled`: one that has them pooled will do.
pub(crate) fn output(model: &Model, pooled: bool) -> Result<usize, ErrorInfo> {
    let named = |name: &str| model.outputs.iter().position(|port| model.name(port.var) == name);
    let rank = |port: &Port| port.dims.as_ref().map(Vec::len);
    let whole = pooled.then(|| named(TEXT)).flatten();
    let usual = || TOKENS.iter().find_map(|name| named(name));
    let any = || model.outputs.iter().position(|port| rank(port) == Some(3));
    let found = whole.or_else(usual).or_else(any);
    found.ok_or_else(|| unsupported("it has no output of vectors for tokens".into()))
}

/// What the model takes for a text.
pub(crate) fn inputs(model: &Model, tokens: &[u32]) -> Result<Vec<Value>, ErrorInfo> {
    if !model.inputs.iter().any(|port| model.name(port.var) == "input_ids") {
        return Err(unsupported("it takes no input_ids".into()));
    }
    let value = |port: &Port| {
        let name = model.name(port.var);
        let at = |index: usize| match name {
            "input_ids" => Some(i64::from(tokens[index])),
            "attention_mask" => Some(1),
            "token_type_ids" => Some(0),
            "position_ids" => Some(index as i64),
            _ => None,
        };
        let list: Option<Vec<i64>> = (0..tokens.len()).map(at).collect();
        let list = list.ok_or_else(|| unsupported(format!("it takes {name}")))?;
        let (dtype, bytes): (_, Vec<u8>) = match port.dtype {
            Some(DType::I32) => {
                (DType::I32, list.iter().flat_map(|value| (*value as i32).to_le_bytes()).collect())
            }
            _ => (DType::I64, list.iter().flat_map(|value| value.to_le_bytes()).collect()),
        };
        let tensor = Tensor::new(dtype, &[1, tokens.len()], &bytes);
        tensor
            .map(Value::Tensor)
            .map_err(|_| error("OUT_OF_MEMORY", "there is no memory for a text"))
    };
    model.inputs.iter().map(value).collect()
}

/// The vectors in an output, and their width.
pub(crate) fn vectors(value: Option<&Value>) -> Result<(&[f32], usize), ErrorInfo> {
    match value {
        Some(Value::Tensor(tensor)) if tensor.dtype() == DType::F32 && !tensor.is_empty() => {
            Ok((tensor.elements(), tensor.dims().last().copied().unwrap_or(1)))
        }
        _ => Err(unsupported("its output has no float32 vectors".into())),
    }
}
