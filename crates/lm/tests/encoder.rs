//! Encoders against Hugging Face's vectors.

use serde_json::Value;
use sidestage_formats::gguf::Gguf;
use sidestage_formats::{TensorInfo, WeightIndex};
use sidestage_kernels::dequantize_row;
use sidestage_lm::{
    Decoder, DecoderOptions, DecoderPlan, Encoder, LmError, Pooling, Progress, normalize,
};
use sidestage_pool::Pool;
use sidestage_tensor::DType;
use std::path::PathBuf;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: the vectors of real models are left out");
    }
    folder.map(|folder| folder.join("embed"))
}

const FILE: &str = "all-MiniLM-L6-v2-KMIX.gguf";

/// The model; with `floats` its weights are those of the file in F32, and nothing else is rounded either.
fn plan(file: &[u8], floats: bool) -> (DecoderPlan, sidestage_lm::Weights) {
    let gguf = Gguf::parse(file).expect("a GGUF file");
    let tensors = gguf.tensors.iter().map(|info| TensorInfo {
        dtype: if floats { DType::F32 } else { info.dtype },
        ..info.clone()
    });
    let index = WeightIndex::new(tensors.collect()).expect("names that differ");
    let plan = DecoderPlan::new(&gguf.metadata, &index, DecoderOptions::default()).expect("a plan");
    assert!(plan.is_encoder());
    let mut weights = plan.allocate(None).expect("memory");
    for (at, (name, _)) in plan.weights().enumerate() {
        let info = gguf.tensors.get(name).expect("planned from this index");
        let bytes = &file[info.offset as usize..info.end() as usize];
        if floats && info.dtype != DType::F32 {
            let width = info.extents.last().copied().expect("a dimension");
            let row = info.dtype.bytes_for(width).expect("whole blocks") as usize;
            let mut values = vec![0.0; width as usize];
            let room = weights.get_mut(at).chunks_exact_mut(4 * width as usize);
            for (bytes, room) in bytes.chunks_exact(row).zip(room) {
                dequantize_row(info.dtype, bytes, &mut values);
                room.iter_mut()
                    .zip(values.iter().flat_map(|value| value.to_le_bytes()))
                    .for_each(|(to, byte)| *to = byte);
            }
        } else {
            weights.get_mut(at).copy_from_slice(bytes);
        }
    }
    (plan, weights)
}

fn encoder(file: &[u8], floats: bool) -> Encoder {
    let (plan, weights) = plan(file, floats);
    Encoder::new(plan, weights).expect("memory")
}

/// The vectors of the texts of one step.
fn step(encoder: &mut Encoder, pool: &Pool, texts: &[&[u32]]) -> Vec<Vec<f32>> {
    encoder.begin(texts).expect("a possible step");
    let mut asked = 0;
    while encoder.resume(pool, &mut || true) != Progress::Done {
        asked += 1;
    }
    assert!(asked > 0, "a step can be stopped");
    (0..texts.len()).map(|text| encoder.vectors(text).to_vec()).collect()
}

fn floats(list: &Value) -> Vec<f32> {
    let list = list.as_array().expect("numbers").iter();
    list.map(|value| value.as_f64().expect("a number") as f32).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn texts(reference: &Value) -> Vec<Vec<u32>> {
    let items = reference["items"].as_array().expect("texts").iter();
    let ids = items.map(|item| item["input_ids"].as_array().expect("ids").iter());
    ids.map(|ids| ids.map(|id| id.as_u64().expect("an id") as u32).collect()).collect()
}

#[test]
fn vectors_are_those_of_hugging_face() {
    let Some(data) = data() else { return };
    let file = std::fs::read(data.join(FILE)).expect("the model");
    let path = data.join("all-MiniLM-L6-v2-reference.json");
    let reference = std::fs::read_to_string(path).expect("the reference");
    let reference: Value = serde_json::from_str(&reference).expect("JSON");
    let expected: Vec<Vec<f32>> = reference["gguf"][FILE]["embeddings"]
        .as_array()
        .expect("vectors")
        .iter()
        .map(floats)
        .collect();
    let texts = texts(&reference);
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    for (exact, least) in [(true, 0.9999), (false, 0.999)] {
        let mut encoder = encoder(&file, exact);
        assert_eq!((encoder.width(), encoder.context_length()), (384, 512));
        assert_eq!(encoder.pooling(), Some(Pooling::Mean));
        assert_eq!(encoder.fits(texts.iter().map(|text| text.len())), texts.len());
        let all = step(&mut encoder, &Pool::native(2), &texts);
        for ((found, expected), text) in all.iter().zip(&expected).zip(&texts) {
            let mut found = Pooling::Mean.pool(found, 384);
            normalize(&mut found);
            let near = cosine(&found, expected);
            assert!(near >= least, "{near}, {} tokens, floats: {exact}", text.len());
            let length: f32 = found.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
        // The texts beside one and the threads change no bit.
        for (text, all) in texts.iter().zip(&all) {
            assert!(step(&mut encoder, &Pool::inline(), &[text])[0] == *all);
        }
    }
}

#[test]
fn a_text_fills_the_context_and_not_more() {
    let Some(data) = data() else { return };
    let file = std::fs::read(data.join(FILE)).expect("the model");
    let mut encoder = encoder(&file, false);
    let long: Vec<u32> = (0..513).map(|at| 1000 + at * 31).collect();
    let whole = step(&mut encoder, &Pool::native(2), &[&long[..512]]);
    assert!(whole[0].len() == 512 * 384 && whole[0].iter().all(|value| value.is_finite()));
    // Every position sees the last one.
    let mut other = long[..512].to_vec();
    other[511] = 7;
    let changed = step(&mut encoder, &Pool::native(2), &[&other]);
    assert!(whole[0][..384] != changed[0][..384]);
    assert!(matches!(encoder.begin(&[&long]), Err(LmError::Position { .. })));
    assert!(matches!(encoder.begin(&[&[1, 40_000]]), Err(LmError::Token { id: 40_000, .. })));
    assert!(matches!(encoder.begin(&[&[1][..]; 9]), Err(LmError::Position { .. })));
    assert_eq!(encoder.fits([300, 200, 13].into_iter()), 2);
    assert_eq!(encoder.fits([600].into_iter()), 1);
    assert_eq!(encoder.fits([1; 20].into_iter()), 8);
}

#[test]
fn an_encoder_is_no_decoder() {
    let Some(data) = data() else { return };
    let file = std::fs::read(data.join(FILE)).expect("the model");
    let (plan, weights) = plan(&file, false);
    assert_eq!(Decoder::new(plan, weights).expect_err("no decoder").code(), "MODEL_UNSUPPORTED");
}

#[test]
fn poolings() {
    let rows = [1.0, 2.0, 3.0, 6.0, 8.0, 1.0];
    assert_eq!(Pooling::Mean.pool(&rows, 2), [4.0, 3.0]);
    assert_eq!(Pooling::Cls.pool(&rows, 2), [1.0, 2.0]);
    assert_eq!(Pooling::Last.pool(&rows, 2), [8.0, 1.0]);
    for pooling in Pooling::ALL {
        assert_eq!(Pooling::parse(pooling.name()), Some(pooling));
    }
    let mut vector = [3.0, -4.0];
    normalize(&mut vector);
    assert_eq!(vector, [0.6, -0.8]);
    let mut nothing = [0.0; 2];
    normalize(&mut nothing);
    assert_eq!(nothing, [0.0; 2]);
}
