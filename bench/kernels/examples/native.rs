//! The same cases with the native kernels: `native [FILTER] [THREADS] [ROUNDS]`.
#![allow(clippy::disallowed_methods, reason = "runs natively only: the clock is there")]

use bench_kernels::{Options, measure};
use sidestage_pool::Pool;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise| {
        args.get(at).and_then(|text| text.parse::<usize>().ok()).unwrap_or(otherwise)
    };
    let start = Instant::now();
    let now = || start.elapsed().as_secs_f64() * 1e3;
    let filter = args.first().map_or("", String::as_str);
    let options = Options { filter, rounds: number(2, 15), now: &now };
    measure(&Pool::native(number(1, 1)), &options, &mut |line| println!("{line}"));
}
