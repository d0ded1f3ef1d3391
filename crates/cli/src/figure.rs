//! What `--threads auto` measured, kept for the next time: a file for each model in the user's cache
//! folder. Where there is none, or it cannot be read, it is measured again.

use crate::model_files::ModelFiles;
use crate::session::cores;
use serde::{Deserialize, Serialize};
use sidestage_engine::protocol::ThreadsFigure;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(Serialize, Deserialize)]
struct Stored {
    /// The program that measured: another one is faster or slower.
    program: u64,
    figure: ThreadsFigure,
}

/// What was measured of this model, on as many cores as there are now.
pub(crate) fn recall(files: &ModelFiles) -> Option<ThreadsFigure> {
    let Stored { program: of, figure } = read(&place(files)?)?;
    let here = u32::try_from(cores()).ok()?;
    let fits = Some(of) == program() && figure.of == here && (1..=here).contains(&figure.threads);
    fits.then_some(figure)
}

/// Keeps it, if that can be: without it the next load measures again.
pub(crate) fn remember(files: &ModelFiles, figure: ThreadsFigure) {
    let (Some(place), Some(program)) = (place(files), program()) else { return };
    let Ok(text) = serde_json::to_vec(&Stored { program, figure }) else { return };
    let kept = place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        // Another load may read it now: it sees the old text or the new.
        let new = place.with_extension(std::process::id().to_string());
        fs::write(&new, text)?;
        fs::rename(new, &place)
    });
    drop(kept);
}

fn read(place: &Path) -> Option<Stored> {
    serde_json::from_slice(&fs::read(place).ok()?).ok()
}

/// The file for a model, by the places of its files.
fn place(files: &ModelFiles) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for path in files.paths() {
        path.canonicalize().ok()?.hash(&mut hasher);
    }
    Some(folder()?.join(format!("sidestage/threads/{:016x}.json", hasher.finish())))
}

/// Where programs keep what they can do without.
fn folder() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || named("HOME");
    match std::env::consts::OS {
        "windows" => named("LOCALAPPDATA"),
        "macos" => home().map(|home| home.join("Library/Caches")),
        _ => named("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache"))),
    }
}

/// A mark of this program.
fn program() -> Option<u64> {
    let file = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let age = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), file.len(), age).hash(&mut hasher);
    Some(hasher.finish())
}
