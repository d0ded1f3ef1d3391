//! Numbers at random: that they are of the distribution, others in each call and each run, and the same
//! again where a run begins anew.

use sidestage_cpu::Runner;
use sidestage_ir::{Attribute, Model, Var};
use sidestage_pool::Pool;
use sidestage_suite::nets::{Net, floats, integers};
use sidestage_tensor::{DType, Tensor};
use std::sync::Arc;

fn runner(model: &Model) -> Runner {
    let mut model = model.clone();
    sidestage_ops::arrange(&mut model);
    Runner::new(Arc::new(model), sidestage_ops::lowering, 1 << 30)
}

fn run(runner: &mut Runner) -> Vec<Tensor> {
    sidestage_suite::outputs(runner, [], &Pool::inline())
}

fn model(build: impl Fn(&mut Net) -> Vec<Var>) -> Runner {
    let mut net = Net::new(22);
    let outputs = build(&mut net);
    runner(&net.finish(&outputs))
}

/// Mean and variance of numbers.
fn moments(values: &[f32]) -> [f32; 2] {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / values.len() as f32;
    [mean, variance]
}

fn shares(values: &[i64], of: i64) -> Vec<f32> {
    let share = |one: i64| values.iter().filter(|value| **value == one).count() as f32;
    (0..of).map(|one| share(one) / values.len() as f32).collect()
}

#[track_caller]
fn near(found: &[f32], expected: &[f32], most: f32) {
    let apart = found.iter().zip(expected).any(|(a, b)| (a - b).abs() > most);
    assert!(!apart && found.len() == expected.len(), "{found:?} is not {expected:?}");
}

const SIZE: i64 = 10_000;

#[test]
fn each_call_and_each_run_draws_anew() {
    let shape = ("shape", Attribute::Ints(vec![4, SIZE / 4]));
    let mut runner = model(|net| {
        let plain = net.call("RandomNormal", &[], std::slice::from_ref(&shape));
        let again = net.call("RandomNormal", &[], std::slice::from_ref(&shape));
        let seeded = ("seed", Attribute::Float(7.0));
        vec![plain, again, net.call("RandomNormal", &[], &[shape.clone(), seeded])]
    });
    let first = run(&mut runner);
    let second = run(&mut runner);
    let all: Vec<&[f32]> = first.iter().chain(&second).map(Tensor::elements).collect();
    for (at, one) in all.iter().enumerate() {
        near(&moments(one), &[0.0, 1.0], 0.06);
        assert!(all[..at].iter().all(|other| other != one), "{at} has been drawn before");
    }
    runner.reset();
    assert_eq!(run(&mut runner)[0].elements::<f32>(), first[0].elements::<f32>());
    assert_eq!(run(&mut runner)[2].elements::<f32>(), second[2].elements::<f32>());
}

#[test]
fn onnx_draws_in_the_shape_and_type_that_are_asked_for() {
    let mut runner = model(|net| {
        let like = net.constant(integers(&[2, SIZE as usize / 2], &[0; SIZE as usize]));
        let double = ("dtype", Attribute::Int(11));
        let float = ("dtype", Attribute::Int(1));
        let to = |low, high| [("low", Attribute::Float(low)), ("high", Attribute::Float(high))];
        let of = [("mean", Attribute::Float(5.0)), ("scale", Attribute::Float(2.0))];
        let [low, high] = to(-3.0, 1.0);
        vec![
            net.call("RandomUniformLike", &[like], &[float.clone(), low, high]),
            net.call("RandomNormalLike", &[like], &[float, of[0].clone(), of[1].clone()]),
            net.call("RandomUniformLike", &[like], &[double]),
        ]
    });
    let found = run(&mut runner);
    assert!(found.iter().all(|one| one.dims() == [2, SIZE as usize / 2]));
    near(&moments(found[0].elements()), &[-1.0, 16.0 / 12.0], 0.05);
    near(&moments(found[1].elements()), &[5.0, 4.0], 0.2);
    assert_eq!(found[2].dtype(), DType::F64);
}

#[test]
fn what_is_likely_is_drawn_often() {
    let chances = [0.1_f32, 0.2, 0.7];
    let logits: Vec<f32> = chances.iter().map(|chance| chance.ln()).collect();
    let mut runner = model(|net| {
        let logits = net.constant(floats(&[1, 3], &logits));
        let chance = net.constant(floats(&[SIZE as usize], &[0.3; SIZE as usize]));
        let count = net.constant(integers(&[], &[SIZE]));
        let long = ("dtype", Attribute::Int(7));
        let drawn = ("sample_size", Attribute::Int(SIZE));
        vec![
            net.call("Bernoulli", &[chance], std::slice::from_ref(&long)),
            net.call("Multinomial", &[logits], &[long, drawn]),
            net.call(
                "TF::Multinomial",
                &[logits, count],
                &[("output_dtype", Attribute::Type(DType::I64))],
            ),
        ]
    });
    let found = run(&mut runner);
    near(&shares(found[0].elements(), 2), &[0.7, 0.3], 0.03);
    for drawn in &found[1..] {
        assert_eq!(drawn.dims(), [1, SIZE as usize]);
        near(&shares(drawn.elements(), 3), &chances, 0.03);
    }
}

#[test]
fn tensorflow_draws_in_the_shape_of_an_operand() {
    let mut runner = model(|net| {
        let shape = net.constant(integers(&[2], &[SIZE / 10, 10]));
        let (least, most) = (net.constant(integers(&[], &[-2])), net.constant(integers(&[], &[3])));
        let of = ["TF::RandomUniform", "TF::RandomStandardNormal", "TF::TruncatedNormal"];
        let mut all: Vec<Var> = of.iter().map(|op| net.call(op, &[shape], &[])).collect();
        all.push(net.call("TFLITE::RANDOM_UNIFORM", &[shape], &[]));
        all.push(net.call("TFLITE::RANDOM_STANDARD_NORMAL", &[shape], &[]));
        all.push(net.call("TF::RandomUniformInt", &[shape, least, most], &[]));
        all
    });
    let found = run(&mut runner);
    assert!(found.iter().all(|one| one.dims() == [SIZE as usize / 10, 10]));
    let expected = [[0.5, 1.0 / 12.0], [0.0, 1.0], [0.0, 0.774], [0.5, 1.0 / 12.0], [0.0, 1.0]];
    for (one, expected) in found.iter().zip(&expected) {
        near(&moments(one.elements()), expected, 0.06);
    }
    assert!(found[2].elements::<f32>().iter().all(|x| x.abs() <= 2.0));
    let moved: Vec<i64> = found[5].elements::<i32>().iter().map(|x| i64::from(*x) + 2).collect();
    near(&shares(&moved, 5), &[0.2; 5], 0.03);
}
