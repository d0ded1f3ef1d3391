use super::FolderError;
use super::architecture::Architecture;
use super::config::{Config, feature, number, problem};
use super::metadata::Keys;
use serde_json::{Map, Value};
use std::f64::consts::TAU;

/// Rotary positions as a configuration tells them: in `rope_parameters`, once for all layers or for
/// each kind of layer, or in the older `rope_scaling` and `rope_theta`.
pub(super) struct Rope {
    /// Of layers that see all positions.
    values: Map<String, Value>,
    /// The base in layers with a window, where it is another one.
    window_base: Option<f64>,
}

impl Rope {
    pub(super) fn read(config: &Config) -> Result<Self, FolderError> {
        let mut values = match (config.get("rope_parameters"), config.get("rope_scaling")) {
            (Some(Value::Object(values)), _) | (None, Some(Value::Object(values))) => {
                values.clone()
            }
            (None, None) => Map::new(),
            _ => return Err(problem("rope_parameters", "is no object")),
        };
        let is_each =
            ["full_attention", "sliding_attention"].iter().any(|k| values.contains_key(*k));
        let mut window_base = config.number(&["rope_local_base_freq", "local_rope_theta"])?;
        if is_each {
            if let Some(Value::Object(window)) = values.remove("sliding_attention") {
                if let Some(kind) = window.get("rope_type").filter(|kind| *kind != "default") {
                    return Err(feature("rope_type of sliding_attention", kind));
                }
                if let Some(base) = window.get("rope_theta") {
                    window_base = Some(number("rope_theta", base)?);
                }
            }
            values = match values.remove("full_attention") {
                Some(Value::Object(values)) => values,
                _ => Map::new(),
            };
        }
        Ok(Self { values, window_base })
    }

    /// What turns frequencies: `None` for nothing.
    fn kind(&self) -> Result<Option<&str>, FolderError> {
        let kind = ["rope_type", "type"].iter().find_map(|key| self.values.get(*key));
        match kind {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(kind)) => match kind.as_str() {
                // Beyond the trained positions only.
                "default" | "dynamic" => Ok(None),
                "su" => Ok(Some("longrope")),
                "linear" | "yarn" | "longrope" | "llama3" => Ok(Some(kind)),
                _ => Err(feature("rope_type", &Value::String(kind.clone()))),
            },
            Some(other) => Err(feature("rope_type", other)),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, FolderError> {
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => number(key, value).map(Some),
        }
    }

    fn positive(&self, key: &str, usual: Option<f64>) -> Result<f64, FolderError> {
        match self.number(key)?.or(usual) {
            Some(value) if value > 0.0 => Ok(value),
            _ => Err(problem(key, "of the rotary positions is missing or not above 0")),
        }
    }

    fn base(&self, config: &Config) -> Result<Option<f64>, FolderError> {
        match self.number("rope_theta")? {
            None => config.number(&["rope_theta", "rotary_emb_base"]),
            base => Ok(base),
        }
    }

    /// Positions before the context was extended.
    fn original_context(&self, config: &Config) -> Result<f64, FolderError> {
        let keys = ["original_max_position_embeddings", "max_position_embeddings", "n_positions"];
        self.positive(keys[0], config.number(&keys)?)
    }

    /// Values of a head that are rotated.
    fn rotated(&self, config: &Config) -> Result<(u64, bool), FolderError> {
        let keys = ["partial_rotary_factor", "rotary_pct", "rope_pct"];
        let share = match self.number(keys[0])? {
            None => config.number(&keys)?,
            share => share,
        };
        let rotated = (share.unwrap_or(1.0) * config.head_dim()? as f64) as u64;
        Ok((rotated, share.is_some()))
    }

    /// Writes `rope.*`.
    pub(super) fn put(
        &self,
        config: &Config,
        architecture: &Architecture,
        keys: &mut Keys,
    ) -> Result<(), FolderError> {
        let (rotated, is_stated) = self.rotated(config)?;
        if architecture.says_rotated || is_stated {
            keys.count("rope.dimension_count", rotated)?;
        }
        if let Some(base) = self.base(config)? {
            keys.float("rope.freq_base", base);
        }
        if let Some(base) = self.window_base {
            keys.float("rope.freq_base_swa", base);
        }
        match self.kind()? {
            Some("linear") => {
                keys.put("rope.scaling.type", "linear");
                keys.float("rope.scaling.factor", self.positive("factor", None)?);
            }
            Some("yarn") => self.put_yarn(config, keys)?,
            Some("longrope") => {
                keys.put("rope.scaling.type", "longrope");
                let original = self.original_context(config)?;
                keys.count("rope.scaling.original_context_length", original as u64)?;
                let context = config.size(&["max_position_embeddings"])? as f64;
                let factor = self.positive("factor", Some(context / original))?;
                let usual =
                    if factor > 1.0 { (1.0 + factor.ln() / original.ln()).sqrt() } else { 1.0 };
                let magnitude = self.positive("attention_factor", Some(usual))?;
                keys.float("rope.scaling.attn_factor", magnitude);
            }
            _ => {
                if let Some(original) = config.count(&["original_max_position_embeddings"])? {
                    keys.count("rope.scaling.original_context_length", original)?;
                }
            }
        }
        Ok(())
    }

