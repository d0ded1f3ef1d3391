//! What must hold for any bytes taken as an ONNX file, read in any pieces, and for a run of it. The fuzz
//! target runs it on new inputs, a test of `crates/suite` on the corpus and on damaged files.

use crate::peak;
use sidestage_cpu::{Progress, Runner};
use sidestage_formats::onnx::{self, External, OnnxError, Reader, Unplaced};
use sidestage_ir::{Model, PortDim, PortKind};
use sidestage_pool::Pool;
use sidestage_tensor::{AlignedBytes, DType, Tensor};
use std::sync::Arc;

/// Bytes of a run's values.
const LIMIT: usize = 1 << 20;

/// A run is given up after so many pieces: a model may never end.
const PIECES: usize = 2000;

pub(crate) fn check(input: &[u8]) {
    let (model, bytes) = peak::of(|| read(input, usize::MAX).and_then(|file| place(input, file)));
    assert!(bytes <= 512 * input.len() + (16 << 20), "{bytes} bytes of memory for {}", input.len());
    let piece = 1 + input.first().copied().unwrap_or_default() as usize % 7;
    let pieces = read(input, piece).and_then(|file| place(input, file));
    match (model, pieces) {
        (Ok(model), Ok(pieces)) => {
            assert_eq!(format!("{:?}", model.bodies), format!("{:?}", pieces.bodies));
            named(input, &model);
            run(model);
        }
        (Err(error), Err(same)) => {
            assert_eq!(error.code(), same.code());
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
        }
        (whole, pieces) => panic!("{:?}, in pieces {:?}", whole.err(), pieces.err()),
    }
    // As a value of test data.
    let _ = onnx::read_value(input, &PortKind::Optional(Box::new(PortKind::Tensor)));
}

fn read(input: &[u8], piece: usize) -> Result<Unplaced, OnnxError> {
    let mut reader = Reader::new(Some(input.len() as u64));
    input.chunks(piece).try_for_each(|bytes| reader.push(bytes))?;
    reader.finish()
}

/// With other files that begin as this one does.
fn place(input: &[u8], file: Unplaced) -> Result<Model, OnnxError> {
    let of = |part: &External| {
        let mut bytes = AlignedBytes::zeroed(part.length.min(1 << 16) as usize).expect("memory");
        bytes.as_mut_slice().iter_mut().zip(input).for_each(|(to, from)| *to = *from);
        Arc::new(bytes)
    };
    let parts = file.parts().iter().map(of).collect();
    file.place(parts)
}

/// What is told before the weights come fits the model.
fn named(input: &[u8], model: &Model) {
    let file = read(input, usize::MAX).expect("it was read before");
    let inputs = model.inputs.iter().map(|port| &model.names[port.var.index()]);
    inputs.for_each(|name| assert!(file.takes(name), "{name:?}"));
    let ops = file.ops();
    let calls = model.bodies.first().into_iter().flat_map(|body| &body.calls);
    assert!(calls.count() == 0 || !ops.is_empty());
}

/// Runs it with zeros, ones and so on.
fn run(mut model: Model) {
    sidestage_ops::arrange(&mut model);
    let mut inputs = Vec::new();
    for (at, port) in model.inputs.iter().enumerate() {
        let dim = |dim: &PortDim| match dim {
            PortDim::Fixed(dim) => *dim,
            PortDim::Free(_) => 2,
        };
        let dims: Vec<usize> = port.dims.iter().flatten().map(dim).collect();
        let dtype = port.dtype.unwrap_or(DType::F32);
        let elements = dims.iter().try_fold(1_u64, |all, &dim| all.checked_mul(dim as u64));
        let bytes = elements.and_then(|elements| dtype.bytes_for(elements));
        let Some(bytes) = bytes.filter(|bytes| *bytes <= LIMIT as u64) else { return };
        if dims.len() > 8 || !port.kind.is_tensor() {
            return;
        }
        let bytes = vec![at as u8; bytes as usize];
        inputs.push(Tensor::new(dtype, &dims, &bytes).expect("memory"));
    }
    let runner = Runner::new(Arc::new(model), sidestage_ops::lowering, LIMIT);
    let mut runner = runner.with_passes(sidestage_ops::PASSES);
    if let Err(error) = go(&mut runner, inputs) {
        assert!(!error.code().is_empty() && !error.to_string().is_empty());
    }
}

fn go(runner: &mut Runner, inputs: Vec<Tensor>) -> Result<(), sidestage_cpu::RunError> {
    runner.check()?;
    runner.begin(inputs)?;
    let pool = Pool::inline();
    for _ in 0..PIECES {
        if runner.resume(&pool, &mut || true)? == Progress::Done {
            runner.finish();
            break;
        }
    }
    Ok(())
}
