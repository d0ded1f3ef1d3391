//! NumPy's array file: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use sidestage_tensor::{DType, Extents, Tensor};
use std::fmt;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Length of the header before padding must be a multiple of this, with the magic before it.
const ALIGNMENT: usize = 64;

/// NumPy's names of the types, little-endian: in files, and elsewhere. It has no BF16: others know its
/// bits by this name.
const TYPES: &[(DType, &str, &str)] = &[
    (DType::F32, "<f4", "float32"),
    (DType::F64, "<f8", "float64"),
    (DType::F16, "<f2", "float16"),
    (DType::BF16, "<V2", "bfloat16"),
    (DType::I64, "<i8", "int64"),
    (DType::I32, "<i4", "int32"),
    (DType::I16, "<i2", "int16"),
    (DType::I8, "|i1", "int8"),
    (DType::U64, "<u8", "uint64"),
    (DType::U32, "<u4", "uint32"),
    (DType::U16, "<u2", "uint16"),
    (DType::U8, "|u1", "uint8"),
    (DType::Bool, "|b1", "bool"),
];

/// NumPy's name of a type; `None` for those that it has not.
pub fn type_name(dtype: DType) -> Option<&'static str> {
    TYPES.iter().find(|(known, ..)| *known == dtype).map(|(.., name)| *name)
}

/// The type that NumPy names so.
pub fn type_named(name: &str) -> Option<DType> {
    TYPES.iter().find(|(.., known)| *known == name).map(|(dtype, ..)| *dtype)
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpyError {
    /// It is no array file, or is cut off.
    Malformed {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its elements have a type that is not supported.
    Type {
        /// As the file says it.
        descr: String,
    },
    /// There is no memory for it.
    NoMemory {
        /// Bytes.
        bytes: usize,
    },
}

impl NpyError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "NPY_INVALID",
            Self::Type { .. } => "NPY_TYPE_UNSUPPORTED",
            Self::NoMemory { .. } => "OUT_OF_MEMORY",
        }
    }
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { problem } => write!(f, "the array file {problem}"),
            Self::Type { descr } => write!(
                f,
                "elements of type {descr:?}; b1, i1 to i8, u1 to u8, f2, f4 and f8 are read"
            ),
            Self::NoMemory { bytes } => write!(f, "there is no memory for {bytes} bytes"),
        }
    }
}

impl std::error::Error for NpyError {}

/// What stands before an array's bytes, which follow in C order; `None` for types that NumPy has not.
pub fn header(dtype: DType, dims: &[usize]) -> Option<Vec<u8>> {
    let descr = TYPES.iter().find(|(known, ..)| *known == dtype)?.1;
    let extents: Vec<String> = dims.iter().map(usize::to_string).collect();
    // A tuple of one has a comma in Python.
    let comma = if dims.len() == 1 { "," } else { "" };
    let extents = extents.join(", ");
    let mut text =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}{comma}), }}");
    let before = MAGIC.len() + 4;
    let length = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    text.push_str(&" ".repeat(length - 1 - text.len()));
    text.push('\n');
    let mut all = [MAGIC, &[1, 0]].concat();
    // A short dictionary: its length always fits.
    all.extend((length as u16).to_le_bytes());
    all.extend(text.as_bytes());
    Some(all)
}

