//! TensorFlow.js models. What does not pass stands in `tfjs.txt`, with a reason a line.

use sidestage_suite::tfjs::Case;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The list of what does not pass; `kind` begins the names.
fn list(kind: &str) -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("tfjs.txt").lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter_map(|line| line.split_once(": "));
    lines.filter_map(|(name, reason)| Some((name.strip_prefix(kind)?, reason))).collect()
}

fn run(kind: &str, cases: impl Iterator<Item = Case>, tolerance: f64) {
    let mut list = list(kind);
    let (pool, mut failed, mut passed) = (sidestage_suite::pool(), Vec::new(), 0);
    for case in cases {
        let result = catch_unwind(AssertUnwindSafe(|| case.run(&pool, tolerance)));
        let result = result.unwrap_or_else(|_| Err("PANIC".into()));
        match (result, list.remove(case.name.as_str())) {
            (Ok(()), None) => passed += 1,
            (Err(_), Some(_)) => {}
            (Ok(()), Some(_)) => failed.push(format!("{} is in the list, and passes", case.name)),
            (Err(problem), None) => failed.push(format!("{}: {problem}", case.name)),
        }
    }
    println!("{passed} pass");
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(list.is_empty(), "these are in the list, and are not there: {list:?}");
}

#[test]
fn real_models_compute_what_they_compute_in_tensorflow_js() {
    let Some(data) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("SIDESTAGE_TESTDATA is not set: TensorFlow.js models are left out");
        return;
    };
    let folders = std::fs::read_dir(Path::new(&data).join("tfjs")).expect("the models");
    let folders = folders.map(|folder| folder.expect("a folder").path());
    let folders = folders.filter(|folder| folder.is_dir());
    run("models/", folders.map(|folder| Case::of_folder(&folder)), 1e-4);
}

#[test]
fn operators_loops_and_layers_compute_what_they_compute_in_tensorflow_js() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../tfjs/cases.json")).expect("JSON");
    let cases = cases.as_array().expect("a list").iter();
    run("cases/", cases.map(Case::of_json), 1e-5);
}
