//! How many threads a model is the fastest with: measured on its own steps when it has been loaded.

use crate::protocol::ThreadsFigure;
use sidestage_lm::{Decoder, Progress, Row, RowInput, Wants};
use sidestage_pool::Pool;

/// Milliseconds that measuring may take.
const BUDGET_MS: f64 = 50.0;

/// Milliseconds of them in which nothing is measured: the browser compiles the loops once more, and
/// 7 ms after the first step a sample took what it took later (SmolLM2-135M in Q4_0, Chromium).
const WARM_MS: f64 = 4.0;

/// Milliseconds of the first sample, on one thread. While the browser compiles on the same two cores one
/// sample in four takes twice as long or more. Of 2 ms at first, 1 ms when the code is compiled, there
/// are ten for each count in time.
const SAMPLE_MS: f64 = 2.0;

/// More threads must take no more than this share of the time of fewer. The least times of a count
/// spread by a twentieth from load to load.
const CLEARLY: f64 = 0.92;

/// What came of it.
#[derive(Default)]
pub(crate) struct Found {
    /// How many threads work now, and why.
    pub(crate) reason: Option<String>,
    /// To be remembered, unless it was.
    pub(crate) figure: Option<ThreadsFigure>,
    /// Milliseconds spent on measuring.
    pub(crate) ms: f64,
}

/// Does steps of decoding on so many threads until it is told to stop. False: it cannot.
type Work<'a> = dyn FnMut(usize, &mut dyn FnMut() -> bool) -> bool + 'a;

/// Lets as many threads work as this model, whose hash is `model`, is the fastest with: as many as
/// `earlier` says if that is about the same model, else as is measured now.
pub(crate) fn find(
    model: String,
    earlier: Option<ThreadsFigure>,
    decoder: &mut Decoder,
    pool: &Pool,
    now: &dyn Fn() -> f64,
) -> Found {
    let most = pool.size();
    let earlier = earlier.filter(|figure| figure.model == model);
    if let Some(ThreadsFigure { threads, of, sure: true, .. }) = earlier {
        pool.set_threads(threads as usize);
        let reason = format!("measured at an earlier load: {} of {of}", pool.threads());
        return Found { reason: Some(reason), ..Found::default() };
    }
    let start = now();
    let times = measure_decoder(most, decoder, pool, now);
    let ms = now() - start;
    // Where nothing could be measured, the number that is the default everywhere.
    let threads = choose(&times).unwrap_or(most.saturating_sub(1).max(1));
    // Of two measurings the one that found more: other work hides a gain and makes none.
    let threads = earlier.as_ref().map_or(threads, |figure| threads.max(figure.threads as usize));
    pool.set_threads(threads);
    let threads = pool.threads();
    let times: Vec<String> =
        times.iter().map(|(threads, ms)| format!("{threads} took {ms:.2} ms")).collect();
    let reason = match &times[..] {
        [] => format!("measuring was too slow: {threads} of {most}"),
        _ => format!("measured: {threads} of {most} ({})", times.join(", ")),
    };
    let sure = threads == most || earlier.is_some();
    let figure = ThreadsFigure { model, threads: threads as u32, of: most as u32, sure };
    Found { reason: Some(reason), figure: (!times.is_empty()).then_some(figure), ms }
}

/// The least times of a piece of a model's step.
fn measure_decoder(
    most: usize,
    decoder: &mut Decoder,
    pool: &Pool,
    now: &dyn Fn() -> f64,
) -> Vec<(usize, f64)> {
    if most == 1 {
        return vec![(1, 0.0)];
    }
    let sequence = decoder.cache().create();
    let row = Row { sequence, position: 0, input: RowInput::Token(0), wants: Wants::Output };
    let times = measure(&candidates(most), now, &mut |threads, stop| {
        pool.set_threads(threads);
        let mut over = false;
        while !over {
            if decoder.begin(std::slice::from_ref(&row)).is_err() {
                return false;
            }
            let done = decoder.resume(pool, &mut || {
                over = stop();
                over
            });
            over |= done == Progress::Done && stop();
        }
        true
    });
    decoder.cache().remove(sequence);
    pool.rest();
    times
}

/// 1, 2, 4, and so on, and the most.
fn candidates(most: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |count| Some(count * 2));
    doubled.take_while(|count| *count < most).chain([most]).collect()
}

/// For each count of threads of which something is known, the least time of the same work. The counts
/// take turns, so that what else the machine does meanwhile meets all of them.
fn measure(counts: &[usize], now: &dyn Fn() -> f64, work: &mut Work<'_>) -> Vec<(usize, f64)> {
    let start = now();
    let end = start + BUDGET_MS;
    let most = counts.last().copied().unwrap_or(1);
    if !work(most, &mut || now() >= start + WARM_MS) {
        return Vec::new();
    }
    // How often a sample is asked whether it is over.
    let (before, mut size) = (now(), 0_usize);
    work(1, &mut || {
        size += 1;
        now() >= before + SAMPLE_MS
    });
    let sample = now() - before;
    let mut least = vec![f64::INFINITY; counts.len()];
    let mut order: Vec<usize> = (0..counts.len()).collect();
    'rounds: loop {
        for &at in &order {
            let before = now();
            // Not what this count took before: it may have been held up, and then it needs another try.
            if before + sample > end {
                break 'rounds;
            }
            let mut left = size;
            work(counts[at], &mut || {
                left = left.saturating_sub(1);
                left == 0 || now() >= end
            });
            if left > 0 {
                break 'rounds;
            }
            least[at] = least[at].min(now() - before);
        }
        order.reverse();
    }
    let times = counts.iter().copied().zip(least);
    times.filter(|(_, ms)| ms.is_finite()).collect()
}

