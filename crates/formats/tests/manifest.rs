//! Several GGUF files that are one model, and those that are not.

use sidestage_formats::Manifest;
use sidestage_formats::gguf::{Gguf, GgufWriter};
use sidestage_formats::manifest::ManifestError;
use sidestage_tensor::DType;

/// A file with these tensors of 8 values; `split`: number, count and tensors of all.
fn file(name: &str, split: Option<(u16, u16, i32)>, tensors: &[&str]) -> Gguf {
    let mut writer = GgufWriter::new().metadata("general.name", name);
    if let Some((number, count, all)) = split {
        writer = writer
            .metadata("split.no", number)
            .metadata("split.count", count)
            .metadata("split.tensors.count", all);
    }
    for tensor in tensors {
        writer = writer.tensor(*tensor, DType::F16, &[2, 4]);
    }
    let mut file = Vec::new();
    let mut body = writer.begin(&mut file).unwrap();
    tensors.iter().for_each(|_| body.write(&[7; 16]).unwrap());
    body.finish().unwrap();
    Gguf::parse(&file).unwrap()
}

fn error(files: Vec<Gguf>) -> ManifestError {
    Manifest::gguf(files).unwrap_err()
}

#[test]
fn one_file_is_its_own_manifest() {
    let gguf = file("whole", None, &["a", "b"]);
    let (tensors, end) = (gguf.tensors.clone(), gguf.end);
    let manifest = Manifest::gguf(vec![gguf]).unwrap();
    assert_eq!((manifest.weights.len(), manifest.ends.as_slice()), (2, &[end][..]));
    assert_eq!((manifest.parameters(), manifest.main_type()), (16, Some(DType::F16)));
    for (part, tensor) in manifest.parts.iter().zip(&tensors) {
        assert_eq!((part.file, part.offset, part.bytes), (0, tensor.offset, 16));
        assert!(part.is_verbatim(DType::F16) && !part.is_verbatim(DType::F32));
    }
    // What `llama-gguf-split` leaves in a file that it has merged.
    assert!(Manifest::gguf(vec![file("merged", Some((0, 0, 1)), &["a"])]).is_ok());
}

#[test]
fn splits_come_in_any_order() {
    let first = || file("first", Some((0, 3, 4)), &["a", "b"]);
    let second = || file("second", Some((1, 3, 4)), &["c"]);
    let third = || file("third", Some((2, 3, 4)), &["d"]);
    let manifest = Manifest::gguf(vec![third(), first(), second()]).unwrap();
    assert_eq!(manifest.metadata.get_str("general.name"), Ok(Some("first")));
    let names: Vec<&str> = manifest.weights.iter().map(|weight| weight.name.as_str()).collect();
    assert_eq!(names, ["d", "a", "b", "c"]);
    let files: Vec<u32> = manifest.parts.iter().map(|part| part.file).collect();
    assert_eq!(files, [0, 1, 1, 2]);
    // One file that holds no tensors, as a first one may.
    let (first, second) =
        (file("first", Some((0, 2, 1)), &[]), file("second", Some((1, 2, 1)), &["a"]));
    assert_eq!(Manifest::gguf(vec![first, second]).unwrap().weights.len(), 1);
}

#[test]
fn files_that_are_not_one_model_are_refused() {
    let split = |number, count| file("split", Some((number, count, 2)), &["a"]);
    let other = |number, count| file("split", Some((number, count, 2)), &["b"]);
    assert_eq!(error(Vec::new()).code(), "MODEL_INCOMPLETE");
    let missing = |missing| ManifestError::MissingSplit { missing, count: 3 };
    assert_eq!(error(vec![split(0, 3)]), missing(2));
    assert_eq!(error(vec![split(2, 3), other(0, 3)]), missing(2));
    assert_eq!(error(vec![split(1, 3), other(2, 3)]), missing(1));
    for mixed in [
        vec![split(0, 2), other(0, 2)],
        vec![split(0, 2), other(1, 3)],
        vec![split(0, 2), other(7, 2)],
        vec![split(0, 2), file("whole", None, &["b"])],
        vec![file("whole", None, &["b"]), split(0, 2)],
    ] {
        let error = error(mixed);
        assert!(matches!(&error, ManifestError::MixedSplits { .. }), "{error}");
        assert_eq!(error.code(), "MODEL_INVALID");
    }
    let twice = ManifestError::DuplicateTensor { tensor: "a".into() };
    assert_eq!(error(vec![split(0, 2), split(1, 2)]), twice);
    let few = vec![file("x", Some((0, 2, 5)), &["a"]), file("y", Some((1, 2, 5)), &["b"])];
    assert_eq!(error(few), ManifestError::TensorCount { found: 2, expected: 5 });
    // A count of billions takes no memory.
    let many = file("x", Some((0, u16::MAX, 2)), &["a"]);
    assert!(matches!(error(vec![many]), ManifestError::MissingSplit { missing: 2, .. }));
}
