//! How unlikely a model finds token ids: for tests that hold this very build against llama.cpp.

use sidestage_formats::gguf::Gguf;
use sidestage_lm::{Decoder, DecoderOptions, DecoderPlan, LmError};
use sidestage_pool::Pool;

/// The mean over all tokens but each record's first, in nats. `records`: of each its length, then its ids.
pub(crate) fn mean(file: &[u8], records: &[u32], pool: &Pool) -> Result<f64, String> {
    let gguf = Gguf::parse(file).map_err(|error| error.to_string())?;
    let mut decoder = decoder(file, &gguf).map_err(|error| error.to_string())?;
    let (mut sum, mut count, mut rest) = (0.0, 0, records);
    while let Some((&length, after)) = rest.split_first() {
        let (tokens, next) =
            after.split_at_checked(length as usize).ok_or("a record is cut short")?;
        sum += decoder.loss(pool, tokens, 1).map_err(|error| error.to_string())?;
        count += tokens.len().saturating_sub(1);
        rest = next;
    }
    Ok(sum / count as f64)
}

fn decoder(file: &[u8], gguf: &Gguf) -> Result<Decoder, LmError> {
    let plan = DecoderPlan::new(&gguf.metadata, &gguf.tensors, DecoderOptions::default())?;
    let mut weights = plan.allocate(None)?;
    for (index, (name, _)) in plan.weights().enumerate() {
        let bytes = gguf.tensors.get(name).map(|info| info.offset as usize..info.end() as usize);
        if let Some(bytes) = bytes.and_then(|range| file.get(range)) {
            weights.get_mut(index).copy_from_slice(bytes);
        }
    }
    Decoder::new(plan, weights)
}
