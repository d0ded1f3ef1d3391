//! Quantised rows equal those of gguf-py 0.19.0 (`gguf.quants.quantize`), bit for bit.

use sidestage_kernels::{dequantize_row, quantize_row, quantizes, supports};
use sidestage_tensor::DType;

/// Made by `make.py`.
const GOLDENS: &str = include_str!("gguf_py.txt");

const TYPES: [DType; 7] =
    [DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1];

fn golden(dtype: DType) -> Vec<u8> {
    let line = GOLDENS.lines().find_map(|line| line.strip_prefix(&format!("{dtype} "))).unwrap();
    let digits = line.as_bytes().chunks_exact(2);
    digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn values() -> Vec<f32> {
    golden(DType::F32).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn rows_equal_the_reference() {
    let values = values();
    for dtype in TYPES {
        assert!(quantizes(dtype) && supports(dtype));
        let expected = golden(dtype);
        let mut ours = vec![0xaa; expected.len()];
        quantize_row(dtype, &values, &mut ours);
        let blocks = expected.chunks(dtype.block_bytes()).zip(ours.chunks(dtype.block_bytes()));
        for (i, (expected, ours)) in blocks.enumerate() {
            let x = &values[i * dtype.block_len()..][..dtype.block_len()];
            assert_eq!(ours, expected, "{dtype} block {i} of {x:?}");
        }
    }
}

#[test]
fn what_is_not_finite_stays_visible() {
    for dtype in TYPES {
        for (at, bad) in [(0, f32::NAN), (17, -f32::NAN), (31, f32::INFINITY)] {
            let mut values = [0.25; 32];
            values[at] = bad;
            let mut bytes = vec![0; dtype.bytes_for(32).unwrap() as usize];
            quantize_row(dtype, &values, &mut bytes);
            let mut back = [0.0; 32];
            dequantize_row(dtype, &bytes, &mut back);
            assert!(!back[at].is_finite(), "{dtype}: {bad} became {}", back[at]);
        }
    }
}

#[test]
fn plain_floats_are_widened_exactly() {
    // All halves, and a rest that is no whole vector.
    let halves: Vec<u8> = (0..=u16::MAX).chain([1, 2, 3]).flat_map(u16::to_le_bytes).collect();
    let mut out = vec![0.0; halves.len() / 2];
    dequantize_row(DType::F16, &halves, &mut out);
    for (bytes, value) in halves.as_chunks().0.iter().zip(&out) {
        let exact = half::f16::from_le_bytes(*bytes).to_f32();
        assert!(exact.to_bits() == value.to_bits() || exact.is_nan() && value.is_nan());
    }
    let mut back = vec![0; halves.len()];
    let kept: Vec<f32> = out.iter().map(|x| if x.is_nan() { 0.0 } else { *x }).collect();
    quantize_row(DType::F16, &kept, &mut back);
    for ((bytes, back), value) in halves.chunks(2).zip(back.chunks(2)).zip(&out) {
        assert!(value.is_nan() || bytes == back);
    }
}
