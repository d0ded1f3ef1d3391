//! Models of real shapes, as exporters write them, give the same with passes and without.

use sidestage_cpu::Runner;
use sidestage_ir::{Call, Model, Pass};
use sidestage_pool::Pool;
use sidestage_suite::nets::{self, floats, integers, random};
use sidestage_suite::onnx::compare;
use sidestage_tensor::Tensor;
use std::sync::Arc;

fn run(model: &Arc<Model>, passes: &[Pass], inputs: &[Tensor]) -> Vec<Tensor> {
    let runner = Runner::new(Arc::clone(model), sidestage_ops::lowering, 1 << 30);
    outputs(&mut runner.with_passes(passes), inputs)
}

fn outputs(runner: &mut Runner, inputs: &[Tensor]) -> Vec<Tensor> {
    sidestage_suite::outputs(runner, inputs.iter().cloned(), &Pool::inline())
}

fn models() -> Vec<(&'static str, Model, Vec<Tensor>)> {
    let mut seed = 7;
    let mut picture = |side| floats(&[1, 3, side, side], &random(&mut seed, 3 * side * side));
    let rows = 24;
    let ids: Vec<i64> = (0..rows as i64).map(|at| at * 37 % 1000).collect();
    // The last tokens are padding.
    let mask: Vec<i64> = (0..rows).map(|at| i64::from(at < 19)).collect();
    let text = || vec![integers(&[1, rows], &ids), integers(&[1, rows], &mask)];
    vec![
        ("resnet", nets::resnet(32, false), vec![picture(32)]),
        // Large enough for convolutions by fewer products.
        ("resnet of 64", nets::resnet(64, false), vec![picture(64)]),
        ("resnet with norms", nets::resnet(32, true), vec![picture(32)]),
        ("mobilenet", nets::mobilenet(32, false), vec![picture(32)]),
        // Large enough for results that are there line by line.
        ("mobilenet of 112", nets::mobilenet(112, false), vec![picture(112)]),
        ("mobilenet with norms", nets::mobilenet(32, true), vec![picture(32)]),
        ("landmarks", nets::landmarks(32), vec![picture(32)]),
        ("encoder of opset 11", nets::encoder(11, 2, rows), text()),
        ("encoder of opset 17", nets::encoder(17, 2, rows), text()),
        ("encoder of opset 18", nets::encoder(18, 2, rows), text()),
    ]
}

#[test]
fn arranged_weights_stand_in_the_place_of_the_files_and_give_the_same() {
    for (name, model, inputs) in models() {
        let before = constants(&model);
        let mut arranged = model.clone();
        sidestage_ops::arrange(&mut arranged);
        let expected = run(&Arc::new(model), &[], &inputs);
        // Panels that are not full have zeros.
        let after = constants(&arranged);
        assert!(after <= before + before / 8, "{name}: {after} bytes of {before}");
        let calls = || arranged.bodies.iter().flat_map(|body| &body.calls);
        let is_product = |call: &&Call| ["Conv", "Gemm", "MatMul"].contains(&call.op.as_str());
        let is_done = |call: &&Call| call.attribute("sidestage.arranged").is_some();
        let (products, done) =
            (calls().filter(is_product).count(), calls().filter(is_done).count());
        assert!(done > 0 && done >= products / 2, "{name}: {done} of {products}");
        assert_eq!(run(&Arc::new(arranged), &[], &inputs), expected, "{name}");
    }
}

fn constants(model: &Model) -> usize {
    model.constants.iter().map(|(_, tensor)| tensor.bytes().len()).sum()
}

