use super::keys::Keys;
use super::{MAX_CONTEXT, MAX_WIDTH};
use crate::LmError;

/// Rotary positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Values of a head that are rotated.
    pub rotated: usize,
    /// Base of the frequencies.
    pub base: f32,
    /// How the frequencies are changed for positions past those of the training.
    pub scaling: RopeScaling,
    /// Multiplies what is rotated, beside what the scaling says.
    pub magnitude: f32,
    /// Positions before the context was extended; past it the long ones of two lists of factors
    /// are taken (LongRoPE, arXiv:2402.13753).
    pub original_context: usize,
}

/// How rotary frequencies are changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Divided by this; 1 where nothing is scaled (arXiv:2306.15595).
    Linear(f32),
    /// Low ones divided, high ones kept (arXiv:2309.00071).
    Yarn {
        /// Divides the low frequencies.
        factor: f32,
        /// Turns within the original context from which on a frequency is kept.
        fast: f32,
        /// Turns up to which it is divided.
        slow: f32,
        /// The share of the kept ones that is kept; 1 in the paper.
        kept: f32,
        /// Multiplies what is rotated.
        magnitude: f32,
    },
}

impl Rope {
    pub(super) fn read(
        keys: &Keys<'_>,
        head_dim: usize,
        trained_context: usize,
    ) -> Result<Self, LmError> {
        let rotated = keys.size_or("rope.dimension_count", head_dim, MAX_WIDTH)?;
        if rotated > head_dim || rotated % 2 != 0 {
            return Err(keys.problem("rope.dimension_count", "is odd or more than a head"));
        }
        let original = "rope.scaling.original_context_length";
        Ok(Self {
            rotated,
            base: keys.float("rope.freq_base", Some(10_000.0))?,
            scaling: RopeScaling::read(keys)?,
            magnitude: keys.float("rope.scaling.attn_factor", Some(1.0))?,
            original_context: keys.size_or(original, trained_context, MAX_CONTEXT)?,
        })
    }

    /// The same without scaling, on another base.
    pub(super) fn plain(&self, base: f32) -> Self {
        Self { base, scaling: RopeScaling::Linear(1.0), magnitude: 1.0, ..self.clone() }
    }

    /// The angle per position of each rotated pair.
    pub fn frequencies(&self) -> Vec<f32> {
        let base = f64::from(self.base);
        let frequency = |pair: usize| base.powf(-((2 * pair) as f64) / self.rotated as f64);
        let scaled = |pair: usize| match self.scaling {
            RopeScaling::Linear(divisor) => frequency(pair) / f64::from(divisor),
            RopeScaling::Yarn { factor, fast, slow, kept, .. } => {
                let last = self.rotated as f64 - 1.0;
                let from = self.pair_of(fast).floor().clamp(0.0, last);
                let to = self.pair_of(slow).ceil().clamp(0.0, last);
                let ramp = (pair as f64 - from) / (to - from).max(0.001);
                let share = (1.0 - ramp.clamp(0.0, 1.0)) * f64::from(kept);
                frequency(pair) * (share + (1.0 - share) / f64::from(factor))
            }
        };
        (0..self.rotated / 2).map(|pair| scaled(pair) as f32).collect()
    }

    /// What multiplies all that is rotated.
    pub fn magnitude(&self) -> f32 {
        match self.scaling {
            RopeScaling::Linear(_) => self.magnitude,
            RopeScaling::Yarn { magnitude, .. } => self.magnitude * magnitude,
        }
    }

    /// The pair, as a fraction, that turns this often within the original context.
    fn pair_of(&self, turns: f32) -> f64 {
        let turn = f64::from(turns) * 2.0 * std::f64::consts::PI;
        let exponent = (self.original_context as f64 / turn).ln() / f64::from(self.base).ln();
        exponent * self.rotated as f64 / 2.0
    }
}

impl RopeScaling {
    /// `rope.scaling.*`; a scheme that is not known is refused by name.
    fn read(keys: &Keys<'_>) -> Result<Self, LmError> {
        let key = keys.key("rope.scaling.type");
        match keys.metadata.get_str(&key)? {
            // The factors of LongRoPE are tensors.
            Some("none" | "longrope") => Ok(Self::Linear(1.0)),
            None | Some("linear") => {
                // Files that do not scale say 0.
                let divisor = match keys.float_if_any("rope.scaling.factor")? {
                    None => keys.float_if_any("rope.scale_linear")?,
                    divisor => divisor,
                };
                Ok(Self::Linear(divisor.unwrap_or(1.0)))
            }
            Some("yarn") => {
                let factor = keys.float("rope.scaling.factor", None)?;
                let usual = 1.0 + 0.1 * factor.max(1.0).ln();
                Ok(Self::Yarn {
                    factor,
                    fast: keys.float("rope.scaling.yarn_beta_fast", Some(32.0))?,
                    slow: keys.float("rope.scaling.yarn_beta_slow", Some(1.0))?,
                    kept: keys.float("rope.scaling.yarn_ext_factor", Some(1.0))?,
                    magnitude: keys.float("rope.scaling.yarn_attn_factor", Some(usual))?,
                })
            }
            Some(other) => Err(LmError::Feature { key, value: other.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Hugging Face's `_compute_yarn_parameters` for these settings.
    #[test]
    fn yarn_keeps_high_frequencies_and_divides_low_ones() {
        let scaling =
            RopeScaling::Yarn { factor: 4.0, fast: 32.0, slow: 1.0, kept: 1.0, magnitude: 1.1 };
        let (base, original_context) = (10_000.0, 2048);
        let rope = Rope { rotated: 64, base, scaling, magnitude: 1.0, original_context };
        let plain = rope.plain(base).frequencies();
        let ratios: Vec<f32> =
            rope.frequencies().iter().zip(&plain).map(|(scaled, plain)| scaled / plain).collect();
        // 8.06 and 20.1 pairs: a ramp from the 8th to the 21st.
        for (pair, ratio) in ratios.iter().enumerate() {
            let share = 1.0 - ((pair as f32 - 8.0) / 13.0).clamp(0.0, 1.0);
            assert!((ratio - (share + (1.0 - share) / 4.0)).abs() < 1e-6, "{pair}: {ratio}");
        }
        assert_eq!(rope.magnitude(), 1.1);
    }
}
