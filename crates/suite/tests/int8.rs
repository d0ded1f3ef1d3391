//! Quantised models of ONNX, as ONNX Runtime's quantiser writes them, against their definition.

use sidestage_cpu::Runner;
use sidestage_ir::{Attribute, Model, Pass, PortDim, Var};
use sidestage_pool::Pool;
use sidestage_suite::nets::{Net, floats, random};
use sidestage_tensor::{DType, Tensor};
use std::sync::Arc;

fn run(model: &Model, passes: &[Pass], input: &Tensor) -> Tensor {
    let runner = Runner::new(Arc::new(model.clone()), sidestage_ops::lowering, 1 << 30);
    let mut runner = runner.with_passes(passes);
    sidestage_suite::outputs(&mut runner, [input.clone()], &Pool::inline()).swap_remove(0)
}

fn bytes(dtype: DType, dims: &[usize], values: &[i32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().map(|value| *value as u8).collect();
    Tensor::new(dtype, dims, &bytes).expect("memory")
}

fn arranged(model: &Model) -> Model {
    let mut arranged = model.clone();
    sidestage_ops::arrange(&mut arranged);
    arranged
}

/// How many calls of an operator there are.
fn calls(model: &Model, op: &str) -> usize {
    model.bodies.iter().flat_map(|body| &body.calls).filter(|call| call.op == op).count()
}

/// Bytes with a sign, and a scale for each of the first dimension.
fn weights(net: &mut Net, seed: &mut u64, dims: &[usize]) -> [Var; 3] {
    let (count, all) = (dims[0], dims.iter().product());
    let values: Vec<i32> = random(seed, all).iter().map(|x| (x * 127.0) as i32).collect();
    let scales: Vec<f32> = random(seed, count).iter().map(|x| 0.002 * (1.5 + x)).collect();
    [
        net.constant(bytes(DType::I8, dims, &values)),
        net.constant(floats(&[count], &scales)),
        net.constant(bytes(DType::I8, &[count], &vec![0; count])),
    ]
}

/// Numbers that have been integers, and how far two of these are apart.
fn convolutions(seed: &mut u64, last: usize, unsigned: bool) -> (Model, f32) {
    let mut net = Net::new(17);
    let (dtype, least) = if unsigned { (DType::U8, 0) } else { (DType::I8, -128) };
    let mut x = net.input("x", DType::F32, &[1, 6, 9, 8]);
    let mut scale = 1.0 / 128.0;
    // From channels to channels, the side of windows, groups.
    let layers = [[6, 20, 3, 1], [20, 20, 3, 20], [20, 9, 1, 1], [9, 12, 5, 3]];
    let point = |net: &mut Net, scale: f32, zero: i32| {
        [net.number(scale), net.constant(bytes(dtype, &[], &[zero]))]
    };
    let parameters = point(&mut net, scale, least + 128);
    let mut integers = net.call("QuantizeLinear", &[x, parameters[0], parameters[1]], &[]);
    let mut zeros = parameters;
    for [c, m, k, groups] in &layers[..last] {
        x = net.call("DequantizeLinear", &[integers, zeros[0], zeros[1]], &[]);
        let of = weights(&mut net, seed, &[*m, c / groups, *k, *k]);
        let axis = [("axis", Attribute::Int(0))];
        let weight = net.call("DequantizeLinear", &of, &axis);
        let known = |net: &Net, var: Var| net.known(var).elements::<f32>().to_vec();
        let of_bias: Vec<f32> = known(&net, of[1]).iter().map(|of| of * scale).collect();
        let values = random(seed, *m);
        let values: Vec<u8> =
            values.iter().flat_map(|x| ((x * 900.0) as i32).to_le_bytes()).collect();
        let bias = net.constant(Tensor::new(DType::I32, &[*m], &values).expect("memory"));
        let of_bias = net.constant(floats(&[*m], &of_bias));
        let zero = net.constant(Tensor::new(DType::I32, &[*m], &vec![0; 4 * m]).expect("memory"));
        let bias = net.call("DequantizeLinear", &[bias, of_bias, zero], &axis);
        let pad = (k / 2) as i64;
        let attributes =
            [("pads", Attribute::Ints(vec![pad; 4])), ("group", Attribute::Int(*groups as i64))];
        let y = net.call("Conv", &[x, weight, bias], &attributes);
        let y = if *k == 3 { net.call("Relu", &[y], &[]) } else { y };
        scale *= 1.3;
        zeros = point(&mut net, scale, if *k == 3 { least } else { least + 117 });
        integers = net.call("QuantizeLinear", &[y, zeros[0], zeros[1]], &[]);
    }
    let y = net.call("DequantizeLinear", &[integers, zeros[0], zeros[1]], &[]);
    (net.finish(&[y]), scale)
}

#[test]
fn convolutions_between_integers_are_those_of_integers() {
    let mut seed = 5;
    for unsigned in [true, false] {
        for last in 1..=4 {
            let (model, scale) = convolutions(&mut seed, last, unsigned);
            let integers = arranged(&model);
            assert_eq!((calls(&integers, "QLinearConv"), calls(&integers, "Conv")), (last, 0));
            let input = floats(&[1, 6, 9, 8], &random(&mut seed, 6 * 9 * 8));
            let plain = run(&model, &[], &input);
            for passes in [&[], sidestage_ops::PASSES] {
                let found = run(&integers, passes, &input);
                let (a, b) = (found.elements::<f32>(), plain.elements::<f32>());
                assert_eq!(a.len(), b.len());
                // One step where a result lies between two, of some hundred of a layer (they are
                // rounded twice); each is read by many results of the next.
                let far = a.iter().zip(b).filter(|(a, b)| (*a - *b).abs() > 1e-4 * scale).count();
                assert!(far * 10 <= a.len(), "{far} of {} differ", a.len());
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1.01 * scale));
                assert!(b.iter().any(|one| *one != b[0]), "all are the same");
            }
        }
    }
}

