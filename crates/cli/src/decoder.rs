//! A model file's decoder, for the commands that want numbers instead of text.

use crate::error::CliError;
use crate::model_file::ModelFile;
use sidestage_formats::gguf::Gguf;
use sidestage_lm::{Decoder, DecoderOptions, DecoderPlan};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Loads the decoder of a GGUF file.
///
/// # Errors
/// [`CliError::Unreadable`]; [`CliError::Engine`] for a file that is no model.
pub(crate) fn load(path: &Path, options: DecoderOptions) -> Result<Decoder, CliError> {
    let mut file = ModelFile::open(path)?;
    let gguf: Gguf = file.gguf()?;
    gguf.check_length(file.length).map_err(CliError::engine)?;
    let plan =
        DecoderPlan::new(&gguf.metadata, &gguf.tensors, options).map_err(CliError::engine)?;
    let mut weights = plan.allocate(None).map_err(CliError::engine)?;
    for (index, (name, _)) in plan.weights().enumerate() {
        // A weight that the file lacks is an error of the plan.
        let Some(tensor) = gguf.tensors.get(name) else { continue };
        let read = file
            .file
            .seek(SeekFrom::Start(tensor.offset))
            .and_then(|_| file.file.read_exact(weights.get_mut(index)));
        read.map_err(|error| file.unreadable(error))?;
    }
    Decoder::new(plan, weights).map_err(CliError::engine)
}