    fn put_yarn(&self, config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
        if let Some(Value::Bool(false)) = self.values.get("truncate") {
            return Err(feature("truncate", &Value::Bool(false)));
        }
        let original = self.original_context(config)?;
        let context = config.size(&["max_position_embeddings"])? as f64;
        let factor = self.positive("factor", Some(context / original))?;
        keys.put("rope.scaling.type", "yarn");
        keys.float("rope.scaling.factor", factor);
        keys.count("rope.scaling.original_context_length", original as u64)?;
        let magnitude = |m: f64| if factor > 1.0 { 0.1 * m * factor.ln() + 1.0 } else { 1.0 };
        let stated = match self.number("attention_factor")? {
            None => self.number("attn_factor")?,
            stated => stated,
        };
        let stated = match (stated, self.number("mscale")?, self.number("mscale_all_dim")?) {
            (None, Some(one), Some(all)) if one != 0.0 && all != 0.0 => {
                Some(magnitude(one) / magnitude(all))
            }
            (stated, ..) => stated,
        };
        if let Some(stated) = stated {
            keys.float("rope.scaling.yarn_attn_factor", stated);
        }
        for (theirs, ours) in [
            ("extrapolation_factor", "rope.scaling.yarn_ext_factor"),
            ("beta_fast", "rope.scaling.yarn_beta_fast"),
            ("beta_slow", "rope.scaling.yarn_beta_slow"),
        ] {
            if let Some(value) = self.number(theirs)? {
                keys.float(ours, value);
            }
        }
        Ok(())
    }

    /// Weights of frequencies, which no file holds.
    pub(super) fn values(
        &self,
        config: &Config,
    ) -> Result<Vec<(&'static str, Vec<f32>)>, FolderError> {
        let (rotated, _) = self.rotated(config)?;
        let pairs = rotated / 2;
        match self.kind()? {
            Some("llama3") => Ok(vec![("rope_freqs.weight", self.llama3(config, pairs)?)]),
            Some("longrope") => ["long", "short"]
                .iter()
                .zip(["rope_factors_long.weight", "rope_factors_short.weight"])
                .map(|(which, weight)| {
                    let key = format!("{which}_factor");
                    let Some(Value::Array(list)) = self.values.get(&key) else {
                        return Err(problem(&key, "is missing or no list"));
                    };
                    let factors = list.iter().map(|value| number(&key, value).map(|x| x as f32));
                    let factors: Vec<f32> = factors.collect::<Result<_, _>>()?;
                    if factors.len() as u64 != pairs {
                        return Err(problem(&key, "has not one entry for each pair of a head"));
                    }
                    Ok((weight, factors))
                })
                .collect(),
            _ => Ok(Vec::new()),
        }
    }

    /// What divides each frequency: low ones by the factor, high ones by 1, smooth between.
    fn llama3(&self, config: &Config, pairs: u64) -> Result<Vec<f32>, FolderError> {
        if pairs > 1 << 16 {
            return Err(problem("head_dim", "is too large"));
        }
        let base = self.base(config)?.unwrap_or(10_000.0);
        let factor = self.positive("factor", Some(8.0))?;
        let low = self.positive("low_freq_factor", Some(1.0))?;
        let high = self.positive("high_freq_factor", Some(4.0))?;
        let original = self.positive("original_max_position_embeddings", Some(8192.0))?;
        let divisor = |pair: u64| {
            let wavelength = TAU * base.powf(pair as f64 / pairs as f64);
            if wavelength < original / high {
                1.0
            } else if wavelength > original / low {
                factor
            } else {
                let smooth = (original / wavelength - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        Ok((0..pairs).map(|pair| divisor(pair) as f32).collect())
    }
}
