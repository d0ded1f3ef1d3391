use crate::LmError;

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The first token's, which BERT calls `[CLS]`.
    Cls,
    /// The last token's.
    Last,
}

impl Pooling {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Cls, Self::Last];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Last => "last",
        }
    }

    /// The pooling of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pooling| pooling.name() == name)
    }

    /// What `pooling_type` of a GGUF file stands for; `None`: the file says nothing, or that there is none.
    pub(crate) fn of_gguf(pooling_type: Option<u64>) -> Result<Option<Self>, LmError> {
        match pooling_type {
            None | Some(0) => Ok(None),
            Some(1) => Ok(Some(Self::Mean)),
            Some(2) => Ok(Some(Self::Cls)),
            Some(3) => Ok(Some(Self::Last)),
            Some(other) => {
                Err(LmError::Feature { key: "pooling_type".into(), value: other.to_string() })
            }
        }
    }

    /// One vector of those of a text, of which there is at least one.
    pub fn pool(self, rows: &[f32], width: usize) -> Vec<f32> {
        let rows = rows.chunks_exact(width.max(1));
        match self {
            Self::Cls => rows.clone().next().unwrap_or_default().to_vec(),
            Self::Last => rows.clone().next_back().unwrap_or_default().to_vec(),
            Self::Mean => {
                let (mut sums, share) = (vec![0.0; width], 1.0 / rows.len().max(1) as f32);
                for row in rows {
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
                sums.iter_mut().for_each(|sum| *sum *= share);
                sums
            }
        }
    }
}

/// Divides a vector by its length; one without a length stays.
pub fn normalize(vector: &mut [f32]) {
    let square: f64 = vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    if square > 0.0 {
        let factor = 1.0 / square.sqrt();
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
}
