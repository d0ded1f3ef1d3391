use crate::failure::Failure;
use std::env;
use std::path::{Path, PathBuf};

/// Where things are.
pub(crate) struct Project {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Build results of everything but the native crates.
    pub(crate) cache: PathBuf,
    /// Cargo's target folder of the native crates.
    pub(crate) native: PathBuf,
    /// Whether this is a CI machine, where root rights may be used.
    pub(crate) ci: bool,
}

impl Project {
    pub(crate) fn find() -> Result<Self, Failure> {
        // Cargo's own word first: with a shared target folder this program may have been compiled in
        // another checkout.
        let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = here.join("..");
        let root = root.canonicalize().map_err(|e| {
            Failure::new(
                format!("the checkout is gone: {}: {e}", root.display()),
                "It was moved after xtask was built; run `cargo clean -p xtask` and try again.",
            )
        })?;
        let ci = env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false");
        let target = env::var_os("CARGO_TARGET_DIR").map(|dir| root.join(dir));
        let outside = env::var_os("SIDESTAGE_CACHE").filter(|v| !v.is_empty()).map(PathBuf::from);
        let outside = outside.map(|dir| root.join(dir)).or_else(|| {
            let home = env::var_os("HOME").filter(|_| ci)?;
            Some(Path::new(&home).join(".cache/sidestage"))
        });
        let inside = target.clone().unwrap_or_else(|| root.join("target"));
        let native = match (&target, &outside) {
            (None, Some(outside)) => outside.join("native"),
            _ => inside.clone(),
        };
        Ok(Self { cache: outside.unwrap_or(inside), native, root, ci })
    }

    /// The folder of test data, absolute, if `SIDESTAGE_TESTDATA` names one.
    pub(crate) fn test_data(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(dir) = env::var_os("SIDESTAGE_TESTDATA").filter(|v| !v.is_empty()) else {
            return Ok(None);
        };
        let dir = self.root.join(dir);
        let found = dir.canonicalize().map_err(|e| {
            Failure::new(
                format!("SIDESTAGE_TESTDATA is not there: {}: {e}", dir.display()),
                "Unset it to run without the tests that need data.",
            )
        })?;
        Ok(Some(found))
    }

    /// Where the wasm files are collected for the bundler.
    pub(crate) fn wasm(&self) -> PathBuf {
        self.cache.join("wasm")
    }

    /// The native command after a build.
    pub(crate) fn binary(&self) -> PathBuf {
        self.root.join("target/release").join(format!("sidestage{}", env::consts::EXE_SUFFIX))
    }
}
