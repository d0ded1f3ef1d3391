//! NumPy's array file, version 1.0:
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io::{self, Write};

/// Length of the header before padding must be a multiple of this, with the magic before it.
const ALIGNMENT: usize = 64;

/// Starts a file of float32 values in C order. `shape`'s product is the number of values to come.
///
/// # Errors
/// What `out` reports.
pub(crate) fn begin(out: &mut impl Write, shape: &[usize]) -> io::Result<()> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    // A tuple of one has a comma in Python.
    let comma = if shape.len() == 1 { "," } else { "" };
    let extents = extents.join(", ");
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({extents}{comma}), }}");
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let length = (MAGIC.len() + 2 + header.len() + 1).next_multiple_of(ALIGNMENT);
    let padding = length - MAGIC.len() - 2 - header.len() - 1;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    out.write_all(MAGIC)?;
    // The header is a short dictionary: its length always fits.
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())
}

/// Goes on with these values.
///
/// # Errors
/// What `out` reports.
pub(crate) fn append(out: &mut impl Write, values: &[f32]) -> io::Result<()> {
    values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{append, begin};

    #[test]
    fn writes_what_numpy_writes() {
        // np.save of np.array([1, -2.5], '<f4') and of a 1 x 2 array of it.
        let mut flat = Vec::new();
        begin(&mut flat, &[2]).expect("memory takes all");
        append(&mut flat, &[1.0, -2.5]).expect("memory takes all");
        assert_eq!(flat.len(), 128 + 8);
        assert_eq!(&flat[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(
            flat[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }  ")
        );
        assert_eq!(flat[127], b'\n');
        assert_eq!(&flat[128..], [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
        let mut rows = Vec::new();
        begin(&mut rows, &[1, 2]).expect("memory takes all");
        assert!(
            rows[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }")
        );
    }
}
