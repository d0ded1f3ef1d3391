//! ONNX files, as they come: in pieces, cut off, with weights elsewhere.

use sidestage_formats::onnx::{self, OnnxError, Reader};
use sidestage_ir::{Model, Port};
use sidestage_tensor::AlignedBytes;
use std::path::PathBuf;
use std::sync::Arc;

fn real(name: &str) -> Option<Vec<u8>> {
    let data = PathBuf::from(std::env::var_os("SIDESTAGE_TESTDATA")?);
    Some(std::fs::read(data.join("onnx").join(name)).expect(name))
}

fn read_in_pieces(file: &[u8], size: usize) -> Result<Model, OnnxError> {
    let mut reader = Reader::new(None);
    for piece in file.chunks(size) {
        reader.push(piece)?;
    }
    reader.finish()?.place(Vec::new())
}

fn same(a: &Model, b: &Model) -> bool {
    a.constants == b.constants && format!("{a:?}") == format!("{b:?}")
}

#[test]
fn pieces_do_not_matter() {
    for name in ["mnist-12.onnx", "stories260K-kv.onnx"] {
        let Some(file) = real(name) else { return };
        let whole = onnx::read(&file).expect(name);
        assert!(whole.constants.iter().any(|(_, tensor)| tensor.bytes().len() >= 4096));
        for size in [1, 7, 4096, 65_537] {
            assert!(same(&whole, &read_in_pieces(&file, size).expect(name)), "{name} by {size}");
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let Some(file) = real("mnist-12.onnx") else { return };
    let mut refused = 0;
    for end in (1..file.len()).step_by(13).chain(file.len() - 40..file.len()) {
        // Between two fields of the model nothing tells that there were more.
        refused += usize::from(onnx::read(&file[..end]).is_err());
        let mut reader = Reader::new(Some(file.len() as u64));
        reader.push(&file[..end]).expect("its beginning is right");
    }
    assert!(refused > file.len() / 13, "{refused}");
}

/// A message of fields of bytes.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, field) in fields {
        assert!(field.len() < 1 << 14);
        bytes.extend([number << 3 | 2, field.len() as u8 | 128, (field.len() >> 7) as u8]);
        bytes.extend_from_slice(field);
    }
    bytes
}

/// A model of one weight: 2,048 numbers, with these fields.
fn weight(fields: &[(u8, &[u8])], end: &[u8]) -> Vec<u8> {
    let mut tensor = vec![1 << 3, 128, 16, 2 << 3, 1];
    tensor.extend(message(&[(8, b"w")]));
    tensor.extend(message(fields));
    tensor.extend(end);
    message(&[(7, &message(&[(5, &tensor)]))])
}

#[test]
fn a_large_weight_is_taken_out() {
    let bytes: Vec<u8> = (0..8192).map(|at| at as u8).collect();
    // As some exporters write it: the place of the bytes said after them, and that it is here.
    for end in [&[][..], &[14 << 3, 0]] {
        let model = onnx::read(&weight(&[(9, &bytes)], end)).expect("a model");
        assert_eq!(model.constants[0].1.bytes(), bytes);
    }
}

#[test]
fn weights_of_another_file_come_after_it() {
    let place = [
        (13, message(&[(1, b"location"), (2, b"w.bin")])),
        (13, message(&[(1, b"offset"), (2, b"64")])),
    ];
    let place: Vec<(u8, &[u8])> = place.iter().map(|(n, bytes)| (*n, bytes.as_slice())).collect();
    let file = weight(&place, &[14 << 3, 1]);
    assert!(
        matches!(onnx::read(&file), Err(OnnxError::External { location, .. }) if location == "w.bin")
    );
    let mut reader = Reader::new(None);
    reader.push(&file).expect("a model");
    let unplaced = reader.finish().expect("a model");
    let [part] = unplaced.parts() else { panic!("{:?}", unplaced.parts()) };
    assert_eq!((part.location.as_str(), part.offset, part.length), ("w.bin", 64, 8192));
    let mut bytes = AlignedBytes::zeroed(8192).expect("memory");
    bytes.as_mut_slice()[8191] = 7;
    let model = unplaced.place(vec![Arc::new(bytes)]).expect("a model");
    assert_eq!(model.constants[0].1.bytes()[8190..], [0, 7]);
}

#[test]
fn a_length_that_the_file_has_not_is_refused_before_memory_is_taken() {
    let mut file = vec![7 << 3 | 2];
    file.extend([0xff; 8]);
    file.push(0x7f);
    let mut reader = Reader::new(Some(1 << 20));
    assert_eq!(reader.push(&file), Err(OnnxError::Truncated));
}

/// A tensor of one element.
fn element(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    [vec![2 << 3, kind], message(&[(8, name.as_bytes()), (9, bytes)])].concat()
}

fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().map(|name| (1, name.as_bytes()));
    let rest = [(2, output.as_bytes()), (4, op.as_bytes())];
    message(&inputs.chain(rest).collect::<Vec<_>>())
}

#[test]
fn what_integers_stand_for_is_said_by_the_calls_beside_them() {
    let value = |name: &str, kind: u8| {
        let tensor = message(&[(1, &[1 << 3, kind])]);
        message(&[(1, name.as_bytes()), (2, &tensor)])
    };
    let quantization = |zero: &str| {
        let graph = message(&[
            (1, &node("DequantizeLinear", &["x", "s", zero], "a")),
            (1, &node("QuantizeLinear", &["a", "t"], "y")),
            (5, &element("s", 1, &0.25_f32.to_le_bytes())),
            (5, &element("t", 1, &0.5_f32.to_le_bytes())),
            (5, &element("z", 3, &[0xfd])),
            (11, &value("x", 3)),
            (11, &value("given", 3)),
            (12, &value("y", 2)),
            (12, &value("a", 1)),
        ]);
        let model = onnx::read(&message(&[(7, &graph)])).expect("a model");
        let of = |ports: &[Port]| -> Vec<_> {
            let all = ports.iter().map(|port| port.quantization);
            all.map(|of| of.map(|of| (of.scale, of.zero_point))).collect()
        };
        (of(&model.inputs), of(&model.outputs))
    };
    let outputs = vec![Some((0.5, 0)), None];
    assert_eq!(quantization("z"), (vec![Some((0.25, -3)), None], outputs.clone()));
    // What is given with the run is not known.
    assert_eq!(quantization("given"), (vec![None, None], outputs));
}
