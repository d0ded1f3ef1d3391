//! What is planned of the models of `nets`, and how long it takes.

use sidestage_cpu::{Progress, Runner};
use sidestage_pool::Pool;
use sidestage_suite::nets::{self, floats, integers, random};
use std::sync::Arc;
use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "it runs natively only")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut seed = 7;
    let mut picture = || vec![floats(&[1, 3, 224, 224], &random(&mut seed, 3 * 224 * 224))];
    let rows = 128;
    let text = || {
        let ids: Vec<i64> = (0..rows as i64).map(|at| at * 37 % 1000).collect();
        vec![integers(&[1, rows], &ids), integers(&[1, rows], &vec![1; rows])]
    };
    let (model, inputs) = match args.get(1).map(String::as_str) {
        Some("resnet") => (nets::resnet(224, true), picture()),
        Some("mobilenet") => (nets::mobilenet(224, true), picture()),
        Some("encoder17") => (nets::encoder(17, 6, rows), text()),
        Some("encoder18") => (nets::encoder(18, 6, rows), text()),
        _ => (nets::encoder(11, 6, rows), text()),
    };
    let model = Arc::new(model);
    let pool = Pool::inline();
    for passes in [&[], sidestage_ops::PASSES] {
        let runner = Runner::new(Arc::clone(&model), sidestage_ops::lowering, 1 << 30);
        let mut runner = runner.with_passes(passes);
        let mut times = Vec::new();
        for _ in 0..5 {
            let start = Instant::now();
            runner.begin(inputs.iter().cloned()).expect("a model that runs");
            while runner.resume(&pool, &mut || false).expect("a run") != Progress::Done {}
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        if args.len() > 2 {
            println!("{}", runner.explain());
        }
        println!("{} passes: {times:.1?} ms", passes.len());
    }
}