/// Products of numbers that have been integers with matrices that have been, and the result's unit.
/// Those of a `Gemm` lie in more dimensions before, or the other way round, and are moved.
fn products(
    seed: &mut u64,
    dtype: DType,
    (op, transposed, moving): (&str, bool, &str),
) -> (Model, f32) {
    let (k, n) = (37, 21);
    let least = if dtype == DType::U8 { 0 } else { -128 };
    let mut net = Net::new(17);
    let point = |net: &mut Net, scale: f32, zero: i32| {
        [net.number(scale), net.constant(bytes(dtype, &[], &[zero]))]
    };
    let dims: &[usize] = match moving {
        "Flatten" => &[6, k, 1, 1],
        "Transpose" => &[k, 6],
        _ if op == "Gemm" => &[6, k],
        _ => &[2, 3, k],
    };
    let x = net.input("x", DType::F32, dims);
    let of_x = point(&mut net, 1.0 / 128.0, least + 128);
    let x = net.call("QuantizeLinear", &[x, of_x[0], of_x[1]], &[]);
    let mut x = net.call("DequantizeLinear", &[x, of_x[0], of_x[1]], &[]);
    if !moving.is_empty() {
        x = net.call(moving, &[x], &[]);
    }
    let values: Vec<i32> = random(seed, k * n).iter().map(|x| (x * 127.0) as i32).collect();
    let scales: Vec<f32> = random(seed, n).iter().map(|x| 0.002 * (1.5 + x)).collect();
    let of_bias: Vec<f32> = scales.iter().map(|scale| scale / 128.0).collect();
    let dims = if transposed { [n, k] } else { [k, n] };
    let of = [
        net.constant(bytes(DType::I8, &dims, &values)),
        net.constant(floats(&[n], &scales)),
        net.constant(bytes(DType::I8, &[n], &vec![0; n])),
    ];
    let axis = [("axis", Attribute::Int(if transposed { 0 } else { -1 }))];
    let mut operands = vec![x, net.call("DequantizeLinear", &of, &axis)];
    let mut attributes = Vec::new();
    if op == "Gemm" {
        let values = random(seed, n);
        let values: Vec<u8> =
            values.iter().flat_map(|x| ((x * 900.0) as i32).to_le_bytes()).collect();
        let bias = net.constant(Tensor::new(DType::I32, &[n], &values).expect("memory"));
        let of_bias = net.constant(floats(&[n], &of_bias));
        let axis = [("axis", Attribute::Int(0))];
        operands.push(net.call("DequantizeLinear", &[bias, of_bias], &axis));
        attributes.push(("transB", Attribute::Int(transposed.into())));
    }
    let y = net.call(op, &operands, &attributes);
    let of_y = point(&mut net, 0.02, least + 117);
    let y = net.call("QuantizeLinear", &[y, of_y[0], of_y[1]], &[]);
    let y = net.call("DequantizeLinear", &[y, of_y[0], of_y[1]], &[]);
    (net.finish(&[y]), 0.02)
}

