use super::Placement;
use proptest::prelude::*;
use sidestage_formats::gguf::Metadata;
use sidestage_formats::{Manifest, Part, RowOrder, TensorInfo, WeightIndex};
use sidestage_kernels::arrange;
use sidestage_lm::Weights;
use sidestage_tensor::DType;

/// A file's weight before it is placed: `[rows, width]`, numbers that all formats hold exactly.
fn number(file: u32, index: u64) -> f32 {
    (index % 61) as f32 - 30.0 + file as f32 / 4.0
}

fn bytes(dtype: DType, value: f32) -> Vec<u8> {
    match dtype {
        DType::F16 => half::f16::from_f32(value).to_le_bytes().into(),
        DType::BF16 => half::bf16::from_f32(value).to_le_bytes().into(),
        _ => value.to_le_bytes().into(),
    }
}

fn weight(name: &str, dtype: DType, extents: &[u64]) -> TensorInfo {
    let bytes = dtype.bytes_for(extents.iter().product()).unwrap();
    TensorInfo { name: name.into(), dtype, extents: extents.into(), offset: 0, bytes }
}

struct Case {
    manifest: Manifest,
    files: Vec<Vec<u8>>,
    /// What each weight must hold in the end.
    expected: Vec<Vec<u8>>,
}

/// Two files: one weight of each kind, with gaps before, between and behind, and a third one that
/// holds nothing needed.
fn case() -> Case {
    let (f32, f16, bf16) = (DType::F32, DType::F16, DType::BF16);
    let pairs = RowOrder::Pairs { head: 6 };
    let grouped = RowOrder::Grouped { groups: 2, queries: 2, head: 3 };
    // File, weight, source, rows, width, first, order, add, transposed.
    type Row = (u32, u32, DType, u64, u64, u64, RowOrder, f32, bool);
    let rows: [Row; 8] = [
        (0, 0, f32, 1, 40, 0, RowOrder::Same, 0.0, false),
        (0, 1, bf16, 1, 40, 0, RowOrder::Same, 1.0, false),
        (0, 2, f16, 12, 700, 0, pairs, 0.0, false),
        (0, 3, f16, 24, 5, 0, grouped, 0.0, false),
        (2, 4, bf16, 7, 9, 0, RowOrder::Same, 0.0, true),
        (2, 5, bf16, 3, 8, 3, RowOrder::Same, 0.0, false),
        (2, 5, bf16, 3, 8, 0, RowOrder::Same, 0.0, false),
        (2, 6, f16, 90, 401, 0, RowOrder::Same, 0.0, false),
    ];
    let weights = vec![
        weight("whole", f32, &[40]),
        weight("norm", f32, &[40]),
        weight("direct", f16, &[12, 700]),
        weight("staged", f16, &[24, 5]),
        weight("transposed", f32, &[7, 9]),
        weight("experts", bf16, &[2, 3, 8]),
        weight("long", f32, &[90, 401]),
    ];
    let mut files = vec![vec![0xEE; 13], vec![0xEE; 99], vec![0xEE; 70_000]];
    let mut expected: Vec<Vec<u8>> = weights.iter().map(|w| vec![0; w.bytes as usize]).collect();
    let mut parts = Vec::new();
    for (file, weight, source, rows, width, first, order, add, transposed) in rows {
        let data = &mut files[file as usize];
        let offset = data.len() as u64;
        let target = weights[weight as usize].dtype;
        for index in 0..rows * width {
            data.extend(bytes(source, number(file, index)));
            let (row, column) = match transposed {
                true => (index % rows, index / rows),
                false => (index / width, index % width),
            };
            let to = ((first + order.target(row)) * width + column) as usize;
            let value = bytes(target, number(file, index) + add);
            expected[weight as usize][to * value.len()..][..value.len()].copy_from_slice(&value);
        }
        let bytes = data.len() as u64 - offset;
        data.extend([0xEE; 17]);
        let part = Part {
            file,
            offset,
            bytes,
            weight,
            source,
            rows,
            width,
            first,
            order,
            add,
            transposed,
        };
        parts.push(part);
    }
    // Where the kernels read them in groups of rows.
    for (weight, bytes) in weights.iter().zip(&mut expected) {
        if let [.., rows, width] = weight.extents[..] {
            arrange(weight.dtype, (rows as usize, width as usize), bytes);
        }
    }
    let ends = files.iter().map(|file| file.len() as u64).collect();
    let weights = WeightIndex::new(weights).unwrap();
    let manifest =
        Manifest { metadata: Metadata::default(), weights, parts, values: Vec::new(), ends };
    Case { manifest, files, expected }
}

