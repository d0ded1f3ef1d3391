//! Arrays of a `.npz` file: a ZIP archive of `.npy` files
//! ([NumPy's format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)).

use sidestage_formats::npy;
use sidestage_tensor::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

/// The arrays of an archive, by name without `.npy`.
///
/// # Panics
/// If it is not what it should be.
pub fn read(path: &Path) -> BTreeMap<String, Tensor> {
    let zip = std::fs::read(path).expect("the archive is there");
    let u16 = |at: usize| u16::from_le_bytes([zip[at], zip[at + 1]]) as usize;
    let u32 = |at: usize| u16(at) | u16(at + 2) << 16;
    // The end record has 22 bytes; these archives have no comment after it.
    let end = zip.len() - 22;
    assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
    let mut at = u32(end + 16);
    let mut arrays = BTreeMap::new();
    for _ in 0..u16(end + 10) {
        assert_eq!(&zip[at..at + 4], b"PK\x01\x02");
        let (method, packed, local) = (u16(at + 10), u32(at + 20), u32(at + 42));
        let name = String::from_utf8_lossy(&zip[at + 46..][..u16(at + 28)]).into_owned();
        at += 46 + u16(at + 28) + u16(at + 30) + u16(at + 32);
        let bytes = &zip[local + 30 + u16(local + 26) + u16(local + 28)..][..packed];
        let file = match method {
            0 => bytes.to_vec(),
            8 => miniz_oxide::inflate::decompress_to_vec(bytes).expect("deflated bytes"),
            _ => panic!("{name} is packed by method {method}"),
        };
        let array = npy::read(&file).expect("an array");
        arrays.insert(name.trim_end_matches(".npy").to_owned(), array);
    }
    arrays
}
