//! Headers that gguf-py wrote (`truth/written.py`): larger than 4 GB, big-endian, split.

use sidestage_formats::gguf::{Gguf, GgufError, GgufReader, GgufWriter, Progress};
use sidestage_formats::{Manifest, Split};

const TRUTH: &str = include_str!("truth/written.txt");

fn header(name: &str) -> Vec<u8> {
    let start = format!("header {name} ");
    let line = TRUTH.lines().find_map(|line| line.strip_prefix(&start)).expect(name);
    let digits = line.as_bytes().chunks_exact(2).map(|two| str::from_utf8(two).expect("text"));
    digits.map(|two| u8::from_str_radix(two, 16).expect("hexadecimal")).collect()
}

#[test]
fn offsets_past_4_gb_are_exact() {
    let header = header("large");
    let gguf = Gguf::parse(&header).expect("a good header");
    let start = (header.len() as u64).next_multiple_of(32);
    let (first, second) = ((1 << 20) * 48 * 34, (1 << 20) * 128 * 34);
    assert_eq!((first, second), (1_711_276_032, 4_563_402_752));
    let places: Vec<_> = gguf.tensors.iter().map(|t| (t.offset, t.bytes)).collect();
    let expected = [(start, first), (start + first, second), (start + first + second, 64)];
    assert_eq!(places, expected);
    assert_eq!(gguf.end, start + first + second + 64);

    assert_eq!(gguf.check_length(gguf.end), Ok(()));
    // What a length of 32 bits would make of the file.
    for (length, cut) in [(gguf.end - 1, "t2"), (gguf.end % (1 << 32), "t1"), (1 << 31, "t1")] {
        let error = gguf.check_length(length).expect_err("a cut file");
        let tensor = Some(cut.into());
        let expected = GgufError::Truncated { received: length, expected: gguf.end, tensor };
        assert_eq!(error, expected);
    }
}

#[test]
fn the_parts_of_a_large_file_are_read_where_they_lie() {
    let header = header("large");
    let manifest =
        Manifest::gguf(vec![Gguf::parse(&header).expect("a good header")]).expect("a whole model");
    let last = manifest.parts.last().expect("three parts");
    assert_eq!((last.file, last.rows, last.width), (0, 1, 16));
    assert_eq!(last.offset, (header.len() as u64).next_multiple_of(32) + 6_274_678_784);
    assert_eq!(manifest.ends, [last.offset + 64]);
}

#[test]
fn a_big_endian_file_is_refused_at_its_version() {
    let header = header("big");
    let mut reader = GgufReader::new();
    assert!(matches!(reader.push(&header[..7]), Ok(Progress::NeedMore { at_least: 1 })));
    let error = reader.push(&header[7..8]).expect_err("big-endian");
    assert_eq!(error, GgufError::BigEndian);
    assert_eq!(error.code(), "MODEL_UNSUPPORTED");
    assert!(error.hint().is_some_and(|hint| hint.contains("little-endian")));
    assert_eq!(Gguf::parse(&header), Err(error));
}

#[test]
fn the_files_of_a_split_know_their_place() {
    let files: Vec<Gguf> = ["split0", "split1", "split2"]
        .map(|name| Gguf::parse(&header(name)).expect("a good header"))
        .into();
    for (number, file) in (0..).zip(&files) {
        let split = Split::read(&file.metadata).expect("numbers").expect("a split file");
        assert_eq!(split, Split { number, count: 3, tensors: Some(3) });
        assert_eq!(file.tensors.len(), 1);
    }
    let [first, second, third] = files.try_into().expect("three");
    // In any order; the numbers of the parts are those of the list.
    let manifest = Manifest::gguf(vec![third, first, second]).expect("a whole model");
    assert_eq!(manifest.metadata.need_str("general.name"), Ok("three"));
    let names: Vec<_> = manifest.weights.iter().map(|weight| weight.name.as_str()).collect();
    assert_eq!(names, ["t2", "t0", "t1"]);
    let whole = Gguf::parse(&header("large")).expect("a good header");
    for weight in &manifest.weights {
        let same = whole.tensors.get(&weight.name).expect("in the whole file too");
        assert_eq!((&weight.extents, weight.bytes), (&same.extents, same.bytes));
    }
    assert_eq!(Split::read(&whole.metadata), Ok(None));
}

#[test]
fn file_types_have_the_names_of_llama_cpp() {
    let mut types = 0;
    for line in TRUTH.lines().filter_map(|line| line.strip_prefix("file_type ")) {
        let (id, name) = line.split_once(' ').expect("an id and a name");
        let name = name.trim_start_matches("MOSTLY_").trim_start_matches("ALL_");
        let mut file = Vec::new();
        let writer =
            GgufWriter::new().metadata("general.file_type", id.parse::<u32>().expect("a number"));
        writer.begin(&mut file).expect("memory").finish().expect("no tensors");
        let summary = Gguf::parse(&file).expect("a good header").summary();
        assert_eq!(summary.file_type.as_deref(), Some(name));
        types += 1;
    }
    assert!(types > 30, "{types} types");
}