fn place(case: &Case, names: &[&str]) -> Placement {
    let sizes = names.iter().map(|name| case.manifest.weights.get(name).unwrap().bytes as usize);
    let weights = Weights::allocate(&sizes.collect::<Vec<_>>()).unwrap();
    Placement::of(names.iter().copied(), &case.manifest, weights).unwrap()
}

const ALL: [&str; 7] = ["long", "whole", "norm", "direct", "staged", "transposed", "experts"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the windows asked for, the shares of them that come, and the readings given up
    /// and begun anew, at the place named or before it.
    #[test]
    fn every_byte_finds_its_place(
        steps in prop::collection::vec((1_usize..9000, 1_usize..9000, 0_u8..20), 1..40),
    ) {
        let case = case();
        let mut placement = place(&case, &ALL);
        let mut steps = steps.into_iter().cycle();
        let mut at = None;
        let mut again_left = 30_i32;
        while let Some(position) = placement.position() {
            prop_assert_ne!(position.0, 1, "a file that holds nothing needed");
            let (want, share, again) = steps.next().unwrap();
            if (again == 0 && again_left > 0) || at.is_some_and(|at| at != position) {
                again_left -= 1;
                let back = position.1.min(share as u64);
                placement.begin(position.0, position.1 - back);
            }
            let (file, offset) = placement.position().unwrap();
            let window = placement.window(want);
            prop_assert!((1..=want).contains(&window.len()));
            let count = share.min(window.len());
            window[..count].copy_from_slice(&case.files[file as usize][offset as usize..][..count]);
            placement.wrote(count);
            at = Some((file, offset + count as u64));
        }
        prop_assert!(placement.is_done() && placement.window(1).is_empty());
        let weights = placement.into_weights();
        for (at, name) in ALL.iter().enumerate() {
            let index = case.manifest.weights.position(name).unwrap();
            prop_assert!(weights.get(at) == case.expected[index], "{}", name);
        }
    }
}

#[test]
fn bytes_that_stay_as_they_are_are_copied_once() {
    let case = case();
    let mut placement = place(&case, &["whole", "direct"]);
    assert_eq!(placement.position(), Some((0, 13)));
    assert_eq!(placement.window(1 << 20).len(), 160);
    let inside = placement.window(1 << 20).as_ptr();
    placement.copy(&case.files[0][13..173]);
    assert_eq!(placement.position(), Some((0, 173)));
    let gap = case.manifest.parts[2].offset - 173;
    assert_eq!(placement.window(1 << 20).len() as u64, gap);
    placement.copy(&case.files[0][173..][..gap as usize]);
    // Row by row, as rows change places.
    assert_eq!(placement.window(1 << 20).len(), 1400);
    assert!(placement.stage.is_empty());
    assert_eq!(placement.into_weights().get(0).as_ptr(), inside);
}

#[test]
fn a_reading_that_does_not_fit_is_ignored() {
    let case = case();
    let mut placement = place(&case, &["long"]);
    let first = placement.position().unwrap();
    for (file, offset) in [(0, 0), (2, first.1 + 1), (9, 0)] {
        placement.begin(file, offset);
        assert_eq!(placement.position(), Some(first));
    }
    placement.begin(2, 5);
    assert_eq!(placement.position(), Some((2, 5)));
}

/// A file of 6 GB, of which this reads a few bytes where they lie.
#[test]
fn what_lies_past_4_gb_is_asked_for_there() {
    let mut case = case();
    let far = 6_000_000_000;
    for part in &mut case.manifest.parts {
        part.offset += if part.file == 0 { far } else { 0 };
    }
    let mut placement = place(&case, &["whole", "norm"]);
    let mut position = far + 13;
    for part in &case.manifest.parts[..2] {
        assert_eq!(placement.position(), Some((0, position)));
        position = part.offset + part.bytes;
        // A server that takes no ranges begins elsewhere: the gap is dropped in pieces.
        placement.begin(0, part.offset - (1 << 32) - 7);
        assert_eq!(placement.window(usize::MAX).len(), super::GAP_BYTES);
        placement.begin(0, part.offset);
        let start = (part.offset - far) as usize;
        placement.copy(&case.files[0][start..][..part.bytes as usize]);
    }
    assert!(placement.is_done());
    let weights = placement.into_weights();
    assert!(weights.get(0) == case.expected[0] && weights.get(1) == case.expected[1]);
}
