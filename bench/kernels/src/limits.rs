//! What the machine allows: how fast memory is read, and how fast products are added.

use crate::case::{Arithmetic, Work};
use crate::{Options, least};
use sidestage_pool::Pool;
use std::collections::HashMap;
use std::hint::black_box;

/// Probes and how often each is called for one sample.
pub(crate) struct Limits {
    memory: Vec<Line>,
    calls: HashMap<String, usize>,
}

/// The least milliseconds that a case could take.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    read: f64,
    products: f64,
}

impl Limit {
    /// Reading and multiplying go on at once, so the longer of them counts.
    pub(crate) fn time(self) -> f64 {
        self.read.max(self.products)
    }

    /// GB/s and GMAC/s.
    pub(crate) fn speeds(self, work: &Work) -> (f64, f64) {
        (work.bytes / self.read / 1e6, work.macs / self.products / 1e6)
    }
}

/// Footprints whose reading the table shows.
const FOOTPRINTS: [(&str, usize); 3] =
    [("read 1 MiB", 1 << 20), ("read 96 MiB", 96 << 20), ("read 256 MiB", 256 << 20)];

impl Limits {
    pub(crate) fn new() -> Self {
        Self { memory: Vec::new(), calls: HashMap::new() }
    }

    /// The limits by themselves, each the best of its samples: `(name, unit, value)`.
    pub(crate) fn table(
        &mut self,
        pool: &Pool,
        options: &Options<'_>,
    ) -> Vec<(&'static str, &'static str, f64)> {
        let mut table = Vec::new();
        for (name, bytes) in FOOTPRINTS {
            let time = least(options.rounds, || self.read(bytes, pool, options));
            table.push((name, "GB/s", bytes as f64 / time / 1e6));
        }
        // Only the largest footprint needs this much, and wasm's memory is short.
        self.memory.truncate(1 << 21);
        self.memory.shrink_to_fit();
        for probe in arithmetic::PROBES {
            let time = least(options.rounds, || self.product(probe, pool, options));
            table.push((probe.name, "GMAC/s", 1.0 / time / 1e6));
        }
        table
    }

    /// Samples what limits this work and keeps the least times in `limit`; it stays `None` where the
    /// arithmetic has no probe.
    pub(crate) fn probe(
        &mut self,
        work: &Work,
        pool: &Pool,
        options: &Options<'_>,
        limit: &mut Option<Limit>,
    ) {
        let read = self.read(work.bytes as usize, pool, options);
        let products = arithmetic::PROBES.iter().filter(|probe| probe.of == work.arithmetic);
        let product =
            products.map(|probe| self.product(probe, pool, options)).min_by(f64::total_cmp);
        let products = match product {
            _ if work.macs == 0.0 => 0.0,
            Some(time) => time * work.macs,
            None => return,
        };
        let before = limit.unwrap_or(Limit { read, products });
        *limit =
            Some(Limit { read: before.read.min(read), products: before.products.min(products) });
    }

    /// Milliseconds to read so many bytes, by all threads together, each in four streams.
    fn read(&mut self, bytes: usize, pool: &Pool, options: &Options<'_>) -> f64 {
        let lines = bytes.div_ceil(64);
        if self.memory.len() < lines {
            // Written, for what never was is read from one page of zeros.
            self.memory.resize(lines, [[0x5555; 4]; 4]);
        }
        let threads = pool.threads();
        let memory = &self.memory[..lines];
        let mut f = || {
            pool.run(threads, &|part| {
                let from = lines * part / threads;
                black_box(read(&memory[from..lines * (part + 1) / threads]));
            });
        };
        let calls =
            *self.calls.entry(format!("read {lines}")).or_insert_with(|| options.calls(&mut f));
        options.sample(calls, &mut f)
    }

    /// Milliseconds of one multiply-add, all threads together.
    fn product(&mut self, probe: &Probe, pool: &Pool, options: &Options<'_>) -> f64 {
        const TURNS: usize = 200;
        let threads = pool.threads();
        let mut f = || pool.run(threads, &|_| (probe.run)(TURNS));
        let calls = *self.calls.entry(probe.name.into()).or_insert_with(|| options.calls(&mut f));
        options.sample(calls, &mut f) / (threads * TURNS * probe.macs) as f64
    }
}

/// One cache line.
type Line = [[u32; 4]; 4];

