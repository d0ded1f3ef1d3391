//! Graph models: loaded from several files, run, refused, ended.

use crate::host::{Files, Host, Reply, SLICE};
use sidestage_engine::protocol::{
    DimInfo, ErrorInfo, Explanation, LoadOptions, ModelInfo, NamedValue, Outcome, Profile, Request,
    RunValue, ValueInfo,
};

/// A field of bytes.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 128 {
        message.push(length as u8 | 128);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend(bytes);
    message
}

pub(crate) fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// Rows of 64 single floats.
fn port(name: &str) -> Vec<u8> {
    let dims = [field(1, &field(2, b"rows")), field(1, &number(1, 64))].concat();
    let ty = field(1, &[number(1, 1), field(2, &dims)].concat());
    [field(1, name.as_bytes()), field(2, &ty)].concat()
}

pub(crate) fn node(op: &str, inputs: [&str; 2], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    let name = format!("node {output}");
    let [output, name, op] =
        [(2, output), (3, &name), (4, op)].map(|(at, text)| field(at, text.as_bytes()));
    field(1, &[inputs, output, name, op].concat())
}

/// Numbers 0, 1, 2 … 4,095: 64 rows of 64.
fn weight_bytes() -> Vec<u8> {
    (0..4096_u16).flat_map(|at| f32::from(at).to_le_bytes()).collect()
}

/// `y = x · w`, then w's first row is added, or that product repeated, `steps` times; `place`: the fields
/// that say where w lies.
fn model(op: &str, place: &[u8], steps: usize, how: [&str; 2]) -> Vec<u8> {
    let dims = [number(1, 64), number(1, 64)].concat();
    let weight = [&dims, &number(2, 1), &field(8, b"w"), place].concat();
    let row: Vec<u8> = weight_bytes()[..256].to_vec();
    let row = [number(1, 64), number(2, 1), field(8, b"r"), field(9, &row)].concat();
    let mut nodes = node(op, ["x", "w"], "y0");
    for step in 0..steps {
        let [op, operand] = how;
        nodes.extend(node(op, [&format!("y{step}"), operand], &format!("y{}", step + 1)));
    }
    let ends = [field(11, &port("x")), field(12, &port(&format!("y{steps}")))].concat();
    let graph = [nodes, field(5, &weight), field(5, &row), ends].concat();
    [number(1, 8), field(7, &graph), field(8, &number(2, 17))].concat()
}

fn whole(steps: usize) -> Vec<u8> {
    model("MatMul", &field(9, &weight_bytes()), steps, ["Add", "r"])
}

/// A loop that never ends, of the input or of what is known before.
fn endless(of: &str) -> Vec<u8> {
    let name = |at: u8, name: &str| field(at, field(1, name.as_bytes()).as_slice());
    let body = [
        [node("And", ["go", "go"], "on"), node("Add", ["v", "r"], "next")].concat(),
        ["i", "go", "v"].map(|input| name(11, input)).concat(),
        ["on", "next"].map(|output| name(12, output)).concat(),
    ];
    // `type`, whose number has two bytes, says that it is a graph.
    let body = [field(1, b"body"), field(6, &body.concat()), vec![0xa0, 1, 5]].concat();
    let operands = ["", "go-on", of].map(|input| field(1, input.as_bytes())).concat();
    let call = [operands, field(2, b"y"), field(4, b"Loop"), field(5, &body)].concat();
    let go = [number(2, 9), field(8, b"go-on"), field(9, &[1])].concat();
    let row = [number(1, 64), number(2, 1), field(8, b"r"), field(9, &[0; 256])].concat();
    let ends = [field(11, &port("x")), field(12, &port("y"))].concat();
    let graph = [field(1, &call), field(5, &go), field(5, &row), ends].concat();
    [number(1, 8), field(7, &graph), field(8, &number(2, 17))].concat()
}

fn elsewhere(location: &str) -> Vec<u8> {
    let entry = |key: &str, value: &str| {
        field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
    };
    model(
        "MatMul",
        &[entry("location", location), entry("offset", "8"), number(14, 1)].concat(),
        1,
        ["Add", "r"],
    )
}

fn beside() -> Vec<u8> {
    [vec![9; 8], weight_bytes(), vec![9; 100_000]].concat()
}

