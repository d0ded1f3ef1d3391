//! What the writer writes, the reader reads, in chunks of any sizes.

use proptest::prelude::*;
use sidestage_formats::gguf::{Array, Gguf, GgufReader, GgufWriter, Progress, Strings, Value};
use sidestage_formats::gguf::{GgufError, WriteError};
use sidestage_tensor::DType;

fn strings() -> impl Strategy<Value = Strings> {
    proptest::collection::vec(any::<String>(), 0..6).prop_map(|all| all.iter().collect())
}

fn array() -> impl Strategy<Value = Array> {
    macro_rules! of {
        ($plain:ty, $variant:ident) => {
            proptest::collection::vec(any::<$plain>(), 0..9).prop_map(Array::$variant)
        };
    }
    let flat = prop_oneof![
        of!(u8, U8),
        of!(i8, I8),
        of!(u16, U16),
        of!(i16, I16),
        of!(u32, U32),
        of!(i32, I32),
        of!(f32, F32),
        of!(bool, Bool),
        of!(u64, U64),
        of!(i64, I64),
        of!(f64, F64),
        strings().prop_map(Array::String),
    ];
    flat.prop_recursive(2, 12, 3, |inner| {
        proptest::collection::vec(inner, 0..4).prop_map(Array::Array)
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<f32>().prop_map(Value::F32),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::F64),
        any::<String>().prop_map(Value::String),
        array().prop_map(Value::Array),
    ]
}

const DTYPES: [DType; 6] =
    [DType::F32, DType::F16, DType::Q4_0, DType::Q8_0, DType::Q6_K, DType::I64];

fn tensor() -> impl Strategy<Value = (DType, Vec<u64>)> {
    let dtype = proptest::sample::select(DTYPES.to_vec());
    (dtype, proptest::collection::vec(1_u64..4, 1..=4)).prop_map(|(dtype, mut extents)| {
        *extents.last_mut().expect("a dimension") *= dtype.block_len() as u64;
        (dtype, extents)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_reads_as_it_was_written(
        version in 2_u32..=3,
        alignment in proptest::sample::select(vec![None, Some(8_u32), Some(24), Some(64)]),
        values in proptest::collection::vec(value(), 0..8),
        tensors in proptest::collection::vec(tensor(), 0..6),
        chunks in proptest::collection::vec(1_usize..400, 1..20),
    ) {
        let mut writer = GgufWriter::new().version(version);
        for (at, value) in values.iter().enumerate() {
            writer = writer.metadata(format!("key.{at}"), value.clone());
        }
        if let Some(alignment) = alignment {
            writer = writer.metadata("general.alignment", alignment);
        }
        for (at, (dtype, extents)) in tensors.iter().enumerate() {
            writer = writer.tensor(format!("tensor.{at}"), *dtype, extents);
        }
        let mut file = Vec::new();
        let mut body = writer.begin(&mut file).expect("a header");
        let written = body.tensors().clone();
        for (at, tensor) in written.iter().enumerate() {
            // In two pieces, which the writer must join.
            let bytes = vec![at as u8 + 1; tensor.bytes as usize];
            let (head, rest) = bytes.split_at(bytes.len() / 3);
            body.write(head).expect("room");
            body.write(rest).expect("room");
        }
        body.finish().expect("whole tensors");

        let mut reader = GgufReader::new();
        let mut rest = &file[..];
        let mut sizes = chunks.iter().cycle();
        let (gguf, header_bytes) = loop {
            let size = (*sizes.next().expect("a cycle")).min(rest.len());
            let (chunk, after) = rest.split_at(size);
            prop_assert!(!chunk.is_empty(), "the reader wants more than there is");
            rest = after;
            match reader.push(chunk).expect("a good file") {
                Progress::Done { gguf, header_bytes } => break (gguf, header_bytes),
                Progress::NeedMore { at_least } => prop_assert!(at_least > 0),
            }
        };
        prop_assert_eq!(gguf.version, version);
        prop_assert_eq!(gguf.alignment, u64::from(alignment.unwrap_or(32)));
        for (at, value) in values.iter().enumerate() {
            let read = gguf.metadata.get(&format!("key.{at}"));
            // By their text, in which a NaN equals a NaN.
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", Some(value)));
        }
        prop_assert_eq!(gguf.metadata.len(), values.len() + usize::from(alignment.is_some()));
        prop_assert_eq!(&gguf.tensors, &written);
        prop_assert!(header_bytes <= gguf.data_offset);
        prop_assert!(gguf.end <= file.len() as u64);
        for (at, tensor) in gguf.tensors.iter().enumerate() {
            let bytes = &file[tensor.offset as usize..tensor.end() as usize];
            prop_assert!(bytes.iter().all(|&byte| byte == at as u8 + 1), "{}", tensor.name);
            prop_assert_eq!(&tensor.extents, &tensors[at].1);
        }
    }
}

#[test]
fn the_writer_refuses_what_a_reader_would_refuse() {
    let begin = |writer: GgufWriter| writer.begin(Vec::new()).err().map(|error| error.to_string());
    let new = GgufWriter::new;
    for (writer, part) in [
        (new().version(1), "version 1"),
        (new().metadata("", 1_u8), "empty"),
        (new().metadata("a", 1_u8).metadata("a", 2_u8), "occurs twice"),
        (new().metadata("general.alignment", 12_u32), "general.alignment is 12"),
        (new().tensor("w", DType::Q4_0, &[2, 16]), "rows of 16"),
        (new().tensor("w", DType::F32, &[0]), "impossible extents"),
        (new().tensor("w", DType::F32, &[1; 5]), "5 dimensions"),
        (new().tensor("w", DType::Act8, &[32]), "type Act8"),
        (new().tensor("w", DType::F32, &[1]).tensor("w", DType::F32, &[1]), "are called \"w\""),
    ] {
        let error = begin(writer).expect("a refusal");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_writer_counts_the_bytes_of_tensors() {
    let writer = GgufWriter::new().tensor("w", DType::F32, &[2]);
    let mut body = writer.clone().begin(Vec::new()).expect("a header");
    body.write(&[0; 4]).expect("room");
    let error = body.write(&[0; 5]).expect_err("one too many");
    assert!(matches!(error, WriteError::TooManyBytes { bytes: 5, room: 4, .. }), "{error}");
    assert!(matches!(body.finish(), Err(WriteError::Unfinished { missing: 4, .. })));
    let mut body = writer.begin(Vec::new()).expect("a header");
    body.write(&[0; 8]).expect("room");
    assert!(matches!(body.write(&[0]), Err(WriteError::TooManyBytes { tensor: None, .. })));
    let file = body.finish().expect("a whole file");
    assert_eq!(file.len() % 32, 0);
    assert!(Gguf::parse(&file).is_ok());
    assert!(matches!(Gguf::parse(&file[..40]), Err(GgufError::Truncated { .. })));
}
