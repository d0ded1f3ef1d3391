//! TFLite: real models and cases of one operator, against LiteRT's outputs. What does not pass stands
//! in `tflite.txt`, with a reason a line.

use sidestage_formats::tflite as format;
use sidestage_ir::PortDim;
use sidestage_pool::Pool;
use sidestage_suite::{npz, tflite};
use sidestage_tensor::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LIST: &str = include_str!("tflite.txt");

/// The arrays of a case by their names: `in.0`, …, `out.0` of reference kernels, `xnn.0` of XNNPACK,
/// `again.0` of a second run after the first where a state is kept.
type Truth = BTreeMap<String, Tensor>;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: TFLite's models are left out");
    }
    Some(folder?.join("tflite"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// A model with LiteRT's outputs: by its reference kernels, or else by XNNPACK. Numbers are as near as
/// a share of the largest, or as those two are to each other.
fn real(file: &[u8], truth: &Truth, share: f64, pool: &Pool) -> Result<(), String> {
    let all = |what: &str| -> Vec<Tensor> {
        (0..).map_while(|at| truth.get(&format!("{what}.{at}")).cloned()).collect()
    };
    let again = all("again");
    let mut outputs = tflite::runs(file, all("in"), 1 + usize::from(!again.is_empty()), pool)?;
    if let [_, second] = &outputs[..] {
        let mut pairs = second.iter().zip(&again);
        pairs.try_for_each(|(found, expected)| tflite::same(found, expected, share))?;
    }
    let outputs = outputs.swap_remove(0);
    let same = |expected: Vec<Tensor>| -> Result<(), String> {
        if outputs.len() != expected.len() {
            return Err(format!("{} outputs of {}", outputs.len(), expected.len()));
        }
        let mut pairs = outputs.iter().zip(&expected).enumerate();
        pairs.try_for_each(|(at, (found, expected))| {
            let other = truth.get(&format!("xnn.{at}"));
            let share = other.map_or(share, |other| share.max(tflite::apart(expected, other)));
            tflite::same(found, expected, share).map_err(|error| format!("output {at} {error}"))
        })
    };
    same(all("out")).or_else(|error| same(all("xnn")).map_err(|_| error))
}

/// A case of one operator, with lists of integers.
fn single(path: &Path, pool: &Pool) -> Result<(), String> {
    let file = std::fs::read(path).expect("a model");
    let model = format::read(&file).map_err(|error| error.to_string())?;
    let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let list = |what: &str, port: &sidestage_ir::Port| {
        let dtype = port.dtype.expect("a type");
        let name = match dtype {
            DType::I32 => "int32",
            DType::I16 => "int16",
            other => panic!("no lists are of {other}"),
        };
        let dims = port.dims.iter().flatten().map(|dim| match dim {
            PortDim::Fixed(dim) => *dim,
            PortDim::Free(_) => 1,
        });
        let path = path.with_file_name(format!("{stem}_{what}_{name}.csv"));
        tflite::integers(&path, dtype, &dims.collect::<Vec<_>>())
    };
    let inputs = model.inputs.iter().enumerate();
    let inputs = inputs.map(|(at, port)| list(&format!("input{at}"), port)).collect();
    let expected = list("golden", &model.outputs[0]);
    let outputs = tflite::run(&file, inputs, pool)?;
    tflite::same(&outputs[0], &expected, 0.0)
}

/// The cases that do not pass must be those of the list.
fn judged(results: BTreeMap<String, Result<(), String>>) {
    let list: BTreeMap<&str, &str> = LIST
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(": ").expect("a case and a reason"))
        .collect();
    let failed = results.iter().filter_map(|(name, result)| Some((name, result.as_ref().err()?)));
    let new: Vec<_> = failed.filter(|(name, _)| !list.contains_key(name.as_str())).collect();
    let passes = |name: &&&str| results.get(**name).is_some_and(Result::is_ok);
    let gone: Vec<_> = list.keys().filter(passes).collect();
    let passed = results.values().filter(|result| result.is_ok()).count();
    println!("{passed} of {} pass", results.len());
    assert!(new.is_empty(), "these fail, and are not in the list: {new:#?}");
    assert!(gone.is_empty(), "these are in the list, and pass: {gone:#?}");
}

#[test]
fn models_and_operators_have_litert_outputs() {
    let Some(data) = data() else { return };
    let pool = sidestage_suite::pool();
    let mut results = BTreeMap::new();
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let models = |folder: &Path| -> Vec<PathBuf> {
        let all = files(folder).into_iter();
        all.filter(|path| path.extension().is_some_and(|kind| kind == "tflite")).collect()
    };
    for path in models(&data) {
        let truth = npz::read(&path.with_extension("ref.npz"));
        let file = std::fs::read(&path).expect("a model");
        results.insert(name(&path), real(&file, &truth, 2e-4, &pool));
    }
    for folder in files(&data.join("seanet")) {
        for path in models(&folder) {
            results.insert(name(&path), single(&path, &pool));
        }
    }
    assert!(results.len() >= 75, "cases are missing");
    judged(results);
}

fn cases() -> BTreeMap<String, Truth> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tflite/ops.npz");
    let mut cases: BTreeMap<String, Truth> = BTreeMap::new();
    for (key, array) in npz::read(&path) {
        let (name, what) = key.split_once('/').expect("a case and an array");
        cases.entry(name.into()).or_default().insert(what.into(), array);
    }
    cases
}