#[test]
fn values_that_lie_in_another_order_are_the_same() {
    for (name, model, inputs) in models() {
        let model = Arc::new(model);
        let runner = Runner::new(Arc::clone(&model), sidestage_ops::lowering, 1 << 30);
        let expected = outputs(&mut runner.without_orders(), &inputs);
        let mut runner = Runner::new(Arc::clone(&model), sidestage_ops::lowering, 1 << 30);
        let found = outputs(&mut runner, &inputs);
        if name.starts_with("resnet") || name.starts_with("mobilenet") {
            // The picture is transposed, and nothing behind it.
            let nodes = runner.explain().segments.into_iter().flat_map(|segment| segment.nodes);
            assert_eq!(nodes.filter(|node| node.op == "StridedCopy").count(), 1, "{name}");
        }
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(compare(found, expected, (1e-4, 1e-4)), Ok(()), "{name}");
        }
    }
}

#[test]
fn convolutions_of_three_by_three_need_fewer_products() {
    let (_, model, inputs) = models().swap_remove(1);
    let runner = Runner::new(Arc::new(model), sidestage_ops::lowering, 1 << 30);
    let mut runner = runner.with_passes(sidestage_ops::PASSES);
    outputs(&mut runner, &inputs);
    let nodes = runner.explain().segments.into_iter().flat_map(|segment| segment.nodes);
    let fewer: Vec<_> = nodes.filter(|node| node.op == "WinogradConv").collect();
    assert!(fewer.len() >= 3, "{fewer:?}");
    assert!(fewer.iter().all(|node| node.passes.contains(&"winograd")), "{fewer:?}");
}

#[test]
fn large_results_between_are_there_line_by_line() {
    let runner =
        Runner::new(Arc::new(nets::mobilenet(112, false)), sidestage_ops::lowering, 1 << 30);
    let mut runner = runner.with_passes(sidestage_ops::PASSES);
    runner.plan_declared().expect("a model of fixed shapes");
    let nodes = runner.explain().segments.into_iter().flat_map(|segment| segment.nodes);
    let some: Vec<_> = nodes.filter(|node| node.op == "ConvDepthwise").collect();
    // 56 × 56 with 96 channels are 1.2 MB; all others are less.
    assert_eq!(some.len(), 1, "{some:?}");
    assert!(some[0].passes.contains(&"lines"), "{some:?}");
}

#[test]
fn heads_are_not_copied_about() {
    for (name, model, inputs) in models().into_iter().filter(|it| it.0.starts_with("encoder")) {
        let runner = Runner::new(Arc::new(model), sidestage_ops::lowering, 1 << 30);
        let mut runner = runner.with_passes(sidestage_ops::PASSES);
        outputs(&mut runner, &inputs);
        let nodes = runner.explain().segments.into_iter().flat_map(|segment| segment.nodes);
        let (copies, others): (Vec<_>, Vec<_>) = nodes.partition(|node| node.op == "StridedCopy");
        assert!(copies.is_empty(), "{name}: {copies:?}");
        let packed = others.iter().filter(|node| node.op == "PackStrided").count();
        let attentions = others.iter().filter(|node| node.op == "DotProductAttention").count();
        assert_eq!((packed, attentions), (4, 2), "{name}");
    }
}

#[test]
fn slopes_belong_to_the_convolutions_before_them() {
    let runner = Runner::new(Arc::new(nets::landmarks(32)), sidestage_ops::lowering, 1 << 30);
    let mut runner = runner.with_passes(sidestage_ops::PASSES);
    runner.plan_declared().expect("a model of fixed shapes");
    let nodes = runner.explain().segments.into_iter().flat_map(|segment| segment.nodes);
    let ops: Vec<&str> = nodes.map(|node| node.op).filter(|op| *op != "StridedCopy").collect();
    assert_eq!(ops, ["Conv", "DepthwiseConv", "Conv", "DepthwiseConv", "Conv"]);
}

#[test]
fn each_pass_alone_and_all_together_change_nothing() {
    for (name, model, inputs) in models() {
        let model = Arc::new(model);
        let expected = run(&model, &[], &inputs);
        let alone = sidestage_ops::PASSES.chunks(1);
        for passes in alone.chain([sidestage_ops::PASSES]) {
            let found = run(&model, passes, &inputs);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let same = compare(found, expected, (1e-4, 1e-4));
                assert_eq!(same, Ok(()), "{name} by {passes:?}");
            }
        }
    }
}
