/// An element type: the GGML types by their GGUF names, the other plain types of graphs (ONNX,
/// "TensorProto.DataType"), and [`DType::Act8`], which exists only at run time.
///
/// Source of the ids and block sizes: `ggml.h` / the GGUF specification, "ggml_type".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(
    non_camel_case_types,
    missing_docs,
    reason = "GGUF's own names; the table below says what they are"
)]
pub enum DType {
    F32,
    F16,
    BF16,
    F64,
    I8,
    I16,
    I32,
    I64,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
    IQ1_S,
    IQ1_M,
    IQ2_XXS,
    IQ2_XS,
    IQ2_S,
    IQ3_XXS,
    IQ3_S,
    IQ4_NL,
    IQ4_XS,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    /// A byte, 0 or 1.
    Bool,
    U8,
    U16,
    U32,
    U64,
    /// Integers of 4 and 2 bits, a byte each; the signed ones with their sign in the whole byte.
    I4,
    U4,
    I2,
    U2,
    /// Numbers with a fraction, a byte each, by the bits of exponent and mantissa. `UZ`: without
    /// infinities and without a negative 0 (ONNX, `FNUZ`).
    F8E4M3,
    F8E4M3UZ,
    F8E5M2,
    F8E5M2UZ,
    F4E2M1,
    /// Powers of two.
    F8E8M0,
    /// Activations quantised to 8 bits, 32 values a block ([`crate::blocks::Act8`]).
    Act8,
}

