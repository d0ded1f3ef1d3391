//! The model in the box: its golden answers, and its perplexity in each type, beside llama.cpp's.

mod answers;

use serde_json::Value;
use sha2::{Digest, Sha256};
use sidestage_engine::vocabulary;
use sidestage_formats::gguf::{Gguf, GgufWriter};
use sidestage_lm::{
    Decoder, DecoderOptions, DecoderPlan, MAX_OUTPUTS, Progress, Row, RowInput, Wants, likeliest,
};
use sidestage_pool::Pool;
use sidestage_tensor::DType;
use sidestage_text::Tokenizer;
use std::path::Path;

fn read(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/box").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn goldens() -> Value {
    serde_json::from_slice(&read("goldens.json")).unwrap()
}

fn tokenizer(file: &[u8]) -> Tokenizer {
    let gguf = Gguf::parse(file).unwrap();
    Tokenizer::new(vocabulary(&gguf.metadata).unwrap().unwrap()).unwrap()
}

fn decoder(file: &[u8]) -> Decoder {
    let gguf = Gguf::parse(file).unwrap();
    let plan = DecoderPlan::new(&gguf.metadata, &gguf.tensors, DecoderOptions::default()).unwrap();
    let mut weights = plan.allocate(None).unwrap();
    for (index, (name, _)) in plan.weights().enumerate() {
        let info = gguf.tensors.get(name).unwrap();
        weights.get_mut(index).copy_from_slice(&file[info.offset as usize..info.end() as usize]);
    }
    Decoder::new(plan, weights).unwrap()
}

/// Calls `each` with the index and the logits of every token of a text of its own.
fn evaluate(
    decoder: &mut Decoder,
    pool: &Pool,
    tokens: &[u32],
    mut each: impl FnMut(usize, &[f32]),
) {
    let sequence = decoder.cache().create();
    for start in (0..tokens.len()).step_by(MAX_OUTPUTS) {
        let part = &tokens[start..tokens.len().min(start + MAX_OUTPUTS)];
        let rows: Vec<Row> = (start..)
            .zip(part)
            .map(|(position, &token)| Row {
                sequence,
                position: position as u32,
                input: RowInput::Token(token),
                wants: Wants::Output,
            })
            .collect();
        decoder.begin(&rows).unwrap();
        assert_eq!(decoder.resume(pool, &mut || false), Progress::Done);
        (0..part.len()).for_each(|output| each(start + output, decoder.logits(output)));
    }
    decoder.cache().remove(sequence);
}

/// The mean negative log-likelihood of every token but a record's first, as `goldens.json` says.
fn loss(decoder: &mut Decoder, records: &[Vec<u32>]) -> f64 {
    let pool = Pool::native(2);
    let sum: f64 = records.iter().map(|tokens| decoder.loss(&pool, tokens, 1).unwrap()).sum();
    sum / records.iter().map(|tokens| tokens.len() as f64 - 1.0).sum::<f64>()
}

fn records(tokenizer: &Tokenizer, context: usize) -> Vec<Vec<u32>> {
    let text = String::from_utf8(read("held-out.txt")).unwrap();
    let records = text.split_terminator("<|endoftext|>\n");
    let encode = |record: &str| {
        let mut tokens = tokenizer.encode(record, false, true).unwrap();
        tokens.truncate(context);
        tokens
    };
    records.map(encode).collect()
}

/// The file with its matrices in another type, as `sidestage quantize` writes it.
fn converted(file: &[u8], dtype: DType) -> Vec<u8> {
    let gguf = Gguf::parse(file).unwrap();
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata.iter().filter(|(key, _)| *key != "general.file_type") {
        writer = writer.metadata(key, value.clone());
    }
    for info in gguf.tensors.iter() {
        let to = if info.dtype == DType::F16 { dtype } else { info.dtype };
        writer = writer.tensor(&info.name, to, &info.extents);
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for info in gguf.tensors.iter() {
        let bytes = &file[info.offset as usize..info.end() as usize];
        if info.dtype == DType::F16 {
            let mut values = vec![0.0; info.elements() as usize];
            sidestage_kernels::dequantize_row(DType::F16, bytes, &mut values);
            let mut quantized = vec![0; dtype.bytes_for(info.elements()).unwrap() as usize];
            sidestage_kernels::quantize_row(dtype, &values, &mut quantized);
            body.write(&quantized).unwrap();
        } else {
            body.write(bytes).unwrap();
        }
    }
    body.finish().unwrap()
}

#[test]
fn it_gives_its_golden_answers() {
    let file = read("box.gguf");
    let tokenizer = tokenizer(&file);
    let mut decoder = decoder(&file);
    for case in goldens()["cases"].as_array().unwrap() {
        let ids = |key: &str| -> Vec<u32> {
            case[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
        };
        let rendered = case["rendered"].as_str().unwrap();
        let context = serde_json::json!({ "messages": case["messages"] });
        assert_eq!(tokenizer.render(None, &context, true, None).unwrap(), rendered);
        let mut tokens = tokenizer.encode(rendered, false, true).unwrap();
        assert_eq!(tokens, ids("ids"));
        for expected in ids("greedy") {
            let mut next = 0;
            evaluate(&mut decoder, &Pool::inline(), &tokens, |_, logits| {
                next = likeliest(logits).0
            });
            assert_eq!(next, expected, "after {}", tokenizer.decode(&tokens, true));
            tokens.push(next);
        }
    }
}

#[test]
fn the_perplexity_of_floats_is_that_of_float64() {
    let file = read("box.gguf");
    let mut float = decoder(&file);
    let records = records(&tokenizer(&file), float.context_length());
    let golden = goldens()["heldOut"]["meanNll"].as_f64().unwrap();
    let found = loss(&mut float, &records);
    assert!((found - golden).abs() < 1e-3, "{found} is not {golden}");
}

#[test]
fn each_type_has_the_perplexity_that_llama_cpp_finds() {
    let file = read("box.gguf");
    let truth: Value = serde_json::from_slice(&read("perplexity.json")).unwrap();
    let mut records = records(&tokenizer(&file), truth["contextLength"].as_u64().unwrap() as usize);
    records.truncate(truth["records"].as_u64().unwrap() as usize);
    let types = truth["types"].as_object().unwrap();
    assert!(types.len() > 10, "{types:?}");
    for dtype in DType::all().filter(|dtype| sidestage_kernels::quantizes(*dtype)) {
        let theirs = &types[dtype.name()];
        let converted = converted(&file, dtype);
        let hash: String =
            Sha256::digest(&converted).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, theirs["sha256"], "{dtype} is quantised otherwise");
        let ours = loss(&mut decoder(&converted), &records).exp();
        let theirs = theirs["perplexity"].as_f64().unwrap();
        println!("{dtype}: {ours:.4}, llama.cpp {theirs:.4}");
        assert!((ours / theirs - 1.0).abs() <= 0.005, "{dtype}: {ours} is not {theirs}");
    }
}
