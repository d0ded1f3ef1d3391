use crate::LmError;
use sidestage_formats::gguf::{Array, Metadata, Value};
use std::ops::RangeInclusive;

/// The metadata keys of one architecture.
pub(super) struct Keys<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) architecture: &'a str,
}

impl Keys<'_> {
    pub(super) fn key(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.architecture)
    }

    pub(super) fn problem(&self, suffix: &str, problem: &str) -> LmError {
        LmError::Metadata { key: self.key(suffix), problem: problem.into() }
    }

    /// A number from 1 to `limit`.
    pub(super) fn size(&self, suffix: &str, limit: u64) -> Result<usize, LmError> {
        self.optional_size(suffix, limit)?.ok_or_else(|| self.problem(suffix, "is missing"))
    }

    pub(super) fn size_or(
        &self,
        suffix: &str,
        default: usize,
        limit: u64,
    ) -> Result<usize, LmError> {
        match self.optional_size(suffix, limit)? {
            Some(size) => Ok(size),
            None if default > 0 => Ok(default),
            None => Err(self.problem(suffix, "is missing and cannot be derived")),
        }
    }

    pub(super) fn optional_size(&self, suffix: &str, limit: u64) -> Result<Option<usize>, LmError> {
        match self.metadata.get_u64(&self.key(suffix))? {
            Some(size) if (1..=limit).contains(&size) => Ok(Some(size as usize)),
            Some(size) => Err(self.problem(suffix, &format!("{size} is not possible"))),
            None => Ok(None),
        }
    }

    /// As [`Keys::optional_size`], where 0 says that there is none.
    pub(super) fn size_if_any(&self, suffix: &str, limit: u64) -> Result<Option<usize>, LmError> {
        match self.metadata.get_u64(&self.key(suffix))? {
            Some(0) => Ok(None),
            _ => self.optional_size(suffix, limit),
        }
    }

    /// One number for all layers, or a list with one of these for each.
    pub(super) fn sizes(
        &self,
        suffix: &str,
        layers: usize,
        possible: RangeInclusive<u64>,
    ) -> Result<Option<Vec<usize>>, LmError> {
        let limit = *possible.end();
        let key = self.key(suffix);
        let Some(Value::Array(_)) = self.metadata.get(&key) else {
            return Ok(self.optional_size(suffix, limit)?.map(|size| vec![size; layers]));
        };
        let list = self.metadata.need_u32s(&key)?;
        if list.len() != layers {
            return Err(self.problem(suffix, "has not one entry for each layer"));
        }
        if let Some(bad) = list.iter().find(|size| !possible.contains(&u64::from(**size))) {
            return Err(self.problem(suffix, &format!("{bad} is not possible")));
        }
        Ok(Some(list.iter().map(|&size| size as usize).collect()))
    }

    /// A positive number.
    pub(super) fn float(&self, suffix: &str, default: Option<f32>) -> Result<f32, LmError> {
        self.optional_float(suffix)?.or(default).ok_or_else(|| self.problem(suffix, "is missing"))
    }

    pub(super) fn optional_float(&self, suffix: &str) -> Result<Option<f32>, LmError> {
        match self.metadata.get_f32(&self.key(suffix))? {
            Some(value) if !(value.is_finite() && value > 0.0) => {
                Err(self.problem(suffix, &format!("{value} is not possible")))
            }
            value => Ok(value),
        }
    }

    /// As [`Keys::optional_float`], where 0 says that there is none.
    pub(super) fn float_if_any(&self, suffix: &str) -> Result<Option<f32>, LmError> {
        match self.metadata.get_f32(&self.key(suffix))? {
            Some(0.0) => Ok(None),
            _ => self.optional_float(suffix),
        }
    }

    pub(super) fn flag(&self, suffix: &str) -> Result<Option<bool>, LmError> {
        Ok(self.metadata.get_bool(&self.key(suffix))?)
    }

    /// Which layers have a window: one truth value for each layer, or a number that says that
    /// every so many layers one has none.
    pub(super) fn windowed(
        &self,
        suffix: &str,
        layers: usize,
        full_every: Option<usize>,
    ) -> Result<Vec<bool>, LmError> {
        let key = self.key(suffix);
        let listed: Vec<bool> = match self.metadata.get(&key) {
            Some(Value::Array(Array::Bool(list))) => list.clone(),
            Some(Value::Array(_)) => {
                self.metadata.need_u32s(&key)?.iter().map(|&layer| layer != 0).collect()
            }
            _ => {
                let every = match self.metadata.get_u64(&key)? {
                    Some(every) => usize::try_from(every).ok().filter(|&every| every > 0),
                    None => full_every,
                };
                let full =
                    |layer: usize| every.is_some_and(|every| (layer + 1).is_multiple_of(every));
                (0..layers).map(|layer| !full(layer)).collect()
            }
        };
        if listed.len() != layers {
            return Err(self.problem(suffix, "has not one entry for each layer"));
        }
        Ok(listed)
    }
}
