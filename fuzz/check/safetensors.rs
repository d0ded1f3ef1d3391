//! What must hold for any bytes taken as a Hugging Face folder. The fuzz target runs it on new
//! inputs, a test of `crates/formats` on the corpus.

use crate::peak;
use sidestage_formats::huggingface::Folder;
use sidestage_formats::safetensors::{
    Progress, SafetensorsError, SafetensorsHeader, SafetensorsReader,
};
use sidestage_formats::{Manifest, Part};
use sidestage_tensor::DType;

/// An input is a byte that chooses chunks and type, `config.json` up to a zero byte, and a
/// safetensors file. The configuration is also taken for the other two files of JSON.
pub(crate) fn check(input: &[u8]) {
    let Some((&seed, rest)) = input.split_first() else { return };
    let Some(end) = rest.iter().position(|byte| *byte == 0) else { return };
    let (config, file) = (&rest[..end], &rest[end + 1..]);
    let (whole, bytes) = peak::of(|| parse(file, usize::MAX));
    assert!(bytes <= 64 * file.len() + 4096, "{bytes} bytes of memory for {}", file.len());
    let chunked = parse(file, 1 + usize::from(seed % 32));
    assert_eq!(whole, chunked);
    if let Ok(header) = &whole {
        consistent(header);
    }
    let index = (seed & 64 != 0).then_some(config);
    let folder = match Folder::read(config, Some(config), index) {
        Ok(folder) => folder,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    for name in folder.files() {
        assert!(
            !name.starts_with('/') && !name.contains("..") || !name.split('/').any(|p| p == "..")
        );
    }
    let Ok(header) = whole else { return };
    let types = [None, Some(DType::Q8_0), Some(DType::Q4_K), Some(DType::Q2_K)];
    let dtype = types[usize::from(seed) / 32 % 4];
    let headers = vec![header; folder.files().len()];
    let room = input.len();
    let (manifest, bytes) = peak::of(|| Manifest::huggingface(&folder, headers, dtype));
    // Lists with an entry for each layer, or each pair of a head, are as long as a number says.
    assert!(bytes <= 64 * room + (4 << 20), "{bytes} bytes of memory for {room}");
    match manifest {
        Ok(manifest) => filled(&manifest),
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}

fn parse(file: &[u8], size: usize) -> Result<SafetensorsHeader, SafetensorsError> {
    let mut reader = SafetensorsReader::new();
    for chunk in file.chunks(size) {
        match reader.push(chunk) {
            Ok(Progress::Done { header, header_bytes }) => {
                assert!(header_bytes <= file.len() as u64 && header_bytes <= header.end);
                assert_eq!(reader.push(&[]), Err(SafetensorsError::Ended));
                return Ok(header);
            }
            Ok(Progress::NeedMore { at_least }) => assert!(at_least > 0),
            Err(error) => {
                assert!(!error.code().is_empty() && !error.to_string().is_empty());
                assert_eq!(reader.push(&[]), Err(SafetensorsError::Ended));
                return Err(error);
            }
        }
    }
    Err(reader.truncated())
}

/// What a manifest relies on without checking it again.
fn consistent(header: &SafetensorsHeader) {
    let mut last = 8;
    for tensor in &header.tensors {
        assert!(tensor.offset >= last);
        last = tensor.offset.checked_add(tensor.bytes).expect("an end");
        if let Some(dtype) = tensor.dtype {
            let elements = tensor.extents.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
            assert_eq!(elements.and_then(|n| dtype.bytes_for(n)), Some(tensor.bytes));
        }
    }
    assert!(header.end >= last);
}

/// What a placement relies on: parts in order, and each row of each weight from one part.
fn filled(manifest: &Manifest) {
    let mut last = (0, 0);
    let mut rows = vec![0_u64; manifest.weights.len()];
    for part in &manifest.parts {
        let Part { file, offset, bytes, weight, source, width, .. } = *part;
        assert!((file, offset) >= last);
        last = (file, offset + bytes);
        assert!(bytes > 0 && part.rows > 0);
        assert_eq!(part.rows.checked_mul(width).and_then(|n| source.bytes_for(n)), Some(bytes));
        let target = &manifest.weights.as_slice()[weight as usize];
        assert_eq!(target.dtype.bytes_for(target.extents.iter().product()), Some(target.bytes));
        assert!(target.dtype.bytes_for(width).is_some());
        let all = target.extents.iter().product::<u64>() / width;
        assert!(part.first + part.rows <= all);
        rows[weight as usize] += part.rows;
        if part.rows <= 1 << 12 {
            let mut to: Vec<u64> = (0..part.rows).map(|row| part.order.target(row)).collect();
            to.sort_unstable();
            assert!(to.into_iter().eq(0..part.rows), "rows that collide");
        }
    }
    for (part, weight) in manifest.parts.iter().map(|part| (part, part.weight as usize)) {
        let elements: u64 = manifest.weights.as_slice()[weight].extents.iter().product();
        assert_eq!(rows[weight], elements / part.width, "rows that nobody fills");
    }
    for computed in &manifest.values {
        let weight = &manifest.weights.as_slice()[computed.weight as usize];
        assert_eq!(weight.bytes, 4 * computed.values.len() as u64);
    }
}
