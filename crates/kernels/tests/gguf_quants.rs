//! Dequantised values equal those of gguf-py 0.19.0 (`gguf.quants.dequantize`), the reference
//! implementation of the format.

use sidestage_kernels::{dequantize_row, embed, supports};
use sidestage_tensor::DType;
use std::path::PathBuf;

const TYPES: [DType; 25] = [
    DType::F16,
    DType::BF16,
    DType::Q8_0,
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::Q2_K,
    DType::Q3_K,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
    DType::IQ1_S,
    DType::IQ1_M,
    DType::IQ2_XXS,
    DType::IQ2_XS,
    DType::IQ2_S,
    DType::IQ3_XXS,
    DType::IQ3_S,
    DType::IQ4_NL,
    DType::IQ4_XS,
    DType::TQ1_0,
    DType::TQ2_0,
    DType::MXFP4,
    DType::NVFP4,
];

#[test]
fn values_equal_the_reference() {
    let Some(folder) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("SIDESTAGE_TESTDATA is not set: dequantised values were not compared");
        return;
    };
    let folder = PathBuf::from(folder).join("gguf-quants");
    for dtype in TYPES {
        assert!(supports(dtype));
        let read = |end| std::fs::read(folder.join(format!("{dtype}.{end}"))).unwrap();
        let (bytes, floats) = (read("bin"), read("f32"));
        let expected: Vec<f32> =
            floats.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(dtype.bytes_for(expected.len() as u64), Some(bytes.len() as u64));
        let mut ours = vec![f32::NAN; expected.len()];
        dequantize_row(dtype, &bytes, &mut ours);
        for (i, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
            let same = ours == expected && ours.is_sign_negative() == expected.is_sign_negative();
            assert!(same, "{dtype} value {i}: {ours}, expected {expected}");
        }
        let width = dtype.block_len() * 2;
        let mut row = vec![f32::NAN; width];
        embed(dtype, &bytes, width, 1, &mut row);
        assert_eq!(row, ours[width..2 * width], "{dtype}: row 1 of a table");
    }
}
