//! The GGUF files of the test data: pair by pair and tensor by tensor what gguf-py reads in them
//! (`truth/gguf_py.py` says how its reading is written down).

use sidestage_formats::gguf::{Array, Gguf, GgufReader, Progress, Value};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn testdata() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("left out: SIDESTAGE_TESTDATA is not set");
    }
    folder
}

fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

/// Type, number of elements and bytes, as gguf-py has them.
fn dump(value: &Value) -> (String, usize, Vec<u8>) {
    macro_rules! of {
        ($name:literal, $v:expr) => {
            ($name.into(), 1, $v.to_le_bytes().to_vec())
        };
    }
    match value {
        Value::U8(v) => of!("u8", v),
        Value::I8(v) => of!("i8", v),
        Value::U16(v) => of!("u16", v),
        Value::I16(v) => of!("i16", v),
        Value::U32(v) => of!("u32", v),
        Value::I32(v) => of!("i32", v),
        Value::U64(v) => of!("u64", v),
        Value::I64(v) => of!("i64", v),
        Value::F32(v) => of!("f32", v),
        Value::F64(v) => of!("f64", v),
        Value::Bool(v) => ("bool".into(), 1, vec![u8::from(*v)]),
        Value::String(v) => ("string".into(), 1, string(v.as_bytes())),
        Value::Array(array) => {
            let (kind, bytes): (_, Vec<u8>) = match array {
                Array::String(v) => {
                    let all = (0..v.len()).flat_map(|at| string(v.bytes(at).expect("in range")));
                    ("string", all.collect())
                }
                Array::F32(v) => ("f32", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
                Array::I32(v) => ("i32", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
                Array::U32(v) => ("u32", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
                other => panic!("no file had {other} when the truth was written"),
            };
            (format!("array_of_{kind}"), array.len(), bytes)
        }
    }
}

#[test]
fn every_file_reads_as_gguf_py_reads_it() {
    let Some(root) = testdata() else { return };
    let truth = include_str!("truth/gguf_py.txt");
    let (mut found, mut files) = (String::new(), 0);
    for line in truth.lines().filter_map(|line| line.strip_prefix("file ")) {
        let path = line.split(' ').next().expect("a path");
        let bytes = std::fs::read(root.join(path)).expect("a file of the test data");
        let gguf = Gguf::parse(&bytes).expect(path);
        writeln!(found, "file {path} {} {}", gguf.version, gguf.alignment).expect("memory");
        for (key, value) in gguf.metadata.iter() {
            let (kind, count, bytes) = dump(value);
            writeln!(found, "pair {key} {kind} {count} {:016x}", fnv(&bytes)).expect("memory");
        }
        let mut lines = String::new();
        for tensor in &gguf.tensors {
            let (name, dtype, extents) = (&tensor.name, tensor.dtype, &tensor.extents);
            let (offset, bytes) = (tensor.offset, tensor.bytes);
            writeln!(lines, "{name} {dtype} {extents:?} {offset} {bytes}").expect("memory");
        }
        let digest = fnv(lines.as_bytes());
        writeln!(found, "tensors {} {digest:016x}", gguf.tensors.len()).expect("memory");
        gguf.check_length(bytes.len() as u64).expect(path);
        assert!(gguf.end + gguf.alignment > bytes.len() as u64, "{path} is longer than promised");
        files += 1;
    }
    assert!(files >= 14);
    for (found, truth) in found.lines().zip(truth.lines()) {
        assert_eq!(found, truth);
    }
    assert_eq!(found.len(), truth.len());
}

#[test]
fn chunks_of_any_size_give_the_same_reading() {
    let Some(root) = testdata() else { return };
    let vocabulary = root.join("tokenizers/llamacpp-vocab");
    for (folder, file, sizes) in [
        (&root.join("lm"), "stories260K-Q8_0.gguf", &[1, 7, 4096][..]),
        (&vocabulary, "ggml-vocab-phi-3.gguf", &[1, 61, 65_536]),
    ] {
        let bytes = std::fs::read(Path::new(folder).join(file)).expect("a file of the test data");
        let whole = Gguf::parse(&bytes).expect(file);
        for &size in sizes {
            let mut reader = GgufReader::new();
            let mut done = None;
            for chunk in bytes.chunks(size) {
                match reader.push(chunk).expect(file) {
                    Progress::NeedMore { at_least } => assert!(at_least > 0),
                    Progress::Done { gguf, .. } => {
                        done = Some(gguf);
                        break;
                    }
                }
            }
            assert_eq!(done.as_ref(), Some(&whole), "{file} in chunks of {size}");
        }
    }
}

#[test]
fn summaries_say_what_the_readme_says() {
    let Some(root) = testdata() else { return };
    let summary = |path: &str| {
        let bytes = std::fs::read(root.join(path)).expect("a file of the test data");
        Gguf::parse(&bytes).expect(path).summary()
    };
    // README of `lm`: 260k parameters, width 64, 5 layers, 512 tokens, context 512; Q8_0 with
    // `ffn_down` left F16.
    let stories = summary("lm/stories260K-Q8_0.gguf");
    assert_eq!(stories.architecture.as_deref(), Some("llama"));
    assert_eq!(stories.file_type.as_deref(), Some("Q8_0"));
    assert_eq!(stories.parameters, 260_032);
    assert_eq!((stories.embedding_length, stories.block_count), (Some(64), Some(5)));
    assert_eq!((stories.vocabulary, stories.context_length), (Some(512), Some(512)));
    let names: Vec<_> = stories.dtypes.iter().map(|of| of.dtype.name()).collect();
    assert_eq!(names, ["Q8_0", "F16", "F32"]);
    assert!(stories.to_string().contains("file type     Q8_0\n"));
    // A vocabulary without tensors.
    let qwen2 = summary("tokenizers/llamacpp-vocab/ggml-vocab-qwen2.gguf");
    assert_eq!((qwen2.tensors, qwen2.parameters, qwen2.vocabulary), (0, 0, Some(151_936)));
    assert_eq!(qwen2.tokenizer_pre.as_deref(), Some("qwen2"));
    assert!(qwen2.chat_template);
}
