//! Decoders made of whole files, and steps of theirs.

use sidestage_formats::gguf::Gguf;
use sidestage_lm::{
    Decoder, DecoderOptions, DecoderPlan, KvType, LmError, MAX_OUTPUTS, Progress, Row, RowInput,
    Sequence, Wants,
};
use sidestage_pool::Pool;
use std::path::PathBuf;

/// The folder of shared test data.
pub(crate) fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: the logits of real models are left out");
    }
    folder
}

pub(crate) fn decoder(file: &[u8]) -> Result<Decoder, LmError> {
    decoder_of_context(file, None)
}

pub(crate) fn decoder_of_context(
    file: &[u8],
    context_length: Option<usize>,
) -> Result<Decoder, LmError> {
    decoder_of(file, DecoderOptions { context_length, kv_type: KvType::F32 })
}

pub(crate) fn decoder_of(file: &[u8], options: DecoderOptions) -> Result<Decoder, LmError> {
    let gguf = Gguf::parse(file)?;
    let plan = DecoderPlan::new(&gguf.metadata, &gguf.tensors, options)?;
    let mut weights = plan.allocate(None)?;
    for (index, (name, _)) in plan.weights().enumerate() {
        let info = gguf.tensors.get(name).expect("planned from this index");
        weights.get_mut(index).copy_from_slice(&file[info.offset as usize..info.end() as usize]);
    }
    Decoder::new(plan, weights)
}

/// A row that wants logits.
pub(crate) fn row(sequence: Sequence, position: usize, token: u32) -> Row {
    let (position, input) = (position as u32, RowInput::Token(token));
    Row { sequence, position, input, wants: Wants::Output }
}

/// Runs one step on the calling thread; the logits of its rows that want them.
pub(crate) fn step(decoder: &mut Decoder, rows: &[Row]) -> Vec<Vec<f32>> {
    decoder.begin(rows).expect("a possible step");
    assert_eq!(decoder.resume(&Pool::inline(), &mut || false), Progress::Done);
    let outputs = rows.iter().filter(|row| row.wants == Wants::Output).count();
    (0..outputs).map(|output| decoder.logits(output).to_vec()).collect()
}

/// Goes on with a sequence at `from`; the logits after each token.
pub(crate) fn go_on(
    decoder: &mut Decoder,
    sequence: Sequence,
    from: usize,
    tokens: &[u32],
) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    for (index, part) in tokens.chunks(MAX_OUTPUTS).enumerate() {
        let start = from + index * MAX_OUTPUTS;
        let rows: Vec<Row> =
            part.iter().enumerate().map(|(at, &token)| row(sequence, start + at, token)).collect();
        all.extend(step(decoder, &rows));
    }
    all
}

/// The logits after each token of a text of its own.
pub(crate) fn evaluate(decoder: &mut Decoder, tokens: &[u32]) -> Vec<Vec<f32>> {
    let sequence = decoder.cache().create();
    let all = go_on(decoder, sequence, 0, tokens);
    decoder.cache().remove(sequence);
    all
}

/// The largest difference, as a share of the largest logit.
pub(crate) fn error(found: &[f32], expected: impl Iterator<Item = f64> + Clone) -> f64 {
    assert_eq!(found.len(), expected.clone().count());
    let largest = expected.clone().map(f64::abs).fold(0.0, f64::max);
    let differences = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs());
    // Not `f64::max`, which passes over NaN.
    let worse = |worst: f64, d: f64| if d > worst || d.is_nan() { d } else { worst };
    differences.fold(0.0, worse) / largest
}
