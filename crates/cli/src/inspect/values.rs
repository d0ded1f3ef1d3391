//! Metadata as JSON.

use serde_json::{Value as Json, json};
use sidestage_formats::gguf::{Array, Value};

pub(super) fn of_value(value: &Value) -> Json {
    match value {
        Value::U8(v) => json!(v),
        Value::I8(v) => json!(v),
        Value::U16(v) => json!(v),
        Value::I16(v) => json!(v),
        Value::U32(v) => json!(v),
        Value::I32(v) => json!(v),
        Value::F32(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::String(v) => json!(v),
        Value::U64(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::F64(v) => json!(v),
        Value::Array(array) => of_array(array),
    }
}

/// Arrays in full where they are short; of a vocabulary only the length and the beginning.
fn of_array(array: &Array) -> Json {
    const SHOWN: usize = 16;
    macro_rules! head {
        ($v:expr) => {
            $v.iter().take(SHOWN).map(|v| json!(v)).collect::<Vec<Json>>()
        };
    }
    let head = match array {
        Array::U8(v) => head!(v),
        Array::I8(v) => head!(v),
        Array::U16(v) => head!(v),
        Array::I16(v) => head!(v),
        Array::U32(v) => head!(v),
        Array::I32(v) => head!(v),
        Array::F32(v) => head!(v),
        Array::Bool(v) => head!(v),
        Array::String(v) => head!(v),
        Array::U64(v) => head!(v),
        Array::I64(v) => head!(v),
        Array::F64(v) => head!(v),
        Array::Array(v) => v.iter().take(SHOWN).map(of_array).collect(),
    };
    if array.len() <= SHOWN {
        Json::Array(head)
    } else {
        json!({ "length": array.len(), "first": head })
    }
}
