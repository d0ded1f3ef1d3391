//! TensorFlow.js models that are broken, each with its error; weights in all their forms; the fuzz
//! target's corpus, and what it becomes when bytes change, under the target's own checks.

#[path = "../../../fuzz/check/tfjs.rs"]
mod tfjs;

use sidestage_formats::graph::GraphFormat;
use sidestage_formats::tfjs::{Reader, TfjsError, Unplaced};
use sidestage_ir::PortDim;
use sidestage_tensor::{AlignedBytes, DType};
use std::path::Path;
use std::sync::Arc;

fn open(json: &str) -> Result<Unplaced, TfjsError> {
    assert_eq!(GraphFormat::of(json.as_bytes()), Some(GraphFormat::Tfjs));
    let mut reader = Reader::default();
    reader.push(json.as_bytes())?;
    reader.finish()
}

fn bytes(of: &[u8]) -> Arc<AlignedBytes> {
    let mut all = AlignedBytes::zeroed(of.len()).expect("memory");
    all.as_mut_slice().copy_from_slice(of);
    Arc::new(all)
}

/// A graph of constants with these names, and a node that needs them all.
fn constants(names: &[&str], manifest: &str) -> String {
    let nodes = names.iter().map(|name| format!(r#"{{"name":"{name}","op":"Const"}},"#));
    let nodes: String = nodes.collect();
    let inputs = names.join(r#"",""#);
    format!(
        r#"{{"modelTopology":{{"node":[{nodes}{{"name":"y","op":"AddN","input":["{inputs}"]}}]}},
            "weightsManifest":{manifest}}}"#
    )
}

#[test]
fn weights_are_unpacked_wherever_they_lie() {
    let weights = r#"[
        {"name":"text","shape":[2],"dtype":"string"},
        {"name":"half","shape":[2],"dtype":"float32","quantization":{"dtype":"float16"}},
        {"name":"byte","shape":[2],"dtype":"float32","quantization":{"dtype":"uint8","scale":0.5,"min":-1}},
        {"name":"unused","shape":[3],"dtype":"bool"},
        {"name":"short","shape":[1],"dtype":"int32","quantization":{"dtype":"uint16","scale":2,"min":-3}},
        {"name":"truth","shape":[2],"dtype":"bool"},
        {"name":"whole","shape":[],"dtype":"int32"}]"#;
    let file: Vec<u8> = [
        &[1, 0, 0, 0, b'a', 0, 0, 0, 0][..],
        &[0x00, 0x3c, 0x00, 0xc0],
        &[0, 5],
        &[9, 9, 9],
        &[0x02, 0x01],
        &[0, 7],
        &[1, 2, 0, 0],
    ]
    .concat();
    let names = ["half", "byte", "short", "truth", "whole"];
    // In two files, cut in the middle of a weight.
    let manifest = format!(r#"[{{"paths":["a","b"],"weights":{weights}}}]"#);
    let model = open(&constants(&names, &manifest)).expect("a model");
    let parts: Vec<_> = model.parts().collect();
    assert_eq!(parts, [("a", 0, u64::MAX), ("b", 0, u64::MAX)]);
    let model = model.place(&[bytes(&file[..10]), bytes(&file[10..])]).expect("weights");
    let find = |name: &str| {
        let found = model.constants.iter().find(|(var, _)| model.name(*var) == name);
        &found.expect("a weight").1
    };
    assert_eq!(find("half").elements::<f32>(), [1.0, -2.0]);
    assert_eq!(find("byte").elements::<f32>(), [-1.0, 1.5]);
    assert_eq!(find("short").elements::<i32>(), [2 * 258 - 3]);
    assert_eq!((find("truth").dtype(), find("truth").bytes()), (DType::Bool, &[0, 1][..]));
    assert_eq!(find("whole").elements::<i32>(), [513]);
    // A file that is too short.
    let model = open(&constants(&names, &manifest)).expect("a model");
    let cut = model.place(&[bytes(&file[..10]), bytes(&[])]);
    assert_eq!(cut.err(), Some(TfjsError::Shape { name: "half".into() }));
    // Of one file only what is needed.
    let weights = r#"[{"name":"a","shape":[4],"dtype":"float32"},{"name":"b","shape":[2],"dtype":"float32"}]"#;
    let manifest = format!(r#"[{{"paths":["w"],"weights":{weights}}}]"#);
    let model = open(&constants(&["b"], &manifest)).expect("a model");
    assert_eq!(model.parts().collect::<Vec<_>>(), [("w", 16, 8)]);
}

#[test]
fn inputs_and_outputs_are_those_of_the_signature_in_its_order() {
    let json = |signature: &str| {
        format!(
            r#"{{"modelTopology":{{"node":[
                {{"name":"p","op":"Placeholder","attr":{{"dtype":{{"type":"DT_FLOAT"}},"shape":{{"shape":{{"dim":[{{"size":"-1"}},{{"size":"3"}}]}}}}}}}},
                {{"name":"q","op":"Placeholder","attr":{{"dtype":{{"type":"DT_INT64"}}}}}},
                {{"name":"r","op":"Relu","input":["p"]}},
                {{"name":"s","op":"Neg","input":["q:0","^r"]}}]}}, "weightsManifest":[]{signature}}}"#
        )
    };
    let names = |json: &str| {
        let model = open(json).expect("a model").place(&[]).expect("no weights");
        let inputs = model.inputs.iter().map(|port| model.name(port.var).to_owned());
        let outputs = model.outputs.iter().map(|port| model.name(port.var).to_owned());
        (inputs.collect::<Vec<_>>(), outputs.collect::<Vec<_>>())
    };
    let found = names(&json(""));
    assert_eq!(found, (vec!["p".to_owned(), "q".into()], vec!["r".to_owned(), "s".into()]));
    let signed = r#","signature":{"inputs":{"z":{"name":"q:0","dtype":"DT_INT64"},"a":{"name":"p:0"}},
        "outputs":{"two":{"name":"s:0"},"one":{"name":"r:0"}}}"#;
    let found = names(&json(signed));
    assert_eq!(found, (vec!["z".to_owned(), "a".into()], vec!["two".to_owned(), "one".into()]));
    let model = open(&json(signed)).expect("a model").place(&[]).expect("no weights");
    let [whole, float] = model.inputs.as_slice() else { panic!("two inputs") };
    assert!(whole.takes(DType::I64, &[7]) && whole.takes(DType::I32, &[]));
    assert!(!whole.takes(DType::F32, &[7]));
    assert_eq!(whole.to_string(), "I64 or I32");
    assert_eq!(float.dims, Some(vec![PortDim::Free(String::new()), PortDim::Fixed(3)]));
}