/// The identity's row `at`, or another tensor.
fn input(host: &mut Host, name: &str, dtype: &str, shape: &[u64], bytes: &[u8]) -> NamedValue {
    let buffers = host.buffers();
    let buffer = buffers.make(bytes.len()).expect("memory");
    buffers.room(buffer).copy_from_slice(bytes);
    let value = RunValue::Tensor { dtype: dtype.into(), shape: shape.to_vec(), buffer };
    NamedValue { name: name.into(), value }
}

fn unit(host: &mut Host, at: usize) -> NamedValue {
    let row: Vec<u8> = (0..64).flat_map(|i| f32::from(u8::from(i == at)).to_le_bytes()).collect();
    input(host, "x", "float32", &[1, 64], &row)
}

fn start(host: &mut Host, inputs: Vec<NamedValue>) -> u32 {
    host.send(|id| Request::Run { id, model: 1, inputs, outputs: None, reset: false })
}

/// The type, the shape and the bytes of the first output of a run that has ended.
fn ran(host: &mut Host, id: u32) -> Result<(String, Vec<u64>, Vec<u8>), ErrorInfo> {
    let outputs = match host.watch.end(id).expect("the run has ended").clone()? {
        Outcome::Ran { outputs, .. } => outputs,
        other => panic!("{other:?} is no answer to a run"),
    };
    let RunValue::Tensor { dtype, shape, buffer } = &outputs[0].value else {
        panic!("{outputs:?}")
    };
    let bytes = host.buffers().bytes(*buffer).to_vec();
    host.buffers().free(*buffer);
    Ok((dtype.clone(), shape.clone(), bytes))
}

