//! Small GGUF files, good and broken: the cases of `gguf_broken.rs` and the seeds of the fuzz corpus.

use sidestage_formats::gguf::{Array, GgufWriter, Strings, Value};
use sidestage_tensor::DType;

/// Bytes written by hand, for what the writer refuses to write.
#[derive(Clone, Default)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Raw {
    /// A version-3 header that promises so many tensors and pairs.
    pub(crate) fn header(tensors: u64, pairs: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(3).u64(tensors).u64(pairs)
    }

    pub(crate) fn u8(mut self, v: u8) -> Self {
        self.0.push(v);
        self
    }

    pub(crate) fn u32(mut self, v: u32) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, v: u64) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }

    pub(crate) fn string(mut self, v: impl AsRef<[u8]>) -> Self {
        let v = v.as_ref();
        self = self.u64(v.len() as u64);
        self.0.extend(v);
        self
    }

    /// A key and a value type.
    pub(crate) fn key(self, key: &str, kind: u32) -> Self {
        self.string(key).u32(kind)
    }

    /// A directory entry; `dims` innermost first, as in the file.
    pub(crate) fn tensor(mut self, name: &str, dims: &[u64], kind: u32, offset: u64) -> Self {
        self = self.string(name).u32(dims.len() as u32);
        for &dim in dims {
            self = self.u64(dim);
        }
        self.u32(kind).u64(offset)
    }
}

/// A file with every type of value and several types of tensor.
pub(crate) fn everything(version: u32) -> Vec<u8> {
    let strings: Strings = ["<s>", "", "hé", "▁the"].iter().collect();
    let nested = vec![
        Array::Array(vec![Array::U8(vec![1, 2]), Array::String(Strings::default())]),
        Array::Bool(vec![true, false]),
    ];
    let writer = GgufWriter::new()
        .version(version)
        .metadata("general.architecture", "llama")
        .metadata("general.alignment", 64_u32)
        .metadata("general.name", "tiny")
        .metadata("general.file_type", 7_u32)
        .metadata("llama.context_length", 128_u64)
        .metadata("u8", 200_u8)
        .metadata("i8", -100_i8)
        .metadata("u16", 60_000_u16)
        .metadata("i16", -30_000_i16)
        .metadata("i32", -2_000_000_000_i32)
        .metadata("i64", i64::MIN)
        .metadata("f32", 0.5_f32)
        .metadata("f64", 1e300_f64)
        .metadata("yes", true)
        .metadata("tokenizer.ggml.tokens", strings)
        .metadata("tokenizer.ggml.scores", vec![0.0_f32, -1.0, -2.0, -3.0])
        .metadata("tokenizer.ggml.token_type", vec![3_i32, 1, 1, 1])
        .metadata("u16s", vec![1_u16, 65_535])
        .metadata("i64s", vec![-1_i64, 1])
        .metadata("none", Vec::<u32>::new())
        .metadata("nested", Value::Array(Array::Array(nested)))
        .tensor("token_embd.weight", DType::Q8_0, &[4, 32])
        .tensor("blk.0.ffn_down.weight", DType::F16, &[3, 5])
        .tensor("blk.0.attn_q.weight", DType::Q4_K, &[1, 256])
        .tensor("output_norm.weight", DType::F32, &[32]);
    let mut file = Vec::new();
    let mut body = writer.begin(&mut file).expect("a header");
    for bytes in [4 * 34, 30, 144, 128] {
        body.write(&vec![0x3c; bytes]).expect("room");
    }
    body.finish().expect("whole tensors");
    file
}

