//! Arrays of a `.npz` file: a ZIP archive of `.npy` files
//! ([NumPy's format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)).

use std::collections::BTreeMap;

/// The `f32` arrays of an archive, flat, by name without `.npy`.
pub(crate) fn read(zip: &[u8]) -> BTreeMap<String, Vec<f32>> {
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
        arrays.insert(name.trim_end_matches(".npy").to_owned(), array(&file));
    }
    arrays
}

fn array(npy: &[u8]) -> Vec<f32> {
    assert_eq!(&npy[..8], b"\x93NUMPY\x01\0");
    let start = 10 + u16::from_le_bytes([npy[8], npy[9]]) as usize;
    let header = String::from_utf8_lossy(&npy[10..start]);
    assert!(header.contains("'descr': '<f4'") && header.contains("'fortran_order': False"));
    npy[start..].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
