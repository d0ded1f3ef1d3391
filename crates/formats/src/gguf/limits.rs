//! What a header may ask for. Real files stay far below; hostile ones end here with a typed error.

/// The longest header, in bytes: everything before the first tensor's data.
pub const MAX_HEADER_BYTES: u64 = 256 << 20;
/// The most metadata pairs.
pub const MAX_METADATA: u64 = 1 << 16;
/// The most tensors. A mixture of experts stored expert by expert has about fifty thousand.
pub const MAX_TENSORS: u64 = 1 << 17;
/// The longest metadata key, in bytes (the specification's figure).
pub const MAX_KEY_BYTES: u64 = 65_535;
/// The longest tensor name, in bytes. The specification says 64; image models have longer ones.
pub const MAX_NAME_BYTES: u64 = 1024;
/// The longest string value, in bytes. A whole `tokenizer.json` may be one.
pub const MAX_STRING_BYTES: u64 = 64 << 20;
/// The most elements of one array.
pub const MAX_ARRAY_LEN: u64 = 1 << 24;
/// How deep arrays may lie in arrays: 1 is an array of plain values.
pub const MAX_ARRAY_DEPTH: usize = 4;
/// The most arrays that lie in other arrays, in the whole file.
pub const MAX_NESTED_ARRAYS: u64 = 1 << 16;
/// The most dimensions of a tensor (`GGML_MAX_DIMS`).
pub const MAX_RANK: u32 = 4;