/// One row of the table of types: the type, its id in GGUF (`None`: not there), its name,
/// elements per block, bytes per block.
type Row = (DType, Option<u32>, &'static str, usize, usize);

const TABLE: &[Row] = &[
    (DType::F32, Some(0), "F32", 1, 4),
    (DType::F16, Some(1), "F16", 1, 2),
    (DType::Q4_0, Some(2), "Q4_0", 32, 18),
    (DType::Q4_1, Some(3), "Q4_1", 32, 20),
    (DType::Q5_0, Some(6), "Q5_0", 32, 22),
    (DType::Q5_1, Some(7), "Q5_1", 32, 24),
    (DType::Q8_0, Some(8), "Q8_0", 32, 34),
    (DType::Q8_1, Some(9), "Q8_1", 32, 36),
    (DType::Q2_K, Some(10), "Q2_K", 256, 84),
    (DType::Q3_K, Some(11), "Q3_K", 256, 110),
    (DType::Q4_K, Some(12), "Q4_K", 256, 144),
    (DType::Q5_K, Some(13), "Q5_K", 256, 176),
    (DType::Q6_K, Some(14), "Q6_K", 256, 210),
    (DType::Q8_K, Some(15), "Q8_K", 256, 292),
    (DType::IQ2_XXS, Some(16), "IQ2_XXS", 256, 66),
    (DType::IQ2_XS, Some(17), "IQ2_XS", 256, 74),
    (DType::IQ3_XXS, Some(18), "IQ3_XXS", 256, 98),
    (DType::IQ1_S, Some(19), "IQ1_S", 256, 50),
    (DType::IQ4_NL, Some(20), "IQ4_NL", 32, 18),
    (DType::IQ3_S, Some(21), "IQ3_S", 256, 110),
    (DType::IQ2_S, Some(22), "IQ2_S", 256, 82),
    (DType::IQ4_XS, Some(23), "IQ4_XS", 256, 136),
    (DType::I8, Some(24), "I8", 1, 1),
    (DType::I16, Some(25), "I16", 1, 2),
    (DType::I32, Some(26), "I32", 1, 4),
    (DType::I64, Some(27), "I64", 1, 8),
    (DType::F64, Some(28), "F64", 1, 8),
    (DType::IQ1_M, Some(29), "IQ1_M", 256, 56),
    (DType::BF16, Some(30), "BF16", 1, 2),
    (DType::TQ1_0, Some(34), "TQ1_0", 256, 54),
    (DType::TQ2_0, Some(35), "TQ2_0", 256, 66),
    (DType::MXFP4, Some(39), "MXFP4", 32, 17),
    (DType::NVFP4, Some(40), "NVFP4", 64, 36),
    (DType::Bool, None, "BOOL", 1, 1),
    (DType::U8, None, "U8", 1, 1),
    (DType::U16, None, "U16", 1, 2),
    (DType::U32, None, "U32", 1, 4),
    (DType::U64, None, "U64", 1, 8),
    (DType::I4, None, "I4", 1, 1),
    (DType::U4, None, "U4", 1, 1),
    (DType::I2, None, "I2", 1, 1),
    (DType::U2, None, "U2", 1, 1),
    (DType::F8E4M3, None, "F8E4M3", 1, 1),
    (DType::F8E4M3UZ, None, "F8E4M3UZ", 1, 1),
    (DType::F8E5M2, None, "F8E5M2", 1, 1),
    (DType::F8E5M2UZ, None, "F8E5M2UZ", 1, 1),
    (DType::F4E2M1, None, "F4E2M1", 1, 1),
    (DType::F8E8M0, None, "F8E8M0", 1, 1),
    (DType::Act8, None, "Act8", 32, 44),
];

impl DType {
    fn row(self) -> &'static Row {
        // Every variant has a row: `every_type_has_a_row` below.
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[0])
    }

    /// All types, those of files in the order of their ids.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The type with this id in a GGUF file.
    pub fn from_ggml(id: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == Some(id)).map(|row| row.0)
    }

    /// The plain type with this number in ONNX (`TensorProto.DataType`); `None` for texts and complex
    /// numbers.
    pub fn from_onnx(id: i64) -> Option<Self> {
        Some(match id {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            4 => Self::U16,
            5 => Self::I16,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            12 => Self::U32,
            13 => Self::U64,
            16 => Self::BF16,
            17 => Self::F8E4M3,
            18 => Self::F8E4M3UZ,
            19 => Self::F8E5M2,
            20 => Self::F8E5M2UZ,
            21 => Self::U4,
            22 => Self::I4,
            23 => Self::F4E2M1,
            24 => Self::F8E8M0,
            25 => Self::U2,
            26 => Self::I2,
            _ => return None,
        })
    }

    /// Its id in a GGUF file; `None` for types that it does not have.
    pub fn ggml_id(self) -> Option<u32> {
        self.row().1
    }

    /// Its name as GGUF tools print it.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Elements in one block; 1 for plain types.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of one block; the element size for plain types.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// Whether values are stored in blocks with scales.
    pub fn is_quantized(self) -> bool {
        self.block_len() > 1
    }

    /// Whether an element stands for itself: neither in blocks nor with a scale.
    pub fn is_plain(self) -> bool {
        self.block_len() == 1
    }

    /// Bytes of `elements` consecutive elements, or `None` if they are not whole blocks or the
    /// size does not fit.
    pub fn bytes_for(self, elements: u64) -> Option<u64> {
        let (_, _, _, len, bytes) = *self.row();
        elements
            .is_multiple_of(len as u64)
            .then(|| (elements / len as u64).checked_mul(bytes as u64))?
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_row() {
        // `Act8` is the last variant, so its discriminant counts the others.
        assert_eq!(TABLE.len(), DType::Act8 as usize + 1);
        for row in TABLE {
            assert_eq!(row.0.name(), row.2);
            assert_eq!(row.1.and_then(DType::from_ggml), row.1.map(|_| row.0));
        }
    }

    #[test]
    fn sizes_count_whole_blocks() {
        assert_eq!(DType::Q4_0.bytes_for(64), Some(36));
        assert_eq!(DType::Q4_0.bytes_for(33), None);
        assert_eq!(DType::F64.bytes_for(u64::MAX), None);
    }
}
