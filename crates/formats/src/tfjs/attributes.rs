//! Attributes of nodes: TensorFlow's `AttrValue` as JSON.

use super::json::Json;
use sidestage_ir::Attribute;
use sidestage_tensor::DType;

/// TensorFlow's types by their number (`types.proto`).
const TYPES: [&str; 24] = [
    "DT_INVALID",
    "DT_FLOAT",
    "DT_DOUBLE",
    "DT_INT32",
    "DT_UINT8",
    "DT_INT16",
    "DT_INT8",
    "DT_STRING",
    "DT_COMPLEX64",
    "DT_INT64",
    "DT_BOOL",
    "DT_QINT8",
    "DT_QUINT8",
    "DT_QINT32",
    "DT_BFLOAT16",
    "DT_QINT16",
    "DT_QUINT16",
    "DT_UINT16",
    "DT_COMPLEX128",
    "DT_HALF",
    "DT_RESOURCE",
    "DT_VARIANT",
    "DT_UINT32",
    "DT_UINT64",
];

/// A type's name, which may be given as a number.
pub(super) fn type_name(json: &Json) -> Option<&str> {
    match json {
        Json::Text(name) => Some(name),
        _ => json.int().and_then(|id| TYPES.get(usize::try_from(id).ok()?).copied()),
    }
}

/// A type as declared.
pub(super) fn declared(name: &str) -> Option<DType> {
    Some(match name {
        "DT_FLOAT" | "float32" => DType::F32,
        "DT_DOUBLE" => DType::F64,
        "DT_HALF" => DType::F16,
        "DT_BFLOAT16" => DType::BF16,
        "DT_INT64" => DType::I64,
        "DT_INT32" | "int32" => DType::I32,
        "DT_INT16" => DType::I16,
        "DT_INT8" => DType::I8,
        "DT_UINT8" => DType::U8,
        "DT_UINT16" => DType::U16,
        "DT_UINT32" => DType::U32,
        "DT_BOOL" | "bool" => DType::Bool,
        _ => return None,
    })
}

/// The type in which TensorFlow.js computes with elements of a declared one: it has single
/// precision, integers of 32 bits, and truth values.
pub(super) fn computed(declared: DType) -> DType {
    match declared {
        DType::F64 | DType::F16 | DType::BF16 => DType::F32,
        DType::F32 | DType::Bool => declared,
        _ => DType::I32,
    }
}

/// The dimensions of a `TensorShapeProto`, -1 for those that are free; `None` if not even their
/// number is known.
pub(super) fn shape(json: &Json) -> Option<Vec<i64>> {
    if json.get("unknownRank").truth() == Some(true) {
        return None;
    }
    let dims = json.get("dim").list().iter();
    Some(dims.map(|dim| dim.get("size").int().unwrap_or(-1)).collect())
}

/// An attribute that lowerings may ask for.
pub(super) fn attribute(json: &Json) -> Option<Attribute> {
    let (kind, value) = json.members().first()?;
    Some(match kind.as_str() {
        "s" => Attribute::Text(bytes(value)?),
        "i" => Attribute::Int(value.int()?),
        "f" => Attribute::Float(value.number()? as f32),
        "b" => Attribute::Int(value.truth()?.into()),
        "type" => Attribute::Type(computed(declared(type_name(value)?)?)),
        "shape" => Attribute::Ints(shape(value)?),
        "list" => match value.members().iter().find(|(_, list)| !list.list().is_empty()) {
            None => Attribute::Ints(Vec::new()),
            Some((kind, list)) => {
                let list = list.list().iter();
                match kind.as_str() {
                    "s" => Attribute::Texts(list.map(bytes).collect::<Option<_>>()?),
                    "i" => Attribute::Ints(list.map(Json::int).collect::<Option<_>>()?),
                    "f" => {
                        let numbers = list.map(|one| one.number().map(|one| one as f32));
                        Attribute::Floats(numbers.collect::<Option<_>>()?)
                    }
                    "b" => {
                        let truths = list.map(|one| one.truth().map(i64::from));
                        Attribute::Ints(truths.collect::<Option<_>>()?)
                    }
                    _ => return None,
                }
            }
        },
        _ => return None,
    })
}

/// A text: in base64, or as a list of its bytes.
pub(super) fn bytes(json: &Json) -> Option<Vec<u8>> {
    match json {
        Json::List(list) => {
            list.iter().map(|byte| byte.int().and_then(|byte| u8::try_from(byte).ok())).collect()
        }
        Json::Text(text) => base64(text),
        _ => None,
    }
}

/// RFC 4648, with either alphabet.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut all, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            all.push((bits >> count) as u8);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Attribute> {
        attribute(&Json::read(text.as_bytes()).expect("JSON"))
    }

    #[test]
    fn attributes_are_read_as_the_converter_writes_them() {
        assert_eq!(of(r#"{"s": "TkhXQw=="}"#), Some(Attribute::Text(b"NHWC".to_vec())));
        assert_eq!(of(r#"{"s": [78, 72]}"#), Some(Attribute::Text(b"NH".to_vec())));
        assert_eq!(of(r#"{"i": "-3"}"#), Some(Attribute::Int(-3)));
        assert_eq!(of(r#"{"b": true}"#), Some(Attribute::Int(1)));
        assert_eq!(of(r#"{"type": 9}"#), Some(Attribute::Type(DType::I32)));
        assert_eq!(of(r#"{"list": {"i": ["1", 2]}}"#), Some(Attribute::Ints(vec![1, 2])));
        assert_eq!(of(r#"{"list": {}}"#), Some(Attribute::Ints(vec![])));
        assert_eq!(of(r#"{"s": "?"}"#), None);
        let shape = of(r#"{"shape": {"dim": [{"size": "-1"}, {"size": "3"}]}}"#);
        assert_eq!(shape, Some(Attribute::Ints(vec![-1, 3])));
        assert!(matches!(of(r#"{"f": "NaN"}"#), Some(Attribute::Float(nan)) if nan.is_nan()));
    }
}
