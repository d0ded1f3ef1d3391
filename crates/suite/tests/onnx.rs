//! ONNX's backend suite. What does not pass stands in `onnx.txt`, with a reason a line.

use sidestage_pool::Pool;
use sidestage_suite::onnx;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn the_suite_passes_but_for_a_list() {
    let Some(data) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("SIDESTAGE_TESTDATA is not set: ONNX's suite is left out");
        return;
    };
    let cases = onnx::cases(&Path::new(&data).join("onnx/onnx-node.tar.xz"));
    let list = include_str!("onnx.txt").lines().filter(|line| !line.starts_with('#'));
    let list: BTreeMap<&str, &str> = list.filter_map(|line| line.split_once(": ")).collect();
    let pool = Pool::inline();
    let (mut failed, mut passed) = (BTreeMap::new(), BTreeSet::new());
    std::panic::set_hook(Box::new(|_| {}));
    for (name, case) in &cases {
        let run = |passes| catch_unwind(AssertUnwindSafe(|| onnx::run(case, &pool, passes)));
        // What passes must do so as it stands, and rewritten.
        let result = run(&[]).and_then(|result| match result {
            Ok(()) => run(sidestage_ops::PASSES),
            Err(problem) => Ok(Err(problem)),
        });
        match result.unwrap_or_else(|_| Err("PANIC".into())) {
            Ok(()) => {
                passed.insert(name.as_str());
            }
            Err(problem) => {
                failed.insert(name.as_str(), problem);
            }
        }
    }
    let _ = std::panic::take_hook();
    println!("{} of {} cases pass", passed.len(), cases.len());
    if let Some(path) = std::env::var_os("SIDESTAGE_SUITE_REPORT") {
        let line = |(name, problem): (&&str, &String)| {
            let elsewhere = if cases[*name].passes_elsewhere { "ort passes" } else { "ort fails" };
            format!("{name}: {} ({elsewhere})\n", problem.lines().next().unwrap_or(""))
        };
        let report: String = failed.iter().map(line).collect();
        std::fs::write(path, report).expect("the report is written");
    }
    let new: Vec<_> = failed.iter().filter(|(name, _)| !list.contains_key(**name)).collect();
    let gone: Vec<_> = list.keys().filter(|name| !failed.contains_key(**name)).collect();
    assert!(new.is_empty(), "these fail, and are not in the list: {new:#?}");
    assert!(gone.is_empty(), "these are in the list, and pass: {gone:#?}");
}
