//! Quantised rows equal those of gguf-py 0.19.0 (`gguf.quants.quantize`), bit for bit; K types, which
//! it cannot make, are near the values.

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
    for dtype in TYPES.into_iter().chain([DType::Q4_K, DType::Q5_K, DType::Q6_K]) {
        for (at, bad) in [(0, f32::NAN), (17, -f32::NAN), (31, f32::INFINITY)] {
            let mut values = [0.25; 256];
            values[at] = bad;
            let mut bytes = vec![0; dtype.bytes_for(256).unwrap() as usize];
            quantize_row(dtype, &values, &mut bytes);
            let mut back = [0.0; 256];
            dequantize_row(dtype, &bytes, &mut back);
            assert!(!back[at].is_finite(), "{dtype}: {bad} became {}", back[at]);
        }
    }
}

/// Normally distributed values (Box and Muller), as weights are.
fn normal(count: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f64 + 0.5) / f64::from(1 << 24)
    };
    let mut one = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count).map(|_| (one() * 0.02) as f32).collect()
}

/// The error of a type, in standard deviations of the values.
fn error(dtype: DType, values: &[f32]) -> f64 {
    let mut bytes = vec![0; dtype.bytes_for(values.len() as u64).unwrap() as usize];
    quantize_row(dtype, values, &mut bytes);
    let mut back = vec![f32::NAN; values.len()];
    dequantize_row(dtype, &bytes, &mut back);
    let squares = |of: &mut dyn Iterator<Item = f64>| of.map(|x| x * x).sum::<f64>();
    let difference = |(x, y): (&f32, &f32)| f64::from(x - y);
    let errors = squares(&mut values.iter().zip(&back).map(difference));
    (errors / squares(&mut values.iter().map(|x| f64::from(*x)))).sqrt()
}

#[test]
fn k_types_are_nearer_than_simple_ones_of_their_size() {
    let values = normal(256 * 64);
    let [q4_0, q5_0, q8_0] = [DType::Q4_0, DType::Q5_0, DType::Q8_0].map(|d| error(d, &values));
    let [q4_k, q5_k, q6_k] = [DType::Q4_K, DType::Q5_K, DType::Q6_K].map(|d| error(d, &values));
    println!("Q4_0 {q4_0:.4} Q5_0 {q5_0:.4} Q8_0 {q8_0:.4}");
    println!("Q4_K {q4_k:.4} Q5_K {q5_k:.4} Q6_K {q6_k:.4}");
    assert!(q4_k < 0.86 * q4_0 && q5_k < 0.87 * q5_0, "{q4_k} {q5_k}");
    assert!(q8_0 < q6_k && q6_k < 0.6 * q5_k, "{q6_k}");
}

#[test]
fn k_types_take_any_range() {
    for dtype in [DType::Q4_K, DType::Q5_K, DType::Q6_K] {
        let flat = |x: f32| error(dtype, &[x; 256]);
        assert!(flat(1.0) < 0.01 && flat(-1.0) < 0.01, "{dtype}");
        assert!(error(dtype, &[0.0; 256]).is_nan(), "{dtype}: zero stays zero");
        // Parts of very different sizes, all of one sign, one value alone.
        let range: Vec<f32> =
            (0..256).map(|i| (1 + i / 32) as f32 + (i % 7) as f32 / 7.0).collect();
        assert!(error(dtype, &range) < 0.03, "{dtype}: {}", error(dtype, &range));
        let mut lone = [0.0; 256];
        lone[77] = -3.0;
        assert!(error(dtype, &lone) < 0.01, "{dtype}: {}", error(dtype, &lone));
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