#[test]
fn products_between_integers_are_those_of_integers() {
    let mut seed = 7;
    for (op, transposed, moving, integer) in [
        ("Gemm", true, "", "com.microsoft::QGemm"),
        ("Gemm", false, "", "com.microsoft::QGemm"),
        ("Gemm", true, "Flatten", "com.microsoft::QGemm"),
        ("Gemm", true, "Transpose", "com.microsoft::QGemm"),
        ("MatMul", false, "", "QLinearMatMul"),
    ] {
        for dtype in [DType::U8, DType::I8] {
            let (model, scale) = products(&mut seed, dtype, (op, transposed, moving));
            let integers = arranged(&model);
            assert_eq!((calls(&integers, integer), calls(&integers, op)), (1, 0));
            let dims = model.inputs[0].dims.iter().flatten().map(|dim| match dim {
                PortDim::Fixed(dim) => *dim,
                PortDim::Free(name) => panic!("{name} is free"),
            });
            let dims: Vec<usize> = dims.collect();
            let input = floats(&dims, &random(&mut seed, 6 * 37));
            let (found, plain) = (run(&integers, &[], &input), run(&model, &[], &input));
            assert_eq!(found.dims(), plain.dims());
            let (a, b) = (found.elements::<f32>(), plain.elements::<f32>());
            assert!(b.iter().any(|one| *one != b[0]), "all are the same");
            // One step where a result lies between two.
            let far = a.iter().zip(b).filter(|(a, b)| (*a - *b).abs() > 1e-4 * scale).count();
            assert!(far * 20 <= a.len(), "{far} of {} differ", a.len());
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1.01 * scale));
        }
    }
}

/// Two numbers that have been integers, and one for each channel, become one integer.
fn function_of_two(op: &str, dtype: DType) -> Model {
    let least = if dtype == DType::U8 { 0 } else { -128 };
    let mut net = Net::new(17);
    let x = net.input("x", DType::F32, &[1, 6, 5, 7]);
    let mut operands = Vec::new();
    for (scale, zero) in [(0.009, 131), (0.013, 90)] {
        let of = [net.number(scale), net.constant(bytes(dtype, &[], &[least + zero]))];
        let y = net.call("QuantizeLinear", &[x, of[0], of[1]], &[]);
        operands.push(net.call("DequantizeLinear", &[y, of[0], of[1]], &[]));
    }
    let of_channels = [
        net.constant(bytes(dtype, &[6, 1, 1], &[3, 250, 17, 99, 128, 60].map(|x| x + least))),
        net.number(0.02),
        net.constant(bytes(dtype, &[1], &[least + 120])),
    ];
    operands.push(net.call("DequantizeLinear", &of_channels, &[]));
    let mut y = operands[0];
    for (other, scale) in [(operands[1], 0.017), (operands[2], 0.025)] {
        y = net.call(op, &[y, other], &[]);
        let of = [net.number(scale), net.constant(bytes(dtype, &[], &[least + 113]))];
        y = net.call("QuantizeLinear", &[y, of[0], of[1]], &[]);
        y = net.call("DequantizeLinear", &[y, of[0], of[1]], &[]);
    }
    net.finish(&[y])
}

