//! `sidestage run`: models of arrays, against other people's results.
#![allow(clippy::disallowed_methods, reason = "tests run natively only")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod program;

use program::{Folder, run};
use serde_json::Value;
use sidestage_formats::npy;
use sidestage_tensor::DType;
use std::fs;
use std::path::Path;

/// A field of a message: its number, and bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
}

fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// A value of two single floats.
fn value(name: &str) -> Vec<u8> {
    let shape = field(2, &field(1, &number(1, 2)));
    let ty = field(1, &[number(1, 1), shape].concat());
    [field(1, name.as_bytes()), field(2, &ty)].concat()
}

/// A model: `y = op(x, w)`, where w lies in another file.
fn model(op: &str, location: &str) -> Vec<u8> {
    let texts = |number, names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| field(number, name.as_bytes())).collect()
    };
    let node = [texts(1, &["x", "w"]), field(2, b"y"), field(4, op.as_bytes())].concat();
    let place = [field(1, b"location"), field(2, location.as_bytes())].concat();
    let weight = [number(1, 2), number(2, 1), field(8, b"w"), field(13, &place), number(14, 1)];
    let ends = [field(11, &value("x")), field(12, &value("y"))].concat();
    let graph = [field(1, &node), field(5, &weight.concat()), ends].concat();
    [field(8, &number(2, 17)), field(7, &graph)].concat()
}

fn array(path: &Path, dtype: DType, dims: &[usize], bytes: &[u8]) {
    let header = npy::header(dtype, dims).expect("a type of NumPy");
    fs::write(path, [&header, bytes].concat()).expect("a file");
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn weights_lie_beside_the_model_and_nowhere_else() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(folder.path().join("inner/deep")).expect("a folder");
    fs::write(folder.path().join("inner/deep/w.bin"), floats(&[1.0, 2.0])).expect("a file");
    fs::write(folder.path().join("secret.bin"), floats(&[1.0, 2.0])).expect("a file");
    array(&folder.path().join("x.npy"), DType::F32, &[2], &floats(&[10.0, 20.0]));
    let (x, out) = (path("x.npy"), path("out"));
    let place = folder.path().join("inner/model.onnx");
    let model_path = place.display().to_string();
    let go = |input: &str| {
        let input = format!("{input}={x}");
        run(&["run", "--model", &model_path, "--input", &input, "--out", &out], b"")
    };
    fs::write(&place, model("Add", "deep/w.bin")).expect("a file");
    for name in ["x", "0"] {
        let ended = go(name);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let y = npy::read(&fs::read(path("out/0.npy")).expect("an output")).expect("an array");
        assert_eq!(y.elements::<f32>(), [11.0, 22.0]);
        let list = fs::read(path("out/outputs.json")).expect("the list");
        let list: Value = serde_json::from_slice(&list).expect("JSON");
        let expected =
            serde_json::json!([{ "name": "y", "dtype": "float32", "shape": [2], "file": "0.npy" }]);
        assert_eq!(list, expected);
    }
    let plan = |without: &str| {
        let input = format!("x={x}");
        let run_it = ["run", "--model", &model_path, "--input", &input, "--out", &out];
        run(&[&run_it[..], &["--plan", "--without", without]].concat(), b"")
    };
    for without in ["all", "elementwise"] {
        let ended = plan(without);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let text = &ended.stdout;
        assert!(text.contains("Binary") && text.contains("F32 [2], F32 [2] -> F32 [2]"), "{text}");
    }
    assert_eq!(plan("nothing").error(), "INVALID_OPTION");
    assert_eq!(go("z").error(), "INPUT_INVALID");
    let secret = path("secret.bin");
    for outside in ["../secret.bin", "deep/../../secret.bin", &secret, "none.bin"] {
        fs::write(&place, model("Add", outside)).expect("a file");
        assert_eq!(go("x").error(), "MODEL_INCOMPLETE", "{outside}");
    }
    fs::write(&place, model("NoSuchThing", "deep/w.bin")).expect("a file");
    let ended = go("x");
    assert_eq!(ended.error(), "OP_UNSUPPORTED");
    assert!(ended.stderr.contains("NoSuchThing"), "{}", ended.stderr);
    fs::write(&place, b"no model").expect("a file");
    assert_eq!(go("x").error(), "NOT_A_MODEL");
    fs::write(&place, b"GGUF and so on").expect("a file");
    assert_eq!(go("x").error(), "MODEL_UNSUPPORTED");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(folder.path().join("w.bin"), floats(&[1.0, 2.0])).expect("a file");
    fs::write(folder.path().join("model.onnx"), model("Add", "w.bin")).expect("a file");
    array(&folder.path().join("long.npy"), DType::F32, &[3], &[0; 12]);
    array(&folder.path().join("double.npy"), DType::F64, &[2], &[0; 16]);
    fs::write(folder.path().join("no.npy"), b"no array").expect("a file");
    let (model, out) = (path("model.onnx"), path("out"));
    let go = |inputs: &[String]| {
        let mut args = vec!["run", "--model", &model, "--out", &out];
        inputs.iter().for_each(|input| args.extend(["--input", input]));
        run(&args, b"")
    };
    for bad in ["long.npy", "double.npy"] {
        let ended = go(&[format!("x={}", path(bad))]);
        assert_eq!(ended.error(), "INPUT_INVALID");
        assert!(ended.stderr.contains("must be F32 [2]"), "{}", ended.stderr);
    }
    assert_eq!(go(&[format!("x={}", path("no.npy"))]).error(), "NPY_INVALID");
    assert_eq!(go(&[format!("x={}", path("none.npy"))]).error(), "NOT_FOUND");
    assert_eq!(go(&["x".into()]).error(), "INVALID_OPTION");
    let ended = go(&[]);
    assert_eq!(ended.error(), "INPUT_INVALID");
    assert!(ended.stderr.contains("x F32 [2]"), "{}", ended.stderr);
    assert!(!folder.path().join("out").exists(), "what fails leaves nothing behind");
}
