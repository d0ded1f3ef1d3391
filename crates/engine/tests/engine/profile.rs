//! Where the time goes: recorded when it is asked for, and without a trace in the answer.

use crate::host::{Host, greedy, ids};
use crate::model::tokens;
use sidestage_engine::protocol::{Outcome, PhaseProfile, Profile, Request};

fn profile(host: &mut Host, profile: bool) -> Option<Profile> {
    let answer = host.ask(|id| Request::Metrics { id, model: 1, profile });
    let Ok(Outcome::Metrics { metrics }) = answer else { panic!("{answer:?}") };
    metrics.profile
}

/// How often the operators ran whose name starts so.
fn calls(phase: &PhaseProfile, name: &str) -> u64 {
    phase.ops.iter().filter(|op| op.name.starts_with(name)).map(|op| op.calls).sum()
}

#[test]
fn every_operator_of_every_step_is_counted_once() {
    let mut host = Host::tiny();
    let prompt = || ids(tokens("profile", 200));
    let plain = host.generate(prompt(), greedy(9));
    assert_eq!(profile(&mut host, false), None, "off by default");

    let first = profile(&mut host, true).expect("on");
    assert_eq!((first.prompt.steps, first.decode.steps), (0, 0), "from now on");
    let mut host = Host::tiny();
    profile(&mut host, true);
    assert_eq!(host.generate(prompt(), greedy(9)).tokens, plain.tokens);
    let Profile { prompt, decode, .. } = profile(&mut host, true).expect("on");
    // 128 rows and 72; the first token comes of the prompt.
    assert_eq!((prompt.steps, decode.steps), (2, 8));
    let layers = calls(&prompt, "RMSNormalization blk.attn_norm") / 2;
    assert!(layers > 1, "{prompt:?}");
    for phase in [&prompt, &decode] {
        let steps = u64::from(phase.steps);
        assert_eq!(calls(phase, "Attention blk.attention"), layers * steps);
        assert_eq!(calls(phase, "KvWrite "), layers * steps);
        assert_eq!(calls(phase, "Linear output"), steps);
        let shares: f64 = phase.ops.iter().map(|op| op.share).sum();
        assert!(phase.ms == 0.0 || (shares - 1.0).abs() < 1e-9, "{shares}");
        assert!(phase.ops.is_sorted_by(|a, b| a.ms >= b.ms));
    }
    assert_eq!(
        profile(&mut host, true).expect("on").decode.steps,
        0,
        "since it was last asked for"
    );
    assert_eq!(profile(&mut host, false), None);
}