#[test]
fn each_operator_gives_what_litert_gives() {
    let mut cases = cases();
    cases.retain(|_, truth| truth.len() > 1);
    assert!(cases.len() > 200, "{} cases", cases.len());
    let pool = Pool::inline();
    let result = |(name, truth): (String, Truth)| {
        let result = real(truth["model"].bytes(), &truth, 1e-5, &pool);
        (name, result)
    };
    judged(cases.into_iter().map(result).collect());
}

#[test]
fn a_signature_names_and_orders_what_a_model_takes_and_gives() {
    let cases = cases();
    let model = format::read(cases["signature"]["model"].bytes()).expect("a model");
    let names = |ports: &[sidestage_ir::Port]| -> Vec<String> {
        ports.iter().map(|port| model.name(port.var).to_owned()).collect()
    };
    assert_eq!(names(&model.inputs), ["left", "right"]);
    assert_eq!(names(&model.outputs), ["less", "more"]);
    assert!(model.inputs.iter().all(|port| port.to_string().ends_with(" [?, 3]")));
    let pair = |values: [f32; 3]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor::new(DType::F32, &[1, 3], &bytes).expect("memory")
    };
    let inputs = vec![pair([1.0, 2.0, 3.0]), pair([10.0, 20.0, 30.0])];
    let outputs = tflite::run(cases["signature"]["model"].bytes(), inputs, &Pool::inline());
    // The graph subtracts the left from the right.
    assert_eq!(outputs, Ok(vec![pair([9.0, 18.0, 27.0]), pair([11.0, 22.0, 33.0])]));
}

#[test]
fn inputs_and_outputs_say_what_their_integers_stand_for() {
    let Some(data) = data() else { return };
    // As LiteRT's interpreter says it (`get_input_details`, `get_output_details`).
    for (name, expected) in [
        ("tflm_hello_world_int8", [Some((0.024_480_116, -128)), Some((0.008_290_957, 5))]),
        ("mlperf_kws_int8", [Some((0.584_702_9, 83)), Some((0.003_906_25, -128))]),
        ("tflm_hello_world_float", [None, None]),
    ] {
        let file = std::fs::read(data.join(format!("{name}.tflite"))).expect("a model");
        let model = format::read(&file).expect("a model");
        let ports = model.inputs.iter().chain(&model.outputs);
        let found: Vec<_> =
            ports.map(|port| port.quantization.map(|of| (of.scale, of.zero_point))).collect();
        assert_eq!(found, expected, "{name}");
    }
}