#[test]
fn sums_and_products_between_integers_are_those_of_integers() {
    let mut seed = 3;
    for (op, integer) in
        [("Add", "com.microsoft::QLinearAdd"), ("Mul", "com.microsoft::QLinearMul")]
    {
        for dtype in [DType::U8, DType::I8] {
            let model = function_of_two(op, dtype);
            let integers = arranged(&model);
            assert_eq!((calls(&integers, integer), calls(&integers, op)), (2, 0));
            let input = floats(&[1, 6, 5, 7], &random(&mut seed, 6 * 5 * 7));
            let plain = run(&model, &[], &input);
            let values = plain.elements::<f32>();
            assert!(values.iter().any(|one| *one != values[0]), "all are the same");
            for passes in [&[], sidestage_ops::PASSES] {
                assert_eq!(run(&integers, passes, &input), plain, "{op} of {dtype}");
            }
        }
    }
}

/// A layer whose activations become bytes when it runs.
fn dynamic(weights: &Tensor, zero: Tensor, scales: &[f32], bias: &[f32]) -> Model {
    let mut net = Net::new(17);
    let x = net.input("x", DType::F32, &[1, 7, weights.dims()[0]]);
    let weight = net.constant(weights.clone());
    let zero = net.constant(zero);
    let scale = net.constant(floats(&[scales.len()], scales));
    let bias = net.constant(floats(&[bias.len()], bias));
    let all = net.calls("DynamicQuantizeLinear", &[x], 3);
    let y = net.call("MatMulInteger", &[all[0], weight, all[2], zero], &[]);
    let y = net.call("Cast", &[y], &[("to", Attribute::Int(1))]);
    let scale = net.call("Mul", &[all[1], scale], &[]);
    let y = net.call("Mul", &[y, scale], &[]);
    let y = net.call("Add", &[bias, y], &[]);
    net.finish(&[y])
}

#[test]
fn products_of_bytes_have_their_scales_and_biases_in_them() {
    let mut seed = 11;
    let (k, n) = (37, 21);
    for (dtype, zeros) in [
        (DType::I8, vec![0]),
        (DType::U8, vec![128]),
        (DType::U8, vec![121]),
        (DType::I8, (0..n as i32).map(|at| at - 10).collect()),
    ] {
        let least = if dtype == DType::I8 { -128.0 } else { 0.0 };
        let values: Vec<i32> =
            random(&mut seed, k * n).iter().map(|x| (x * 127.5 + 127.5 + least) as i32).collect();
        let scales: Vec<f32> =
            random(&mut seed, zeros.len()).iter().map(|x| 0.01 * (1.5 + x)).collect();
        let bias = random(&mut seed, n);
        let zero_dims: &[usize] = if zeros.len() == 1 { &[] } else { &[n] };
        let weights = bytes(dtype, &[k, n], &values);
        let model = dynamic(&weights, bytes(dtype, zero_dims, &zeros), &scales, &bias);
        let x = random(&mut seed, 7 * k);
        let input = floats(&[1, 7, k], &x);
        let plain = run(&model, &[], &input);
        let integers = arranged(&model);
        for (model, passes) in [
            (&model, sidestage_ops::PASSES),
            (&integers, &[][..]),
            (&integers, sidestage_ops::PASSES),
        ] {
            assert_eq!(run(model, passes, &input), plain, "{dtype} {zeros:?}");
        }
        // The definition (ONNX 11, "DynamicQuantizeLinear").
        let (least, most) =
            x.iter().fold((0.0_f32, 0.0_f32), |(least, most), x| (least.min(*x), most.max(*x)));
        let scale = (most - least) / 255.0;
        let point = (-least / scale).round_ties_even();
        let byte = |x: &f32| ((x / scale).round_ties_even() + point).clamp(0.0, 255.0);
        for (at, y) in plain.elements::<f32>().iter().enumerate() {
            let (row, column) = (at / n, at % n);
            let one = |list: &[f32]| list[if list.len() == 1 { 0 } else { column }];
            let zero = zeros[if zeros.len() == 1 { 0 } else { column }];
            let product = |step: usize| {
                f64::from(byte(&x[row * k + step]) - point)
                    * f64::from(values[step * n + column] - zero)
            };
            let sum: f64 = (0..k).map(product).sum();
            let exact = sum * f64::from(scale * one(&scales)) + f64::from(bias[column]);
            assert!((f64::from(*y) - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{y} for {exact}");
        }
    }
}