#[test]
fn broken_models_are_errors_with_names() {
    let error = |json: &str| open(json).expect_err("an error");
    assert!(matches!(error("{ "), TfjsError::Json { .. }));
    assert!(matches!(error("{ }"), TfjsError::Malformed { .. }));
    let graph = |nodes: &str| error(&format!(r#"{{"modelTopology":{{"node":[{nodes}]}}}}"#));
    let undefined = graph(r#"{"name":"y","op":"Relu","input":["x"]}"#);
    assert_eq!(undefined, TfjsError::Undefined { name: "x".into(), node: "y".into() });
    let ring = r#"{"name":"a","op":"Relu","input":["b"]},{"name":"b","op":"Relu","input":["a"]},
        {"name":"c","op":"Relu","input":["a"]}"#;
    assert!(matches!(graph(ring), TfjsError::Cycle { .. }));
    let strings = constants(
        &["s"],
        r#"[{"paths":["w"],"weights":[{"name":"s","shape":[1],"dtype":"string"}]}]"#,
    );
    assert_eq!(error(&strings).code(), "TFJS_TYPE_UNSUPPORTED");
    // A function that calls itself.
    let endless = r#"{"modelTopology":{"node":[{"name":"a","op":"f"}],"library":{"function":[
        {"signature":{"name":"f","outputArg":[{"name":"r"}]},"nodeDef":[{"name":"x","op":"f"}],"ret":{"r":"x:r:0"}}]}}}"#;
    assert_eq!(error(endless), TfjsError::Nesting);
    let layers = r#"{"modelTopology":{"class_name":"Sequential","config":[
        {"class_name":"Lambda","config":{"name":"l","batch_input_shape":[null,2]}},
        {"class_name":"Activation","config":{"name":"a","activation":"cosine"}},
        {"class_name":"Attention","config":{"name":"m"}},
        {"class_name":"Attention","config":{"name":"n"}}]}}"#;
    let expected = ["Activation (cosine)", "Attention", "Lambda"].map(str::to_owned).to_vec();
    assert_eq!(error(layers), TfjsError::Layers { layers: expected });
}

#[test]
fn the_corpus_passes_the_fuzz_targets_checks_also_when_bytes_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tfjs");
    let (mut files, mut state) = (0, 1_u32);
    for file in std::fs::read_dir(folder).expect("the corpus") {
        let input = std::fs::read(file.expect("a file").path()).expect("an input");
        tfjs::check(&input);
        for _ in 0..64 {
            let mut random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as usize
            };
            let mut changed = input.clone();
            // Digits and signs, which change what a text of JSON says; or an end.
            let at = random() % changed.len();
            changed[at] = b"0123456789-\":,[]{}ax"[random() % 20];
            if random() % 8 == 0 {
                changed.truncate(random() % input.len());
            }
            tfjs::check(&changed);
        }
        files += 1;
    }
    assert!(files > 20);
}
