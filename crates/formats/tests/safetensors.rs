//! Headers of safetensors that are broken, each with its error; the fuzz target's corpus under the
//! target's own checks.

#[path = "../../../fuzz/check/peak.rs"]
mod peak;
#[path = "../../../fuzz/check/safetensors.rs"]
mod safetensors;

use sidestage_formats::safetensors::{
    MAX_HEADER_BYTES, Progress, SafetensorsError, SafetensorsHeader, SafetensorsReader,
};
use sidestage_tensor::DType;
use std::path::Path;

fn file(json: &str) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat()
}

fn parse(file: &[u8]) -> Result<SafetensorsHeader, SafetensorsError> {
    let mut reader = SafetensorsReader::new();
    match reader.push(file)? {
        Progress::Done { header, .. } => Ok(header),
        Progress::NeedMore { .. } => Err(reader.truncated()),
    }
}

fn refused(json: &str) -> SafetensorsError {
    parse(&file(json)).expect_err("an error")
}

#[test]
fn a_header_says_where_tensors_lie() {
    let json = r#"{"__metadata__":{"format":"pt","x":[1]},
        "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
        "a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4],"extra":1},
        "none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}}  "#;
    let header = parse(&file(json)).unwrap();
    let data = 8 + json.len() as u64;
    let names: Vec<&str> = header.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["a", "none", "b"]);
    let [a, _, b] = header.tensors.as_slice() else { panic!() };
    assert_eq!((a.dtype, a.type_name.as_str(), a.offset), (None, "F8_E4M3", data));
    assert_eq!((b.dtype, b.extents.as_slice()), (Some(DType::BF16), &[2, 3][..]));
    assert_eq!((b.offset, b.bytes, header.end), (data + 4, 12, data + 16));
    assert!(parse(&file("{}")).unwrap().tensors.is_empty());
}

#[test]
fn broken_headers_are_errors_with_names() {
    use SafetensorsError::{
        DuplicateTensor, Extents, Header, HeaderTooLarge, OutOfRange, Overlap, Size, Truncated,
    };
    let one = |rest: &str| refused(&format!(r#"{{"x":{{"dtype":"F32",{rest}}}}}"#));
    assert!(matches!(
        one(r#""shape":[2],"data_offsets":[0,9]"#),
        Size { found: 9, expected: 8, .. }
    ));
    assert!(matches!(one(r#""shape":[2],"data_offsets":[8,0]"#), OutOfRange { .. }));
    assert!(matches!(
        one(r#""shape":[2],"data_offsets":[18446744073709551607,18446744073709551615]"#),
        OutOfRange { .. }
    ));
    assert!(matches!(
        one(r#""shape":[4294967296,4294967296],"data_offsets":[0,0]"#),
        Extents { .. }
    ));
    assert!(matches!(one(r#""shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]"#), Extents { .. }));
    for bad in [
        r#""shape":[-1],"data_offsets":[0,4]"#,
        r#""shape":[1.5],"data_offsets":[0,4]"#,
        r#""shape":[1],"data_offsets":[0,4,8]"#,
        r#""shape":[1]"#,
        r#""shape":[1],"shape":[1],"data_offsets":[0,4]"#,
    ] {
        let Header { problem } = one(bad) else { panic!("{bad}") };
        assert!(problem.contains("\"x\""), "{problem}");
    }
    let two = |first: &str, second: &str| {
        let tensor =
            |offsets: &str| format!(r#"{{"dtype":"I8","shape":[4],"data_offsets":{offsets}}}"#);
        refused(&format!(r#"{{"x":{},"y":{}}}"#, tensor(first), tensor(second)))
    };
    assert!(
        matches!(two("[0,4]", "[3,7]"), Overlap { first, second } if first == "x" && second == "y")
    );
    assert!(matches!(two("[2,6]", "[2,6]"), Overlap { .. }));
    let x = r#""x":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}"#;
    assert!(
        matches!(refused(&format!("{{{x},{x}}}")), DuplicateTensor { tensor } if tensor == "x")
    );
    let deep = format!(r#"{{"__metadata__":{}1{}}}"#, "[".repeat(9000), "]".repeat(9000));
    // What is not read is passed over without a stack.
    assert!(parse(&file(&deep)).is_ok());
    for bad in ["[]", "nul", "{\"x\":1}", "{} x", "\u{0}\u{0}"] {
        assert!(matches!(refused(bad), Header { .. }), "{bad:.40}");
    }
    let html = b"<!doctype html><html>".as_slice();
    assert!(matches!(parse(html), Err(HeaderTooLarge { .. })));
    let large = (MAX_HEADER_BYTES + 1).to_le_bytes();
    assert_eq!(parse(&large).unwrap_err().code(), "MODEL_INVALID");
    // A length alone takes no memory.
    let (cut, bytes) = peak::of(|| parse(&MAX_HEADER_BYTES.to_le_bytes()));
    assert_eq!(cut, Err(Truncated { received: 8, expected: 8 + MAX_HEADER_BYTES }));
    assert!(bytes < 1000, "{bytes}");
    assert_eq!(parse(&[1, 0, 0]), Err(Truncated { received: 3, expected: 8 }));
    assert!(matches!(parse(&[0; 8]), Err(Header { .. })));
}

#[test]
fn the_corpus_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/safetensors");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        safetensors::check(&std::fs::read(path).expect("a file of the corpus"));
        files += 1;
    }
    assert!(files >= 12, "{files} files");
}

#[test]
fn folders_survive_seeded_damage() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/safetensors");
    let mut state = 0x5eed_u32;
    let mut below = |end: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % end
    };
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let entry = entry.expect("an entry");
        // Only the seeds: what a search found is named by its hash.
        if entry.file_name().len() == 40 {
            continue;
        }
        let mut input = std::fs::read(entry.path()).expect("a file");
        for _ in 0..60 {
            let (at, with) = (below(input.len()), below(256) as u8);
            let was = std::mem::replace(&mut input[at], with);
            // Digits make other sizes, which no damage to a bit does as often.
            if was.is_ascii_digit() {
                input[at] = b'0' + with % 10;
            }
            safetensors::check(&input);
            input[at] = was;
        }
        safetensors::check(&input[..below(input.len())]);
    }
}
