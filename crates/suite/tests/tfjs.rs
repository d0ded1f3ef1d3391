//! TensorFlow.js models. What does not pass stands in `tfjs.txt`, with a reason a line.

use sidestage_pool::Pool;
use sidestage_suite::tfjs;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn models_compute_what_they_compute_in_tensorflow_js() {
    let Some(data) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("SIDESTAGE_TESTDATA is not set: TensorFlow.js models are left out");
        return;
    };
    let list = include_str!("tfjs.txt").lines().filter(|line| !line.starts_with('#'));
    let mut list: BTreeMap<&str, &str> = list.filter_map(|line| line.split_once(": ")).collect();
    let (pool, mut failed) = (Pool::native(2), Vec::new());
    let folders = std::fs::read_dir(Path::new(&data).join("tfjs")).expect("the models");
    for folder in folders.map(|folder| folder.expect("a folder").path()) {
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let result = tfjs::run(&folder, &pool, 1e-4);
        match (result, list.remove(name.as_str())) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Ok(()), Some(_)) => failed.push(format!("{name} is in the list, and passes")),
            (Err(problem), None) => failed.push(format!("{name}: {problem}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(list.is_empty(), "these are in the list, and are not there: {list:?}");
}
