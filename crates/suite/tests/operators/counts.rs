//! In how many cases an operator is, and how many of those pass: the other tests of this crate hold
//! that what does not pass is in their lists.

use sidestage_formats::onnx as format;
use sidestage_suite::{npz, onnx, tfjs, tflite};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a column says of each operator, by its full name.
pub(crate) type Cells = BTreeMap<String, String>;

/// The folder with real models and others' suites.
pub(crate) fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: what it would count is taken from the page");
    }
    folder
}

/// The cases of a list, with the reasons.
pub(crate) fn list(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).collect()
}

pub(crate) const ONNX: &str = include_str!("../onnx.txt");
pub(crate) const TFLITE: &str = include_str!("../tflite.txt");
pub(crate) const TFJS: &str = include_str!("../tfjs.txt");

/// Of each operator the cases that pass, and all.
#[derive(Default)]
struct Tally(BTreeMap<String, (usize, usize)>);

impl Tally {
    fn add(&mut self, ops: impl IntoIterator<Item = String>, passes: bool) {
        for op in ops {
            let (passed, all) = self.0.entry(op).or_default();
            *passed += usize::from(passes);
            *all += 1;
        }
    }

    fn cells(self) -> Cells {
        let cell = |(passed, all): (usize, usize)| match passed == all {
            true => all.to_string(),
            false => format!("{passed} of {all}"),
        };
        self.0.into_iter().map(|(op, counts)| (op, cell(counts))).collect()
    }
}

/// What ONNX's backend suite says.
pub(crate) struct Suite {
    /// The versions of ONNX's operators in which an operator was tested.
    pub(crate) opsets: Cells,
    /// Its cases.
    pub(crate) cases: Cells,
    /// For each reason why cases do not pass, the operators that it is about.
    pub(crate) refused: Cells,
}

pub(crate) fn suite(data: &Path) -> Suite {
    let cases = onnx::cases(&data.join("onnx/onnx-node.tar.xz"));
    let list = list(ONNX);
    let known: BTreeSet<&str> = sidestage_ops::callable().map(|row| row.op).collect();
    let mut tally = Tally::default();
    let mut opsets: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut refused: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (name, case) in &cases {
        let reason = list.get(name.as_str());
        tally.add(case.ops.iter().cloned(), reason.is_none());
        for op in &case.ops {
            if let Some(opset) = case.opset {
                let (first, last) = opsets.entry(op.clone()).or_insert((opset, opset));
                (*first, *last) = ((*first).min(opset), (*last).max(opset));
            }
        }
        let Some(reason) = reason else { continue };
        // It is about operators that are not there, or else about all but those of a function's body.
        let missing = case.ops.iter().any(|op| !known.contains(op.as_str()));
        let all = !missing && !name.ends_with("_expanded");
        let ops = case.ops.iter().map(String::as_str);
        let ops = ops.filter(|op| all || !known.contains(op));
        refused.entry((*reason).into()).or_default().extend(ops);
    }
    let opset = |(op, (first, last))| match first == last {
        true => (op, format!("{first}")),
        false => (op, format!("{first}–{last}")),
    };
    let joined = |(reason, ops): (String, BTreeSet<&str>)| {
        (reason, ops.into_iter().map(|op| format!("`{op}`")).collect::<Vec<_>>().join(", "))
    };
    Suite {
        opsets: opsets.into_iter().map(opset).collect(),
        cases: tally.cells(),
        refused: refused.into_iter().map(joined).collect(),
    }
}

/// Files of this kind, in order.
fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == kind)).collect();
    all.sort();
    all
}

/// The ONNX files of a folder, all of which pass.
pub(crate) fn of_onnx(folder: &Path) -> Cells {
    let mut tally = Tally::default();
    for path in files(folder, "onnx") {
        let file = std::fs::read(path).expect("a model");
        let model = format::read(&file).expect("a model");
        let calls = model.bodies.iter().flat_map(|body| &body.calls);
        let ops: BTreeSet<String> = calls.map(|call| call.op.clone()).collect();
        tally.add(ops, true);
    }
    tally.cells()
}

/// The domain `com.microsoft`, a file each.
pub(crate) fn microsoft() -> Cells {
    of_onnx(&Path::new(env!("CARGO_MANIFEST_DIR")).join("microsoft"))
}

fn of_tflite<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Cells {
    let (list, mut tally) = (list(TFLITE), Tally::default());
    for (name, file) in files {
        let ops = tflite::ops(file).into_iter().map(|op| format!("TFLITE::{op}"));
        tally.add(ops, !list.contains_key(name.as_str()));
    }
    tally.cells()
}

/// The models of an operator or two that LiteRT has run.
pub(crate) fn tflite_cases() -> Cells {
    let cases = npz::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tflite/ops.npz"));
    let models = cases
        .iter()
        .filter_map(|(key, array)| Some((key.strip_suffix("/model")?.to_owned(), array.bytes())));
    of_tflite(models)
}

/// The TFLite files of a folder.
pub(crate) fn tflite_models(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let read = |path: PathBuf| (name(&path), std::fs::read(&path).expect("a model"));
    files(folder, "tflite").into_iter().map(read).collect()
}

pub(crate) fn tflite_of(models: &[(String, Vec<u8>)]) -> Cells {
    of_tflite(models.iter().map(|(name, file)| (name.clone(), file.as_slice())))
}

fn of_tfjs(kind: &str, cases: impl Iterator<Item = tfjs::Case>) -> Cells {
    let (list, mut tally) = (list(TFJS), Tally::default());
    for case in cases {
        let name = format!("{kind}/{}", case.name);
        tally.add(case.ops(), !list.contains_key(name.as_str()));
    }
    tally.cells()
}

/// The small models that TensorFlow.js has run.
pub(crate) fn tfjs_cases() -> Cells {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../tfjs/cases.json")).expect("JSON");
    of_tfjs("cases", cases.as_array().expect("a list").iter().map(tfjs::Case::of_json))
}

/// The folders with real models.
pub(crate) fn tfjs_models(folder: &Path) -> Cells {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    let folders = folders.filter(|folder| folder.is_dir());
    of_tfjs("models", folders.map(|folder| tfjs::Case::of_folder(&folder)))
}
