mod candidates;

pub use candidates::likeliest;
use sidestage_kernels::{exp, total_weight};
use std::fmt;

/// How the next token is chosen from the logits.
///
/// Order and meaning are those of Hugging Face's logits processors: bias, repetition penalty over
/// prompt and answer, frequency and presence penalty over the answer, mask, temperature, `top_k`,
/// `top_p`, `min_p`. Temperature 0 takes the likeliest token after the mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 is greedy. At least 0.
    pub temperature: f32,
    /// Keeps the K likeliest tokens; 0: all.
    pub top_k: u32,
    /// Keeps the likeliest tokens that together reach this probability, in (0, 1].
    pub top_p: f32,
    /// Drops tokens whose probability is under this share of the likeliest one's, in [0, 1].
    pub min_p: f32,
    /// Positive logits of tokens seen are divided by it, negative ones multiplied; over 0, 1: off.
    pub repetition_penalty: f32,
    /// Subtracted from a token's logit for each time the answer has it, in [-2, 2].
    pub frequency_penalty: f32,
    /// Subtracted from a token's logit if the answer has it, in [-2, 2].
    pub presence_penalty: f32,
    /// Added to the logits of these tokens; -inf bans one.
    pub logit_bias: Vec<(u32, f32)>,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
        }
    }
}

/// An option with an impossible value.
#[derive(Clone, Debug, PartialEq)]
pub struct InvalidSampling {
    /// The option, by its field's name.
    pub option: &'static str,
    /// The value given.
    pub value: f64,
    /// What is possible.
    pub allowed: &'static str,
}

impl fmt::Display for InvalidSampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} is not {}", self.option, self.value, self.allowed)
    }
}

impl std::error::Error for InvalidSampling {}

impl Sampling {
    /// Checks every option.
    ///
    /// # Errors
    /// The first option whose value is impossible.
    pub fn check(&self, vocab_size: usize) -> Result<(), InvalidSampling> {
        let rule = |ok: bool, option, value: f32, allowed| {
            let value = f64::from(value);
            if ok { Ok(()) } else { Err(InvalidSampling { option, value, allowed }) }
        };
        let t = self.temperature;
        rule(t.is_finite() && t >= 0.0, "temperature", t, "a number of at least 0")?;
        let p = self.top_p;
        rule(p > 0.0 && p <= 1.0, "top_p", p, "over 0 and at most 1")?;
        let p = self.min_p;
        rule((0.0..=1.0).contains(&p), "min_p", p, "between 0 and 1")?;
        let p = self.repetition_penalty;
        rule(p.is_finite() && p > 0.0, "repetition_penalty", p, "a number over 0")?;
        let p = self.frequency_penalty;
        rule((-2.0..=2.0).contains(&p), "frequency_penalty", p, "between -2 and 2")?;
        let p = self.presence_penalty;
        rule((-2.0..=2.0).contains(&p), "presence_penalty", p, "between -2 and 2")?;
        for &(id, bias) in &self.logit_bias {
            let known = (id as usize) < vocab_size;
            rule(known, "logit_bias", id as f32, "a token of this model's vocabulary")?;
            let ok = !bias.is_nan() && bias != f32::INFINITY;
            rule(ok, "logit_bias", bias, "a number or minus infinity")?;
        }
        Ok(())
    }
}

