use crate::StoreError;

/// How the cache is used: the modes of `Request.cache` (Fetch standard, section 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// What is kept is used if it has not changed at its source.
    #[default]
    Default,
    /// Nothing is read from the cache or written to it.
    NoStore,
    /// What is kept is thrown away, what comes is kept.
    Reload,
    /// What is kept is used without asking.
    ForceCache,
    /// Only what is kept is used; the network is not.
    OnlyIfCached,
}

impl CacheMode {
    /// The modes by their names.
    pub const ALL: [(&str, Self); 5] = [
        ("default", Self::Default),
        ("no-store", Self::NoStore),
        ("reload", Self::Reload),
        ("force-cache", Self::ForceCache),
        ("only-if-cached", Self::OnlyIfCached),
    ];

    /// Reads a mode.
    ///
    /// # Errors
    /// [`StoreError::OptionInvalid`].
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, mode)| *mode).ok_or_else(|| StoreError::OptionInvalid {
            option: "cache",
            problem: format!(
                "{text:?} is not one of {}",
                Self::ALL.map(|(name, _)| format!("{name:?}")).join(", ")
            ),
        })
    }
}