/// The numbers of the first output of a run that has ended.
fn output(host: &mut Host, id: u32) -> Result<Vec<f32>, ErrorInfo> {
    let (dtype, shape, bytes) = ran(host, id)?;
    assert_eq!((dtype.as_str(), shape[1]), ("float32", 64));
    assert_eq!(bytes.len() as u64, shape[0] * 256);
    Ok(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

fn run(host: &mut Host, at: usize) -> Vec<f32> {
    let given = unit(host, at);
    let id = start(host, vec![given]);
    host.run_out();
    output(host, id).expect("an output")
}

fn load(host: &mut Host, file: &[u8]) -> Result<ModelInfo, ErrorInfo> {
    host.load(&Reply::new(file), LoadOptions::default())
}

fn loaded(steps: usize) -> Host {
    let mut host = Host::new();
    load(&mut host, &whole(steps)).expect("a model");
    host
}

#[test]
fn a_model_is_told_by_its_bytes_and_runs() {
    // The URL says GGUF only by its name, which is no reason: it is the file of a signed URL.
    for chunk in [1, 999, usize::MAX] {
        let mut host = Host::new();
        let reply = Reply { chunk, ..Reply::new(&whole(1)) };
        let info = host.load(&reply, LoadOptions::default()).expect("a model");
        assert_eq!((info.format.as_str(), info.parameters), ("onnx", 4096 + 64));
        let [x] = &info.inputs[..] else { panic!("{:?}", info.inputs) };
        assert_eq!((x.name.as_str(), x.dtype.as_deref()), ("x", Some("float32")));
        assert_eq!(x.shape, Some(vec![DimInfo::Free("rows".into()), DimInfo::Fixed(64)]));
        let y = run(&mut host, 3);
        let expected: Vec<f32> = (0..64_u8).map(|at| 192.0 + 2.0 * f32::from(at)).collect();
        assert_eq!(y, expected);
    }
}

#[test]
fn runs_follow_each_other_and_shapes_may_change() {
    let mut host = loaded(1);
    let one = unit(&mut host, 1);
    let two = input(&mut host, "x", "float32", &[2, 64], &[0; 512]);
    let (one, two) = (start(&mut host, vec![one]), start(&mut host, vec![two]));
    host.run_out();
    assert_eq!(output(&mut host, one).expect("an output")[0], 64.0);
    assert_eq!(output(&mut host, two).expect("an output").len(), 128);
    assert_eq!(run(&mut host, 2)[0], 128.0);
}

#[test]
fn what_runs_leave_for_the_next_is_forgotten_when_that_is_asked_for() {
    let mut host = Host::new();
    // A sum that a variable keeps.
    let file = include_bytes!("../../../../fuzz/corpus/tflite/state_variable");
    load(&mut host, file).expect("a model");
    let mut run = |reset| {
        let numbers = [1.0_f32, 2.0].map(f32::to_le_bytes);
        let inputs = vec![input(&mut host, "t0", "float32", &[2], numbers.as_flattened())];
        let id = host.send(|id| Request::Run { id, model: 1, inputs, outputs: None, reset });
        host.run_out();
        ran(&mut host, id).expect("an output").2
    };
    let (first, second) = (run(false), run(false));
    assert_ne!(first, second);
    assert_eq!((run(true), run(false)), (first, second));
}

#[test]
fn weights_lie_in_a_file_beside() {
    for location in ["w.bin", "./w.bin"] {
        let mut host = Host::new();
        let files: Files = vec![("w.bin".into(), beside()), ("m.onnx".into(), elsewhere(location))];
        let info = host.load_files(files, LoadOptions::default()).expect("a model");
        assert_eq!(info.files, ["m.onnx", "w.bin"]);
        assert_eq!(run(&mut host, 3)[63], 192.0 + 2.0 * 63.0);
    }
}

#[test]
fn a_file_beside_that_is_missing_or_short_is_told() {
    let refused = |location: &str, bytes: &[u8]| {
        let files: Files =
            vec![("m.onnx".into(), elsewhere(location)), ("w.bin".into(), bytes.to_vec())];
        Host::new().load_files(files, LoadOptions::default()).expect_err("no model").code
    };
    for outside in ["../w.bin", "/w.bin", "a/../w.bin", "https://example.org/w.bin", "v.bin", ""] {
        assert_eq!(refused(outside, &beside()), "MODEL_INCOMPLETE", "{outside}");
    }
    assert_eq!(refused("w.bin", &beside()[..9000]), "MODEL_TRUNCATED");
}

#[test]
fn what_cannot_be_run_is_refused_before_its_weights() {
    let mut host = Host::new();
    let place = field(13, &[field(1, b"location"), field(2, b"w.bin")].concat());
    let file = model("NoSuchThing", &[place, number(14, 1)].concat(), 0, ["Add", "r"]);
    let files: Files = vec![("m.onnx".into(), file)];
    let error = host.load_files(files, LoadOptions::default()).expect_err("no model");
    assert_eq!(error.code, "OP_UNSUPPORTED");
    assert!(error.message.contains("NoSuchThing"), "{}", error.message);
}

#[test]
fn a_broken_file_is_refused_and_the_engine_stays() {
    let mut host = Host::new();
    let file = whole(1);
    for end in [9, 100, 5000, file.len() - 9] {
        let error = load(&mut host, &file[..end]).expect_err("no model");
        assert_eq!(error.code, "MODEL_TRUNCATED", "{end}: {}", error.message);
    }
    for (at, byte) in [(0, 0x0f_u8), (2, 0x0f)] {
        let mut broken = file.clone();
        broken[at] = byte;
        let error = load(&mut host, &broken).expect_err("no model");
        assert_eq!(error.code, "NOT_A_MODEL", "{}", error.message);
    }
    load(&mut host, &file).expect("a model");
    assert_eq!(run(&mut host, 0)[1], 2.0);
}

#[test]
fn inputs_that_do_not_fit_are_refused_and_leave_nothing() {
    let mut host = loaded(1);
    let cases: [(&str, &str, &[u64], usize, &str); 7] = [
        ("z", "float32", &[1, 64], 256, "no input \"z\"; it takes: x F32 [rows, 64]"),
        ("x", "float64", &[1, 64], 512, "must be F32 [rows, 64]"),
        ("x", "float32", &[1, 65], 260, "must be F32 [rows, 64]"),
        ("x", "float32", &[64], 256, "must be F32 [rows, 64]"),
        ("x", "float32", &[2, 64], 256, "64 elements of float32 are no tensor of [2, 64]"),
        ("x", "float32", &[1 << 40, 1 << 40], 256, "are no tensor"),
        ("x", "complex64", &[1, 64], 512, "is no type"),
    ];
    for (name, dtype, shape, bytes, part) in cases {
        let given = input(&mut host, name, dtype, shape, &vec![0; bytes]);
        let RunValue::Tensor { buffer, .. } = given.value else { panic!("a tensor") };
        let id = start(&mut host, vec![given]);
        let error = output(&mut host, id).expect_err("no output");
        assert_eq!(error.code, "INPUT_INVALID");
        assert!(error.message.contains(part), "{}", error.message);
        assert!(host.buffers().bytes(buffer).is_empty(), "the buffer is freed");
    }
    let id = start(&mut host, Vec::new());
    assert!(output(&mut host, id).expect_err("no output").message.contains("x is missing"));
    let value = RunValue::Tensor { dtype: "float32".into(), shape: vec![1, 64], buffer: 77 };
    let id = start(&mut host, vec![NamedValue { name: "x".into(), value }]);
    assert!(output(&mut host, id).expect_err("no output").message.contains("no such buffer"));
    let given = unit(&mut host, 0);
    let outputs = Some(vec!["no".into()]);
    let id =
        host.send(|id| Request::Run { id, model: 1, inputs: vec![given], outputs, reset: false });
    assert_eq!(output(&mut host, id).expect_err("no output").code, "INVALID_OPTION");
    assert_eq!(run(&mut host, 0)[1], 2.0);
}

#[test]
fn a_run_is_aborted_in_the_middle_and_in_the_queue() {
    let mut host = Host::new();
    let file = model("MatMul", &field(9, &weight_bytes()), 200, ["MatMul", "w"]);
    load(&mut host, &file).expect("a model");
    let (a, b, c) = (unit(&mut host, 1), unit(&mut host, 1), unit(&mut host, 1));
    let [a, b, c] = [a, b, c].map(|given| start(&mut host, vec![given]));
    assert!(host.run(SLICE / 10.0));
    assert!(host.watch.end(a).is_none(), "it takes longer than a slice");
    host.abort(b);
    host.abort(a);
    for id in [a, b] {
        assert_eq!(output(&mut host, id).expect_err("no output").code, "ABORTED");
    }
    host.run_out();
    assert_eq!(output(&mut host, c).expect("an output").len(), 64);
    let given = unit(&mut host, 1);
    let open = start(&mut host, vec![given]);
    host.ask(|id| Request::Dispose { id, model: 1 }).expect("an end");
    assert_eq!(output(&mut host, open).expect_err("no output").code, "MODEL_DISPOSED");
}

#[test]
fn a_loop_without_an_end_is_aborted_and_holds_no_more_and_more() {
    for of in ["x", "r"] {
        let mut host = Host::new();
        load(&mut host, &endless(of)).expect("a model");
        let given = unit(&mut host, 1);
        let id = start(&mut host, vec![given]);
        for _ in 0..50 {
            assert!(host.run(1.0));
        }
        let scratch = |host: &mut Host| match host.ask(|id| Request::Metrics {
            id,
            model: 1,
            profile: false,
        }) {
            Ok(Outcome::Metrics { metrics, .. }) => metrics.memory.scratch,
            other => panic!("{other:?}"),
        };
        let before = scratch(&mut host);
        for _ in 0..50 {
            assert!(host.run(1.0));
        }
        assert!(scratch(&mut host) <= before.max(1 << 20), "{of}");
        host.abort(id);
        assert_eq!(output(&mut host, id).expect_err("no output").code, "ABORTED");
    }
}

#[test]
fn a_model_does_only_what_its_kind_does() {
    let mut host = loaded(1);
    let error = host.ask(|id| Request::Detokenize { id, model: 1, tokens: vec![1] });
    assert_eq!(error.expect_err("no text").code, "TASK_UNSUPPORTED");
    let mut host = Host::tiny();
    let error = host.ask(|id| Request::Explain { id, model: 1 });
    assert_eq!(error.expect_err("no graph").code, "TASK_UNSUPPORTED");
    let given = unit(&mut host, 1);
    let id = start(&mut host, vec![given]);
    assert_eq!(output(&mut host, id).expect_err("no output").code, "TASK_UNSUPPORTED");
    assert!(host.buffers().bytes(1).is_empty(), "the buffer is freed");
}

fn explain(host: &mut Host) -> Explanation {
    match host.ask(|id| Request::Explain { id, model: 1 }) {
        Ok(Outcome::Explained { explanation }) => explanation,
        other => panic!("{other:?}"),
    }
}

fn profile(host: &mut Host, profile: bool) -> Option<Profile> {
    match host.ask(|id| Request::Metrics { id, model: 1, profile }) {
        Ok(Outcome::Metrics { metrics }) => metrics.profile,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_model_is_explained_when_its_shapes_are_known() {
    let mut host = loaded(1);
    let before = explain(&mut host);
    assert!(before.segments.is_empty());
    assert!(before.reason.expect("why").contains("first run"));
    run(&mut host, 3);
    let after = explain(&mut host);
    assert_eq!(after.reason, None);
    let [segment] = &after.segments[..] else { panic!("{after:?}") };
    assert_eq!(segment.needs, 0);
    assert!(segment.constant_bytes >= 4 * (4096 + 64) && segment.scratch_bytes >= 2 * 256);
    // The sum is part of the product.
    let [product] = &segment.operators[..] else { panic!("{segment:?}") };
    let row = ValueInfo { dtype: "float32".into(), shape: vec![1, 64] };
    assert_eq!((&product.inputs[0], &product.outputs[..]), (&row, &[row.clone()][..]));
    assert_eq!((product.call.as_str(), product.device.as_str()), ("node y1", "cpu"));
    assert_ne!(product.passes, Vec::<String>::new());
    let two = input(&mut host, "x", "float32", &[2, 64], &[0; 512]);
    let two = start(&mut host, vec![two]);
    host.run_out();
    output(&mut host, two).expect("an output");
    assert_eq!(explain(&mut host).segments.len(), 2, "another shape is planned anew");
}

#[test]
fn a_model_of_declared_shapes_is_explained_before_it_runs() {
    let mut host = Host::new();
    let mut file = whole(1);
    let rows = field(1, &field(2, b"rows"));
    let one = field(1, &[number(1, 1), field(3, b"ab")].concat());
    assert_eq!(rows.len(), one.len(), "lengths of fields stay");
    let at = |file: &[u8]| file.windows(rows.len()).position(|part| part == rows);
    while let Some(at) = at(&file) {
        file.splice(at..at + rows.len(), one.clone());
    }
    load(&mut host, &file).expect("a model");
    let before = explain(&mut host);
    assert_eq!((before.segments.len(), &before.reason), (1, &None));
    assert_eq!(run(&mut host, 3)[1], 194.0);
    assert_eq!(explain(&mut host), before, "the run needs nothing else");
}

#[test]
fn the_time_of_each_operator_is_taken_when_it_is_asked_for() {
    let mut host = Host::new();
    load(&mut host, &whole(9)).expect("a model");
    let plain = run(&mut host, 1);
    assert_eq!(profile(&mut host, false), None);
    assert_eq!(profile(&mut host, true).expect("on").run.steps, 0, "from now on");
    for _ in 0..3 {
        assert_eq!(run(&mut host, 1), plain);
    }
    let of = profile(&mut host, true).expect("on").run;
    let calls: u64 = of.ops.iter().map(|op| op.calls).sum();
    let operators = explain(&mut host).segments[0].operators.len() as u64;
    assert_eq!((of.steps, calls), (3, 3 * operators));
    let shares: f64 = of.ops.iter().map(|op| op.share).sum();
    assert!(of.ms > 0.0 && (shares - 1.0).abs() < 1e-9);
    let again = profile(&mut host, false);
    assert_eq!(again, None);
}

#[test]
fn what_would_take_too_much_memory_is_refused() {
    let mut host = Host::new();
    let options = LoadOptions { memory_limit: Some(17_000), ..LoadOptions::default() };
    host.load(&Reply::new(&whole(1)), options).expect("a model");
    let given = input(&mut host, "x", "float32", &[4, 64], &[0; 1024]);
    let id = start(&mut host, vec![given]);
    host.run_out();
    assert_eq!(output(&mut host, id).expect_err("no output").code, "OUT_OF_MEMORY");
}