/// Reads a whole file.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Tensor, NpyError> {
    let wrong = |problem| NpyError::Malformed { problem };
    let rest = bytes.strip_prefix(MAGIC).ok_or(wrong("has another beginning"))?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(wrong("is cut off"))?;
    let (length, rest) = if version[0] == 1 {
        let (length, rest) = rest.split_first_chunk().ok_or(wrong("is cut off"))?;
        (u32::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk().ok_or(wrong("is cut off"))?;
        (u32::from_le_bytes(*length), rest)
    };
    let (text, data) = rest.split_at_checked(length as usize).ok_or(wrong("is cut off"))?;
    let text = std::str::from_utf8(text).map_err(|_| wrong("has a header that is no text"))?;
    let descr = after(text, "descr").and_then(quoted).ok_or(wrong("says no type"))?;
    let (size, big) = (descr.trim_start_matches(['<', '>', '|', '=']), descr.starts_with('>'));
    let known = TYPES.iter().find(|(_, name, _)| name[1..] == *size);
    let unknown = || NpyError::Type { descr: descr.into() };
    let (dtype, ..) = *known.ok_or_else(unknown)?;
    let order = after(text, "fortran_order").ok_or(wrong("says no order"))?;
    let shape = after(text, "shape").and_then(|shape| shape.strip_prefix('('));
    let (shape, _) = shape.and_then(|shape| shape.split_once(')')).ok_or(wrong("says no shape"))?;
    let dims = shape.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let dims = dims.map(str::parse).collect::<Result<Vec<usize>, _>>();
    let dims = dims.map_err(|_| wrong("has a shape that is no list of sizes"))?;
    if dims.len() > Extents::MAX_RANK {
        return Err(wrong("has too many dimensions"));
    }
    let elements = dims.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim));
    let each = dtype.block_bytes();
    let size = elements.and_then(|elements| elements.checked_mul(each));
    let data = size.and_then(|size| data.get(..size)).ok_or(wrong("is cut off"))?;
    let mut turned;
    let mut data = data;
    if big && each > 1 {
        turned = data.to_vec();
        turned.chunks_exact_mut(each).for_each(<[u8]>::reverse);
        data = &turned;
    }
    let flipped;
    if order.starts_with("True") && dims.len() > 1 {
        flipped = transposed(data, &dims, each);
        data = &flipped;
    }
    Tensor::new(dtype, &dims, data).map_err(|_| NpyError::NoMemory { bytes: data.len() })
}

/// What follows a key of the header's dictionary.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(key)?;
    Some(rest.strip_prefix(['\'', '"'])?.trim_start().strip_prefix(':')?.trim_start())
}

/// A text in quotes.
fn quoted(text: &str) -> Option<&str> {
    let mark = text.chars().next().filter(|mark| matches!(mark, '\'' | '"'))?;
    text[1..].split_once(mark).map(|(text, _)| text)
}

/// From the order of columns to that of rows.
fn transposed(data: &[u8], dims: &[usize], each: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(data.len());
    let mut place = vec![0; dims.len()];
    for _ in 0..data.len() / each {
        let from = place.iter().zip(dims).rev().fold(0, |from, (at, dim)| from * dim + at);
        all.extend(&data[from * each..(from + 1) * each]);
        for (at, dim) in place.iter_mut().zip(dims).rev() {
            *at += 1;
            if *at < *dim {
                break;
            }
            *at = 0;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{NpyError, header, read};
    use sidestage_tensor::DType;

    fn file(text: &str, data: &[u8]) -> Vec<u8> {
        let length = (text.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), data].concat()
    }

    #[test]
    fn writes_what_numpy_writes() {
        // np.save of np.array([1, -2.5], '<f4') and of a 1 x 2 array of it.
        let flat = header(DType::F32, &[2]).expect("a type of NumPy");
        assert_eq!(flat.len(), 128);
        assert_eq!(&flat[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(
            flat[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }  ")
        );
        assert_eq!(flat[127], b'\n');
        let rows = header(DType::F32, &[1, 2]).expect("a type of NumPy");
        assert!(
            rows[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }")
        );
    }

    #[test]
    fn reads_what_it_writes() {
        let data = [1, 0, 2, 0, 3, 0];
        let bytes = [header(DType::I16, &[3, 1]).expect("a type of NumPy"), data.into()].concat();
        let read = read(&bytes).expect("an array");
        assert_eq!((read.dtype(), read.dims(), read.bytes()), (DType::I16, &[3, 1][..], &data[..]));
    }

    #[test]
    fn reads_other_orders() {
        let text = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }\n";
        let tensor = read(&file(text, &[0, 1, 0, 2, 0, 3, 0, 4])).expect("an array");
        assert_eq!(tensor.elements::<i16>(), [1, 3, 2, 4]);
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let text = |descr: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")
        };
        assert!(matches!(read(&file(&text("<U4", "(1,)"), &[0; 16])), Err(NpyError::Type { .. })));
        for bad in [
            file(&text("<f4", "(2,)"), &[0; 4]),
            file(&text("<f4", "(-1,)"), &[0; 4]),
            file(&text("<f4", "(99999999999, 99999999999)"), &[0; 4]),
            file("", &[]),
            b"\x93NUMPY\x01\x00\xff".to_vec(),
            b"PK".to_vec(),
        ] {
            assert!(matches!(read(&bad), Err(NpyError::Malformed { .. })));
        }
    }
}
