//! Where the time of prompts and of answers goes.

use crate::protocol::{OpProfile, PhaseProfile, Profile};
use sidestage_lm::{Decoder, OpTimes, Progress, Timer};
use sidestage_pool::Pool;

/// Times since the recording began.
pub(crate) struct Recording {
    prompt: Phase,
    decode: Phase,
}

/// Steps of one kind.
struct Phase {
    steps: u32,
    times: OpTimes,
}

impl Recording {
    pub(crate) fn new(decoder: &Decoder) -> Self {
        let phase = || Phase { steps: 0, times: decoder.op_times() };
        Self { prompt: phase(), decode: phase() }
    }

    /// Goes on with the decoder's step, which is one of a prompt or of an answer.
    pub(crate) fn resume(
        &mut self,
        prompt: bool,
        decoder: &mut Decoder,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        now: &dyn Fn() -> f64,
    ) -> Progress {
        let phase = if prompt { &mut self.prompt } else { &mut self.decode };
        let progress = decoder.resume_timed(pool, stop, Timer { times: &mut phase.times, now });
        phase.steps += u32::from(progress == Progress::Done);
        progress
    }

    pub(crate) fn profile(&self) -> Profile {
        let run = PhaseProfile::default();
        Profile { prompt: self.prompt.profile(), decode: self.decode.profile(), run }
    }
}

impl Phase {
    fn profile(&self) -> PhaseProfile {
        phase(self.steps, &self.times)
    }
}

/// Where the time of so many steps went.
pub(crate) fn phase(steps: u32, times: &OpTimes) -> PhaseProfile {
    let ops = times.longest();
    let ms = ops.iter().map(|op| op.ms).sum();
    let share = |part: f64| if ms > 0.0 { part / ms } else { 0.0 };
    let ops = ops.into_iter().map(|op| OpProfile {
        calls: op.calls,
        ms: op.ms,
        share: share(op.ms),
        name: op.name,
    });
    PhaseProfile { steps, ms, ops: ops.collect() }
}