/// Reads all of it, as a kernel with four rows in hand would.
fn read(lines: &[Line]) -> [u32; 4] {
    let (first, rest) = lines.split_at(lines.len() / 4);
    let (second, rest) = rest.split_at(first.len());
    let (third, fourth) = rest.split_at(first.len());
    let mut sums = [[0; 4]; 4];
    for (((a, b), c), d) in first.iter().zip(second).zip(third).zip(fourth) {
        for (sum, line) in sums.iter_mut().zip([a, b, c, d]) {
            *sum = xor(*sum, xor(xor(line[0], line[1]), xor(line[2], line[3])));
        }
    }
    xor(xor(sums[0], sums[1]), xor(sums[2], sums[3]))
}

/// Compiles to one vector instruction.
fn xor(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

/// A loop of multiply-adds that waits for no memory.
pub(crate) struct Probe {
    name: &'static str,
    of: Arithmetic,
    /// Multiply-adds of a turn.
    macs: usize,
    run: fn(usize),
}

#[cfg(target_arch = "wasm32")]
mod arithmetic {
    use super::{Arithmetic, Probe};
    use core::arch::wasm32::*;
    use std::hint::black_box;

    /// Operands of a tile on each side: its eight sums stay in registers.
    const ROWS: usize = 4;
    const COLUMNS: usize = 2;
    const SUMS: usize = ROWS * COLUMNS;
    /// Steps over operands that lie in the first-level cache.
    const STEPS: usize = 64;

    pub(super) const PROBES: &[Probe] = &[
        #[cfg(target_feature = "relaxed-simd")]
        Probe {
            name: "int8, i32 relaxed dot",
            of: Arithmetic::Int8,
            macs: 16 * SUMS * STEPS,
            run: |turns| turn(turns, |a, b, sum| i32x4_relaxed_dot_i8x16_i7x16_add(a, b, sum)),
        },
        #[cfg(target_feature = "relaxed-simd")]
        Probe {
            // The sum of the 16-bit products is left to the end of a block.
            name: "int8, i16 relaxed dot",
            of: Arithmetic::Int8,
            macs: 16 * SUMS * STEPS,
            run: |turns| {
                turn(turns, |a, b, sum| i16x8_add(sum, i16x8_relaxed_dot_i8x16_i7x16(a, b)));
            },
        },
        Probe {
            name: "int8, dot of 16 bits",
            of: Arithmetic::Int8,
            macs: 8 * SUMS * STEPS,
            run: |turns| turn(turns, |a, b, sum| i32x4_add(sum, i32x4_dot_i16x8(a, b))),
        },
        #[cfg(target_feature = "relaxed-simd")]
        Probe {
            name: "f32, relaxed madd",
            of: Arithmetic::F32,
            macs: 4 * SUMS * STEPS,
            run: |turns| turn(turns, |a, b, sum| f32x4_relaxed_madd(a, b, sum)),
        },
        Probe {
            name: "f32, mul and add",
            of: Arithmetic::F32,
            macs: 4 * SUMS * STEPS,
            run: |turns| turn(turns, |a, b, sum| f32x4_add(sum, f32x4_mul(a, b))),
        },
    ];

    static LEFT: [u32; 4 * ROWS * STEPS] = [0x2c2d_2e2c; 4 * ROWS * STEPS];
    static RIGHT: [u32; 4 * COLUMNS * STEPS] = [0x2e2d_2c2c; 4 * COLUMNS * STEPS];

    #[inline(always)]
    fn turn(turns: usize, step: impl Fn(v128, v128, v128) -> v128) {
        for _ in 0..turns {
            let (left, right) = (black_box(&LEFT), black_box(&RIGHT));
            let mut sums = [u32x4_splat(0); SUMS];
            let left = left.as_chunks::<4>().0.as_chunks::<ROWS>().0;
            let right = right.as_chunks::<4>().0.as_chunks::<COLUMNS>().0;
            for (left, right) in left.iter().zip(right) {
                for (row, a) in left.iter().enumerate() {
                    for (column, b) in right.iter().enumerate() {
                        let sum = &mut sums[COLUMNS * row + column];
                        *sum = step(vector(a), vector(b), *sum);
                    }
                }
            }
            let all = sums.iter().fold(u32x4_splat(0), |all, sum| v128_xor(all, *sum));
            black_box(u64x2_extract_lane::<0>(all));
        }
    }

    #[inline(always)]
    fn vector(words: &[u32; 4]) -> v128 {
        u32x4(words[0], words[1], words[2], words[3])
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod arithmetic {
    use super::Probe;

    /// The engine's own lanes are narrower than this machine's, so there is nothing to hold them
    /// against.
    pub(super) const PROBES: &[Probe] = &[];
}
