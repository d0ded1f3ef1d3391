//! `sidestage quantize`: a GGUF file with its matrices in another type.

use crate::args::QuantizeArgs;
use crate::error::CliError;
use crate::model_file::ModelFile;
use sidestage_engine::error;
use sidestage_formats::TensorInfo;
use sidestage_formats::gguf::{Gguf, GgufWriter, WriteError};
use sidestage_kernels::{dequantize_row, quantize_row, quantizes, supports};
use sidestage_tensor::DType;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom};

/// Which type the matrices of a file were in; none that is read here depends on it.
const FILE_TYPE: &str = "general.file_type";

pub(crate) fn run(args: &QuantizeArgs) -> Result<(), CliError> {
    let dtype = dtype(&args.dtype)?;
    let mut file = ModelFile::open(&args.model)?;
    let gguf: Gguf = file.gguf()?;
    gguf.check_length(file.length).map_err(CliError::engine)?;
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata.iter().filter(|(key, _)| *key != FILE_TYPE) {
        writer = writer.metadata(key, value.clone());
    }
    for info in gguf.tensors.iter() {
        writer = writer.tensor(&info.name, target(info, dtype), &info.extents);
    }
    let unwritable = |error| CliError::Unwritable { path: args.out.clone(), error };
    let refused = |problem| match problem {
        WriteError::Io(error) => unwritable(error),
        WriteError::Invalid(error) => CliError::engine(error),
        other => CliError::engine(error("MODEL_INVALID", other.to_string())),
    };
    let out = BufWriter::new(File::create(&args.out).map_err(unwritable)?);
    let mut body = writer.begin(out).map_err(refused)?;
    for info in gguf.tensors.iter() {
        let mut bytes = vec![0; info.bytes as usize];
        let read = file
            .file
            .seek(SeekFrom::Start(info.offset))
            .and_then(|_| file.file.read_exact(&mut bytes));
        read.map_err(|error| file.unreadable(error))?;
        let to = target(info, dtype);
        if to == info.dtype {
            body.write(&bytes).map_err(refused)?;
            continue;
        }
        let width = info.extents.last().map_or(0, |&width| width as usize);
        let from = info.dtype.bytes_for(width as u64).unwrap_or(0) as usize;
        let mut values = vec![0.0; width];
        let mut row = vec![0; to.bytes_for(width as u64).unwrap_or(0) as usize];
        for bytes in bytes.chunks_exact(from) {
            dequantize_row(info.dtype, bytes, &mut values);
            quantize_row(to, &values, &mut row);
            body.write(&row).map_err(refused)?;
        }
    }
    body.finish().map_err(refused)?;
    Ok(())
}

/// The type asked for, of matrices whose rows are whole blocks of it; else the one that it has.
fn target(info: &TensorInfo, dtype: DType) -> DType {
    let whole = |width: &u64| *width > 0 && dtype.bytes_for(*width).is_some();
    let matrix = info.extents.len() > 1 && supports(info.dtype);
    if matrix && info.extents.last().is_some_and(whole) { dtype } else { info.dtype }
}

fn dtype(name: &str) -> Result<DType, CliError> {
    let found =
        DType::all().find(|dtype| quantizes(*dtype) && dtype.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<String> = DType::all()
            .filter(|dtype| quantizes(*dtype))
            .map(|dtype| dtype.name().to_ascii_lowercase())
            .collect();
        let problem = format!("{name:?} is not one of {}", names.join(", "));
        CliError::Argument { name: "--dtype", problem }
    })
}
