//! Broken files give typed errors that name what is wrong, whatever the chunks they arrive in.

mod samples;

use samples::{Raw, broken, everything};
use sidestage_formats::gguf::{Gguf, GgufError, GgufReader, Progress, Value, limits};

fn parse_in_chunks(bytes: &[u8], size: usize) -> Result<Gguf, GgufError> {
    let mut reader = GgufReader::new();
    for chunk in bytes.chunks(size) {
        if let Progress::Done { gguf, .. } = reader.push(chunk)? {
            return Ok(gguf);
        }
    }
    Err(reader.truncated())
}

#[test]
fn each_broken_file_is_refused_by_name() {
    for (name, bytes, code, part) in broken() {
        let error = Gguf::parse(&bytes).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
        for size in [1, 3, 16] {
            assert_eq!(parse_in_chunks(&bytes, size).expect_err(name), error, "{name} by {size}");
        }
    }
}

#[test]
fn a_cut_file_names_the_tensor_that_is_cut() {
    let bytes = everything(3);
    let gguf = Gguf::parse(&bytes).expect("a good file");
    assert_eq!(gguf.check_length(bytes.len() as u64), Ok(()));
    let second = gguf.tensors.get("blk.0.ffn_down.weight").expect("a tensor of the file");
    let error = gguf.check_length(second.end() - 1).expect_err("a cut file");
    assert_eq!(error.code(), "MODEL_TRUNCATED");
    assert!(error.to_string().contains("\"blk.0.ffn_down.weight\" is cut off"), "{error}");
}

#[test]
fn a_reader_that_failed_or_ended_stays_so() {
    let mut reader = GgufReader::new();
    let first = reader.push(b"nope").expect_err("not GGUF");
    assert_eq!(reader.push(b"GGUF").expect_err("still not"), first);
    let mut reader = GgufReader::new();
    assert!(matches!(reader.push(&everything(3)), Ok(Progress::Done { .. })));
    assert_eq!(reader.push(&[]).expect_err("over"), GgufError::Ended);
}

#[test]
fn the_whole_header_has_a_limit() {
    // Each string is allowed, five of them are not.
    let mut reader = GgufReader::new();
    let mut result = reader.push(&Raw::header(0, 5).0);
    let text = vec![b'x'; 1 << 20];
    for key in ["a", "b", "c", "d", "e"] {
        let head = Raw::default().key(key, 8).u64(limits::MAX_STRING_BYTES);
        result = result.and_then(|_| reader.push(&head.0));
        for _ in 0..limits::MAX_STRING_BYTES >> 20 {
            if result.is_ok() {
                result = reader.push(&text);
            }
        }
    }
    let error = result.expect_err("320 MiB of header");
    assert_eq!(error, GgufError::HeaderTooLarge { limit: limits::MAX_HEADER_BYTES });
}

#[test]
fn a_long_string_in_small_chunks_is_not_read_again_and_again() {
    // A reader that starts from the string's beginning at each push copies 2 TB here.
    let text = vec![b'x'; 16 << 20];
    let file = Raw::header(0, 1).key("text", 8).string(&text).0;
    let gguf = parse_in_chunks(&file, 64).expect("a good file");
    let Some(Value::String(read)) = gguf.metadata.get("text") else { panic!("a string") };
    assert_eq!(read.as_bytes(), text);
}

#[test]
fn alignments_of_the_specification_and_of_llama_cpp_are_read() {
    for alignment in [1, 4, 8, 24, 32, 4096_u32] {
        let file = Raw::header(2, 1).key("general.alignment", 4).u32(alignment);
        let next = 16_u64.next_multiple_of(u64::from(alignment));
        let file = file.tensor("a", &[4], 0, 0).tensor("b", &[4], 0, next);
        let gguf = Gguf::parse(&file.0).expect("a good file");
        assert_eq!(gguf.alignment, u64::from(alignment));
        assert_eq!(gguf.data_offset, (file.0.len() as u64).next_multiple_of(gguf.alignment));
        assert_eq!(gguf.end, gguf.data_offset + next + 16);
    }
}

#[test]
fn tensors_may_lie_in_any_order_and_with_gaps() {
    let file = Raw::header(2, 0).tensor("b", &[4], 0, 320).tensor("a", &[2, 3], 0, 0);
    let gguf = Gguf::parse(&file.0).expect("a good file");
    let names: Vec<_> = gguf.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(gguf.tensors.get("a").map(|a| (&a.extents[..], a.bytes)), Some((&[3, 2][..], 24)));
    assert_eq!(gguf.tensors.position("b"), Some(0));
    assert_eq!(gguf.end, gguf.data_offset + 336);
}

#[test]
fn tokens_that_are_not_utf8_keep_their_bytes() {
    let file = Raw::header(0, 2).key("tokens", 9).u32(8).u64(4);
    let file = file.string("a").string(b"\xff\xfe").string("").string(b"x\x80");
    let file = file.key("text", 8).string(b"caf\xe9");
    let gguf = Gguf::parse(&file.0).expect("a good file");
    let tokens = gguf.metadata.need_strings("tokens").expect("an array of strings");
    assert_eq!(tokens.iter().collect::<Vec<_>>(), ["a", "\u{fffd}\u{fffd}", "", "x\u{fffd}"]);
    let bytes: Vec<_> = (0..5).map(|at| tokens.bytes(at)).collect();
    let expected = [Some(&b"a"[..]), Some(b"\xff\xfe"), Some(b""), Some(b"x\x80"), None];
    assert_eq!(bytes, expected);
    assert_eq!(gguf.metadata.need_str("text"), Ok("caf\u{fffd}"));
}

#[test]
fn accessors_take_any_width_that_fits_and_name_what_does_not() {
    let gguf = Gguf::parse(&everything(2)).expect("a good file");
    let meta = &gguf.metadata;
    assert_eq!(gguf.version, 2);
    assert_eq!(meta.need_u32("u8"), Ok(200));
    assert_eq!(meta.need_u32("llama.context_length"), Ok(128));
    assert_eq!(meta.need_i32("i16"), Ok(-30_000));
    assert_eq!(meta.get_u32("absent"), Ok(None));
    assert_eq!(meta.need_f32("f64"), Ok(f32::INFINITY));
    assert_eq!(meta.need_i32s("u16s").as_deref(), Ok(&[1, 65_535][..]));
    let error = meta.need_u64("i8").expect_err("negative");
    assert_eq!(
        error.to_string(),
        "metadata \"i8\" should be an integer that fits u64 but is i8 -100"
    );
    let error = meta.need_u32s("i64s").expect_err("negative");
    assert!(error.to_string().ends_with("but is an array of 2 i64"), "{error}");
    assert_eq!(meta.need_str("absent").expect_err("absent").code(), "MODEL_INVALID");
    assert!(meta.get_bool("u8").is_err() && meta.get_strings("u16s").is_err());
}
