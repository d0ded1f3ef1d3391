//! Measures one operator at a time, as the engine runs it (executor, pool, kernel), beside what the
//! machine allows.
//!
//! Each sample of a case stands between samples of its limits, so that a slow minute of the machine
//! hits both. A share of the limit takes the least time of either: what else the machine does adds to
//! a time and never takes from it.

mod case;
mod cases;
#[cfg(target_arch = "wasm32")]
pub mod face;
mod graphs;
mod int8;
mod limits;

use case::{Arithmetic, Case, Work};
use limits::Limits;
use sidestage_pool::Pool;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Milliseconds of one sample: some hundred calls of a short kernel, one of a long one. Short against
/// the turns that a scheduler gives, so that some samples are whole.
const SAMPLE_MS: f64 = 3.0;

/// Twenty steps of a browser's clock.
const CLOCK_MS: f64 = 0.1;

/// What to measure, and how.
pub struct Options<'a> {
    /// Only cases whose name contains one of these, separated by commas; empty: all.
    pub filter: &'a str,
    /// Samples of each case.
    pub rounds: usize,
    /// Milliseconds since any moment.
    pub now: &'a dyn Fn() -> f64,
}

impl Options<'_> {
    fn wants(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.split(',').any(|part| name.contains(part))
    }

    /// How often to call `f` for one sample, once it runs at its full speed.
    fn calls(&self, f: &mut dyn FnMut()) -> usize {
        let rough = least(5, || self.sample(1, f));
        let calls = (SAMPLE_MS / 4.0 / rough).ceil() as usize;
        let time = least(5, || self.sample(calls, f));
        ((SAMPLE_MS / time).round() as usize).max(1)
    }

    /// Milliseconds of one call, over at least so many that the clock can tell.
    fn sample(&self, mut calls: usize, f: &mut dyn FnMut()) -> f64 {
        loop {
            let start = (self.now)();
            for _ in 0..calls {
                f();
            }
            let took = (self.now)() - start;
            if took >= CLOCK_MS {
                return took / calls as f64;
            }
            calls *= 8;
        }
    }
}

/// Measures; gives one JSON object a line to `say`: first those of the limits, then each case as it is
/// done.
pub fn measure(pool: &Pool, options: &Options<'_>, say: &mut dyn FnMut(&str)) {
    let mut limits = Limits::new();
    for (name, unit, value) in limits.table(pool, options) {
        say(&format!(
            "{{\"kind\":\"limit\",\"name\":\"{name}\",\"threads\":{},\"unit\":\"{unit}\",\"best\":{value}}}",
            pool.threads()
        ));
    }
    for (name, make) in cases::all() {
        if options.wants(&name) {
            say(&one(&name, make(), pool, options, &mut limits));
        }
    }
    if options.wants("barrier") && pool.threads() > 1 {
        let mut f = || meet(pool);
        let calls = options.calls(&mut f);
        let mut times: Vec<f64> =
            (0..options.rounds).map(|_| options.sample(calls, &mut f)).collect();
        say(&format!("{}}}", line("barrier", pool.threads(), &mut times)));
    }
}

/// What the machine allows a model: gives one JSON object with the GB/s of reading `bytes` and the GMAC/s
/// of either arithmetic.
pub fn allowed(bytes: usize, pool: &Pool, options: &Options<'_>) -> String {
    let mut limits = Limits::new();
    let mut best = |arithmetic| {
        let (mut limit, work) = (None, Work { bytes: bytes as f64, macs: 1.0, arithmetic });
        for _ in 0..options.rounds.max(1) {
            limits.probe(&work, pool, options, &mut limit);
        }
        limit.map_or((0.0, 0.0), |limit| limit.speeds(&work))
    };
    let ((read, int8), (_, f32)) = (best(Arithmetic::Int8), best(Arithmetic::F32));
    format!("{{\"kind\":\"allowed\",\"read\":{read},\"int8\":{int8},\"f32\":{f32}}}")
}

/// A job that ends when every thread has come to it: the caller alone cannot do all its parts.
fn meet(pool: &Pool) {
    let threads = pool.threads();
    let come = AtomicUsize::new(0);
    pool.run(threads, &|_| {
        come.fetch_add(1, Ordering::AcqRel);
        while come.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
    });
}

fn one(
    name: &str,
    mut case: Case,
    pool: &Pool,
    options: &Options<'_>,
    limits: &mut Limits,
) -> String {
    let work = case.work;
    let calls = options.calls(&mut || case.run(pool));
    let (mut times, mut limit) = (Vec::new(), None);
    for _ in 0..options.rounds.max(1) {
        limits.probe(&work, pool, options, &mut limit);
        times.push(options.sample(calls, &mut || case.run(pool)));
    }
    let mut line = line(name, pool.threads(), &mut times);
    let time = times[0];
    let _ = write!(line, ",\"gb_s\":{}", work.bytes / time / 1e6);
    if work.macs > 0.0 {
        let _ = write!(line, ",\"gmac_s\":{}", work.macs / time / 1e6);
    }
    if let Some(limit) = limit {
        let _ = write!(line, ",\"share\":{}", limit.time() / time);
    }
    line.push('}');
    line
}

/// The start of a case's line; leaves the times, in milliseconds, in order.
fn line(name: &str, threads: usize, times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let (least, median) = (1e3 * times[0], 1e3 * times[(times.len() - 1) / 2]);
    format!(
        "{{\"kind\":\"case\",\"name\":\"{name}\",\"threads\":{threads},\"us\":{median},\"least_us\":{least}"
    )
}

/// The least of some samples.
fn least(samples: usize, mut sample: impl FnMut() -> f64) -> f64 {
    (0..samples.max(1)).map(|_| sample()).fold(f64::INFINITY, f64::min)
}