/// The count to take: of two that are about as fast, the smaller one.
fn choose(times: &[(usize, f64)]) -> Option<usize> {
    let better = |best: (usize, f64), next: (usize, f64)| {
        if next.1 < CLEARLY * best.1 { next } else { best }
    };
    times.iter().copied().reduce(better).map(|(count, _)| count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A machine on which one ask of a sample takes so many milliseconds: by how many threads, and when.
    /// What is measured there, and how long that takes.
    fn on(most: usize, takes: impl Fn(usize, f64) -> f64) -> (Vec<(usize, f64)>, f64) {
        let time = Cell::new(0.0);
        let times = measure(&candidates(most), &|| time.get(), &mut |threads, stop| {
            loop {
                time.set(time.get() + takes(threads, time.get()));
                if stop() {
                    return true;
                }
            }
        });
        (times, time.get())
    }

    fn counts(times: &[(usize, f64)]) -> Vec<usize> {
        times.iter().map(|(count, _)| *count).collect()
    }

    #[test]
    fn what_is_tried() {
        let tried: Vec<_> = [1, 2, 3, 4, 6, 16].map(candidates).into();
        let expected: [&[usize]; 6] =
            [&[1], &[1, 2], &[1, 2, 3], &[1, 2, 4], &[1, 2, 4, 6], &[1, 2, 4, 8, 16]];
        assert_eq!(tried, expected);
    }

    #[test]
    fn more_threads_must_be_clearly_faster() {
        for (times, expected) in [
            (&[][..], None),
            (&[(1, 3.0)], Some(1)),
            (&[(1, 10.0), (2, 5.2), (4, 2.9)], Some(4)),
            (&[(1, 10.0), (2, 5.2), (4, 5.1)], Some(2)),
            (&[(1, 10.0), (2, 12.0), (4, 14.0)], Some(1)),
            (&[(1, 10.0), (2, 9.5), (4, 9.4)], Some(1)),
            // Slower with two than with one, and faster with more.
            (&[(1, 10.0), (2, 11.0), (8, 6.0)], Some(8)),
            // Little by little: what counts is what was taken last.
            (&[(1, 10.0), (2, 9.5), (4, 9.1)], Some(4)),
            // A clock that is too coarse says nothing for more threads.
            (&[(1, 0.0), (2, 0.0)], Some(1)),
        ] {
            assert_eq!(choose(times), expected, "{times:?}");
        }
    }

    #[test]
    fn a_fast_and_a_slow_machine_are_measured_in_time() {
        for ms in [0.0005, 0.01, 0.3, 2.0, 5.0] {
            for most in [2, 6, 64] {
                let (times, took) = on(most, |threads, _| ms / threads as f64);
                assert!(took <= BUDGET_MS + ms, "{took} ms with {ms} ms an ask");
                assert_eq!(counts(&times)[0], 1);
                let enough = ms < 3.0;
                assert!(!enough || choose(&times) == Some(most), "{most} {ms} {times:?}");
                assert!(times.is_sorted_by(|a, b| a.1 > b.1), "{times:?}");
            }
        }
        let (times, took) = on(4, |_, _| 30.0);
        assert!(times.is_empty() && took <= BUDGET_MS + 30.0, "{took} {times:?}");
    }

    #[test]
    fn noise_chooses_no_slower_count() {
        // xorshift64
        let seed = Cell::new(0x9e37_79b9_7f4a_7c15_u64);
        let chance = || {
            let mut x = seed.get();
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            seed.set(x);
            (x >> 11) as f64 / (1_u64 << 53) as f64
        };
        for _ in 0..300 {
            // Each count of threads has a speed of its own; now and then something else runs.
            let costs: Vec<f64> = (0..4).map(|_| 0.02 + 0.06 * chance()).collect();
            let cost = |threads: usize| costs[threads.ilog2() as usize];
            let (times, _) = on(8, |threads, _| {
                let other = if chance() < 0.0005 { 4.0 * chance() } else { 0.0 };
                cost(threads) * (1.0 + 0.2 * chance()) + other
            });
            let chosen = choose(&times).expect("a count");
            let fewer = [1, 2, 4, 8].into_iter().filter(|count| *count < chosen);
            for count in fewer {
                assert!(cost(chosen) < cost(count), "{chosen}, not {count}: {costs:?} {times:?}");
            }
        }
    }

    #[test]
    fn what_slows_down_for_a_while_meets_all_counts() {
        // Until the browser has compiled it again the code runs at a fifth of its speed.
        for until in [5.0, 15.0, 25.0, 30.0] {
            let slow = |time| if time < until { 5.0 } else { 1.0 };
            let (times, _) = on(2, |_, time| 0.05 * slow(time));
            assert_eq!(choose(&times), Some(1), "{until} {times:?}");
            let (times, _) = on(2, |threads, time| 0.05 * slow(time) / threads as f64);
            assert_eq!(choose(&times), Some(2), "{until} {times:?}");
        }
    }
}
