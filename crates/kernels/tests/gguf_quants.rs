//! Dequantised values equal those of gguf-py 0.19.0 (`gguf.quants.dequantize`), the reference
//! implementation of the format.

use sidestage_kernels::{arrange, dequantize_row, embed, supports};
use sidestage_tensor::DType;
use std::path::PathBuf;

#[test]
fn values_equal_the_reference() {
    let Some(folder) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("SIDESTAGE_TESTDATA is not set: dequantised values were not compared");
        return;
    };
    let folder = PathBuf::from(folder).join("gguf-quants");
    let types: Vec<DType> =
        DType::all().filter(|dtype| supports(*dtype) && *dtype != DType::F32).collect();
    assert_eq!(types.len(), 25);
    for dtype in types {
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
        let (width, mut table) = (dtype.block_len(), bytes);
        let rows = ours.len() / width;
        arrange(dtype, (rows, width), &mut table);
        let mut row = vec![f32::NAN; width];
        for (index, expected) in ours.chunks_exact(width).enumerate() {
            embed(dtype, &table, (rows, width), index, &mut row);
            assert_eq!(row, expected, "{dtype}: row {index} of a table");
        }
    }
}