/// Chooses tokens for one answer.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: SplitMix64,
    /// How often each token was seen: in prompt and answer, in the answer. Empty while no penalty
    /// is on.
    seen: Vec<(u32, u32)>,
    /// Tokens seen, each once.
    distinct: Vec<u32>,
    /// Kept from token to token so that a step allocates nothing.
    candidates: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler for an answer to `prompt`. `sampling` was checked.
    pub fn new(sampling: Sampling, prompt: &[u32], vocab_size: usize) -> Self {
        let penalised = sampling.repetition_penalty != 1.0
            || sampling.frequency_penalty != 0.0
            || sampling.presence_penalty != 0.0;
        let mut sampler = Self {
            random: SplitMix64(sampling.seed),
            seen: if penalised { vec![(0, 0); vocab_size] } else { Vec::new() },
            distinct: Vec::new(),
            candidates: Vec::new(),
            sampling,
        };
        for &id in prompt {
            sampler.saw(id, 0);
        }
        sampler
    }

    /// Chooses the next token. `logits` are changed; a token whose bit in `mask` is not set (32
    /// tokens a word) is never chosen unless all are.
    pub fn sample(&mut self, logits: &mut [f32], mask: Option<&[u32]>) -> u32 {
        self.process(logits, mask);
        let id =
            if self.sampling.temperature == 0.0 { likeliest(logits).0 } else { self.draw(logits) };
        self.saw(id, 1);
        id
    }

    fn saw(&mut self, id: u32, answered: u32) {
        let Some(counts) = self.seen.get_mut(id as usize) else { return };
        if counts.0 == 0 {
            self.distinct.push(id);
        }
        *counts = (counts.0 + 1, counts.1 + answered);
    }

    fn process(&self, logits: &mut [f32], mask: Option<&[u32]>) {
        let sampling = &self.sampling;
        for &(id, bias) in &sampling.logit_bias {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit += bias;
            }
        }
        for &id in &self.distinct {
            let Some(logit) = logits.get_mut(id as usize) else { continue };
            let penalty = sampling.repetition_penalty;
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            let answered = self.seen[id as usize].1;
            if answered > 0 {
                *logit -= sampling.frequency_penalty * answered as f32 + sampling.presence_penalty;
            }
        }
        if let Some(mask) = mask {
            for (word, group) in mask.iter().zip(logits.chunks_mut(32)) {
                for (bit, logit) in group.iter_mut().enumerate() {
                    if word >> bit & 1 == 0 {
                        *logit = f32::NEG_INFINITY;
                    }
                }
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let Sampling { temperature, top_k, top_p, min_p, .. } = self.sampling;
        let (best, max) = likeliest(logits);
        if max == f32::NEG_INFINITY {
            return best;
        }
        let candidates = &mut self.candidates;
        let mut total = 0.0;
        if top_k > 0 {
            candidates::top_k(logits, top_k as usize, candidates);
        } else {
            total = total_weight(logits, max, temperature);
            // All tokens under this weight together are less than what `top_p` leaves out; a little
            // less still, against rounding.
            let tail = (1.0 - f64::from(top_p)) * total / logits.len() as f64 * 0.99;
            let least = tail.max(0.99 * f64::from(min_p));
            let least = f64::from(max) + f64::from(temperature) * least.ln();
            candidates::at_least(logits, least as f32, candidates);
        }
        if top_k > 0 || top_p < 1.0 {
            candidates.sort_unstable_by(candidates::order);
        }
        for (_, weight) in candidates.iter_mut() {
            *weight = exp((*weight - max) / temperature);
        }
        if top_k > 0 {
            total = candidates.iter().map(|(_, weight)| f64::from(*weight)).sum();
        }
        if top_p < 1.0 {
            let enough = total * f64::from(top_p);
            let mut sum = 0.0;
            let keep = candidates.iter().position(|(_, weight)| {
                sum += f64::from(*weight);
                sum >= enough
            });
            if let Some(keep) = keep {
                candidates.truncate(keep + 1);
                total = sum;
            }
        }
        if min_p > 0.0 {
            // The likeliest token's weight is 1.
            candidates.retain(|(_, weight)| *weight >= min_p);
            total = candidates.iter().map(|(_, weight)| f64::from(*weight)).sum();
        }
        let mut left = self.random.unit() * total;
        for &(id, weight) in candidates.iter() {
            left -= f64::from(weight);
            if left < 0.0 {
                return id;
            }
        }
        // Only rounding leads here.
        candidates.iter().rev().find(|(_, weight)| *weight > 0.0).map_or(best, |(id, _)| *id)
    }
}

/// Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(sampling: Sampling, logits: &[f32]) -> Vec<f64> {
        let mut counts = vec![0u32; logits.len()];
        const N: u32 = 20_000;
        for seed in 0..N {
            let sampling = Sampling { seed: u64::from(seed), ..sampling.clone() };
            let mut sampler = Sampler::new(sampling, &[], logits.len());
            counts[sampler.sample(&mut logits.to_vec(), None) as usize] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / f64::from(N)).collect()
    }

    fn plain() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, ..Sampling::default() }
    }

    /// Logits of these probabilities.
    fn logits(probabilities: &[f32]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let found = shares(plain(), &logits(&[0.1, 0.6, 0.3]));
        for (found, expected) in found.iter().zip([0.1, 0.6, 0.3]) {
            assert!((found - expected).abs() < 0.02, "{found} is not {expected}");
        }
    }

    #[test]
    fn filters_keep_what_they_should() {
        let even = logits(&[0.1, 0.4, 0.2, 0.3]);
        let kept = |sampling: Sampling| -> Vec<bool> {
            shares(sampling, &even).into_iter().map(|share| share > 0.0).collect()
        };
        assert_eq!(kept(Sampling { top_k: 2, ..plain() }), [false, true, false, true]);
        assert_eq!(kept(Sampling { top_p: 0.65, ..plain() }), [false, true, false, true]);
        assert_eq!(kept(Sampling { top_p: 0.75, ..plain() }), [false, true, true, true]);
        assert_eq!(kept(Sampling { min_p: 0.6, ..plain() }), [false, true, false, true]);
        assert_eq!(kept(Sampling { top_p: 1e-6, ..plain() }), [false, true, false, false]);
        let bias = vec![(1, f32::NEG_INFINITY)];
        assert_eq!(kept(Sampling { logit_bias: bias, ..plain() }), [true, false, true, true]);
    }

    #[test]
    fn penalties_count_as_in_hugging_face() {
        let sampling = Sampling {
            temperature: 0.0,
            repetition_penalty: 2.0,
            frequency_penalty: 0.5,
            presence_penalty: 0.25,
            ..plain()
        };
        let mut sampler = Sampler::new(sampling, &[0, 0, 1], 4);
        let mut logits = [8.0, -1.0, 3.5, 1.0];
        assert_eq!(sampler.sample(&mut logits, None), 0);
        assert_eq!(logits, [4.0, -2.0, 3.5, 1.0]);
        let mut logits = [8.0, -1.0, 3.5, 1.0];
        assert_eq!(sampler.sample(&mut logits, None), 2, "4 - 0.5 - 0.25 is under 3.5");
        assert_eq!(logits, [3.25, -2.0, 3.5, 1.0]);
    }

    #[test]
    fn a_mask_forbids_and_all_forbidden_still_ends() {
        let mut sampler = Sampler::new(plain(), &[], 3);
        assert_eq!(sampler.sample(&mut [9.0, 1.0, 9.0], Some(&[0b010])), 1);
        assert_eq!(sampler.sample(&mut [9.0, 1.0, 9.0], Some(&[0])), 0);
        assert_eq!(sampler.sample(&mut [f32::NAN, f32::NAN, f32::NAN], None), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens() {
        let logits: Vec<f32> = (0..1000).map(|i| ((i * 37) % 101) as f32 / 20.0).collect();
        let run = |seed| -> Vec<u32> {
            let mut sampler = Sampler::new(Sampling { seed, ..plain() }, &[], logits.len());
            (0..50).map(|_| sampler.sample(&mut logits.clone(), None)).collect()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn impossible_options_are_named() {
        let bad = |sampling: Sampling| sampling.check(10).unwrap_err().option;
        assert_eq!(bad(Sampling { temperature: -1.0, ..plain() }), "temperature");
        assert_eq!(bad(Sampling { temperature: f32::NAN, ..plain() }), "temperature");
        assert_eq!(bad(Sampling { top_p: 0.0, ..plain() }), "top_p");
        assert_eq!(bad(Sampling { min_p: 1.5, ..plain() }), "min_p");
        assert_eq!(bad(Sampling { repetition_penalty: 0.0, ..plain() }), "repetition_penalty");
        assert_eq!(bad(Sampling { frequency_penalty: 3.0, ..plain() }), "frequency_penalty");
        assert_eq!(bad(Sampling { presence_penalty: -3.0, ..plain() }), "presence_penalty");
        assert_eq!(bad(Sampling { logit_bias: vec![(10, 1.0)], ..plain() }), "logit_bias");
        assert_eq!(bad(Sampling { logit_bias: vec![(1, f32::NAN)], ..plain() }), "logit_bias");
        assert_eq!(plain().check(10), Ok(()));
    }
}
