use half::{bf16, f16};
use serde_json::{Map, Value, json};
use sidestage_tensor::DType;

/// A tensor with its bytes.
pub(crate) struct Tensor {
    name: String,
    dtype: &'static str,
    extents: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(crate) fn new(name: &str, dtype: DType, extents: &[usize], values: &[f32]) -> Self {
        let (dtype, bytes) = match dtype {
            DType::F16 => {
                ("F16", values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect())
            }
            DType::BF16 => {
                ("BF16", values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect())
            }
            _ => ("F32", values.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        Self { name: name.into(), dtype, extents: extents.into(), bytes }
    }
}

/// Name and bytes.
type File = (String, Vec<u8>);

/// So many files with the tensors in turns, and their index if they are several.
pub(crate) fn files(tensors: &[Tensor], count: usize) -> (Option<Vec<u8>>, Vec<File>) {
    if count == 1 {
        return (None, vec![("model.safetensors".into(), file(tensors.iter()))]);
    }
    let name = |file: usize| format!("model-{:05}-of-{count:05}.safetensors", file + 1);
    let mut map = Map::new();
    for (at, tensor) in tensors.iter().enumerate() {
        map.insert(tensor.name.clone(), name(at % count).into());
    }
    let index = json!({ "metadata": {}, "weight_map": map });
    let each = |at: usize| (name(at), file(tensors.iter().skip(at).step_by(count)));
    (serde_json::to_vec(&index).ok(), (0..count).map(each).collect())
}

fn file<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut data: Vec<u8> = Vec::new();
    for Tensor { name, dtype, extents, bytes } in tensors {
        let offsets: [usize; 2] = [data.len(), data.len() + bytes.len()];
        data.extend(bytes);
        let entry = json!({ "dtype": dtype, "shape": extents, "data_offsets": offsets });
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}