/// Broken files: a name, the bytes, the code and a part of the message that they must give.
pub(crate) fn broken() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let invalid = "MODEL_INVALID";
    let unsupported = "MODEL_UNSUPPORTED";
    let truncated = "MODEL_TRUNCATED";
    let scalar = |kind: u32| Raw::header(0, 1).key("a.b", kind);
    let one = |dims: &[u64], kind, offset| Raw::header(1, 0).tensor("w", dims, kind, offset);
    let aligned = |alignment| {
        Raw::header(1, 1).key("general.alignment", 4).u32(alignment).tensor("w", &[4], 0, 0)
    };
    let two = |second: &str, offset| {
        Raw::header(2, 0).tensor("first", &[16], 0, 0).tensor(second, &[16], 0, offset)
    };
    let rows = |inner, kind| one(&[inner, 2], kind, 0);
    let mut nested = scalar(9);
    for _ in 0..4 {
        nested = nested.u32(9).u64(1);
    }
    let mut whole = everything(3);
    whole.truncate(700);
    let cases: Vec<(&'static str, Raw, &'static str, &'static str)> = vec![
        ("empty", Raw::default(), truncated, "after 0 bytes"),
        ("three_bytes", Raw(b"GGU".to_vec()), truncated, "after 3 bytes"),
        ("html", Raw(b"<!doctype html>".to_vec()), invalid, "starts with \"<!do\""),
        ("big_endian", Raw(b"GGUF\0\0\0\x03".to_vec()), unsupported, "big-endian"),
        ("version_0", Raw(b"GGUF".to_vec()).u32(0), unsupported, "version 0"),
        ("version_1", Raw(b"GGUF".to_vec()).u32(1), unsupported, "version 1"),
        ("version_4", Raw(b"GGUF".to_vec()).u32(4), unsupported, "version 4"),
        ("counts_cut", Raw(b"GGUF".to_vec()).u32(3).u64(0), truncated, "at least 24"),
        ("many_tensors", Raw::header(u64::MAX, 0), invalid, "number of tensors"),
        ("many_pairs", Raw::header(0, 1 << 60), invalid, "number of metadata pairs"),
        ("long_key", Raw::header(0, 1).u64(1 << 40), invalid, "length of a metadata key"),
        ("empty_key", Raw::header(0, 1).key("", 0).u8(0), invalid, "metadata key is empty"),
        ("key_not_utf8", Raw::header(0, 1).string(b"\xff").u32(0), invalid, "not UTF-8"),
        (
            "twice",
            Raw::header(0, 2).key("a.b", 0).u8(1).key("a.b", 0).u8(1),
            invalid,
            "\"a.b\" occurs twice",
        ),
        ("value_type_13", scalar(13), invalid, "\"a.b\" has the unknown value type 13"),
        ("bool_2", scalar(7).u8(2), invalid, "\"a.b\" holds 2"),
        ("bools_3", scalar(9).u32(7).u64(2).u8(1).u8(3), invalid, "\"a.b\" holds 3"),
        ("long_string", scalar(8).u64(1 << 63), invalid, "length of a string"),
        ("string_cut", scalar(8).u64(1000).u8(b'x'), truncated, "at least 1047"),
        ("long_array", scalar(9).u32(10).u64(u64::MAX), invalid, "length of an array"),
        ("array_of_13", scalar(9).u32(13).u64(1), invalid, "unknown value type 13"),
        ("array_cut", scalar(9).u32(10).u64(1 << 20).u64(7), truncated, "after 59 bytes"),
        ("strings_cut", scalar(9).u32(8).u64(1 << 20).string("x"), truncated, "at least 68"),
        ("nested_5", nested.u32(0).u64(0), unsupported, "nests arrays too deep"),
        ("alignment_0", aligned(0), invalid, "general.alignment is 0"),
        ("alignment_12", aligned(12), invalid, "general.alignment is 12"),
        (
            "alignment_text",
            Raw::header(0, 1).key("general.alignment", 8).string("32"),
            invalid,
            "should be an integer that fits u64 but is a string",
        ),
        ("empty_name", Raw::header(1, 0).tensor("", &[4], 0, 0), invalid, "tensor name is empty"),
        ("long_name", Raw::header(1, 0).u64(1 << 20), invalid, "length of a tensor's name"),
        ("same_name", two("first", 64), invalid, "two tensors are called \"first\""),
        ("rank_5", one(&[1; 5], 0, 0), unsupported, "\"w\" has 5 dimensions"),
        ("rank_max", Raw::header(1, 0).string("w").u32(u32::MAX), unsupported, "dimensions"),
        ("dim_0", one(&[0], 0, 0), invalid, "impossible extents [0]"),
        ("dims_overflow", one(&[1 << 40, 1 << 40], 0, 0), invalid, "impossible extents"),
        ("bytes_overflow", one(&[1 << 62], 0, 0), invalid, "impossible extents"),
        ("type_4", one(&[32], 4, 0), unsupported, "\"w\" has the unknown type 4"),
        ("type_max", one(&[32], u32::MAX, 0), unsupported, "unknown type 4294967295"),
        ("half_block", rows(16, 2), invalid, "rows of 16, not a multiple of 32"),
        ("scalar_block", one(&[], 8, 0), invalid, "rows of 1, not a multiple of 32"),
        ("k_rows", rows(128, 12), invalid, "rows of 128, not a multiple of 256"),
        ("unaligned", one(&[4], 0, 8), invalid, "\"w\" at offset 8 is not aligned to 32"),
        ("past_the_end", one(&[4], 0, u64::MAX - 31), invalid, "past the largest offset"),
        ("overlap", two("second", 32), invalid, "\"first\" and \"second\" share bytes"),
        ("same_place", two("second", 0), invalid, "share bytes"),
        ("tensor_cut", Raw::header(1, 0).string("w").u32(2).u64(3), truncated, "at least 53"),
        ("everything_cut", Raw(whole), truncated, "after 700 bytes"),
    ];
    cases.into_iter().map(|(name, raw, code, part)| (name, raw.0, code, part)).collect()
}
