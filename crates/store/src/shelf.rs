use crate::{CacheMode, Expect, Hub, Keep, Kind, Listed, Place, SplitName, StoreError, Wanted};
use crate::{file_name, hub::encode, source::shown};

/// The folder, repository or pile of files in which a model lies: turns names into files to be
/// read.
#[derive(Clone, Debug)]
pub struct Shelf {
    place: Where,
    /// What the app asked for.
    source: String,
    mode: CacheMode,
    /// The access token for the hub.
    token: Option<String>,
}

#[derive(Clone, Debug)]
enum Where {
    Hub {
        hub: Hub,
        /// The commit, or where no API tells it, the revision.
        revision: String,
        immutable: bool,
        /// The folder in the repository, with a slash at its end, or empty.
        folder: String,
        listing: Option<Vec<Listed>>,
    },
    Url {
        /// Up to and with the last slash.
        base: String,
        /// The name after it.
        own: String,
        /// From `?` on, without what comes after `#`.
        query: String,
        key: Option<String>,
    },
    Held {
        /// Names, without the folder that all may share, and sizes.
        files: Vec<(String, u64)>,
    },
}

impl Shelf {
    /// A repository at a commit, with its files, or without a hub's API at a revision. `folder` is
    /// a path in it.
    pub fn hub(hub: Hub, commit: Option<&str>, listing: Option<Vec<Listed>>, folder: &str) -> Self {
        let revision = commit.unwrap_or(&hub.revision).to_owned();
        let immutable = commit.is_some();
        let source = hub.to_string();
        let place = Where::Hub { hub, revision, immutable, folder: String::new(), listing };
        Self { place, source, mode: CacheMode::Default, token: None }.in_folder(folder)
    }

    /// The folder of a URL. `key`: the name under which its files are kept instead of the URL.
    pub fn url(url: &str, key: Option<&str>) -> Self {
        let all = url.split('#').next().unwrap_or(url);
        let (path, query) = all.split_at(all.find('?').unwrap_or(all.len()));
        let (base, own) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
        let (base, own, query) = (base.to_owned(), own.to_owned(), query.to_owned());
        let place = Where::Url { base, own, query, key: key.map(str::to_owned) };
        Self { place, source: url.to_owned(), mode: CacheMode::Default, token: None }
    }

    /// Files that the host holds: names and sizes.
    pub fn held(files: Vec<(String, u64)>) -> Self {
        let source = files.first().map_or(String::new(), |(name, _)| name.clone());
        // Of a chosen folder, each path begins with its name.
        let folder = source.split_once('/').map(|(folder, _)| format!("{folder}/"));
        let shared = folder.filter(|folder| files.iter().all(|file| file.0.starts_with(folder)));
        let cut = shared.map_or(0, |folder| folder.len());
        let files = files.into_iter().map(|(name, size)| (name[cut..].to_owned(), size)).collect();
        let place = Where::Held { files };
        Self { place, source, mode: CacheMode::Default, token: None }
    }

    /// The name that the URL itself has in its folder.
    pub fn own_name(&self) -> &str {
        if let Where::Url { own, .. } = &self.place { own } else { "" }
    }

    /// With this use of the cache, and this access token for the hub.
    #[must_use]
    pub fn with(mut self, mode: CacheMode, token: Option<&str>) -> Self {
        (self.mode, self.token) = (mode, token.map(str::to_owned));
        self
    }

    /// Another folder of the same repository; elsewhere the shelf stays as it is.
    #[must_use]
    pub fn in_folder(mut self, path: &str) -> Self {
        if let Where::Hub { folder, .. } = &mut self.place {
            *folder = match path.trim_end_matches('/') {
                "" => String::new(),
                path => format!("{path}/"),
            };
        }
        self
    }

    /// What the app asked for, as the cache groups files by it.
    #[must_use]
    pub fn asked_as(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    /// The names of its files, where they are known; of a repository, those in the folder.
    pub fn names(&self) -> Option<Vec<(&str, u64)>> {
        match &self.place {
            Where::Hub { folder, listing, .. } => Some(
                listing
                    .as_ref()?
                    .iter()
                    .filter_map(|file| Some((file.path.strip_prefix(folder)?, file.bytes)))
                    .collect(),
            ),
            Where::Url { .. } => None,
            Where::Held { files } => {
                Some(files.iter().map(|(name, size)| (name.as_str(), *size)).collect())
            }
        }
    }

    /// The file of this name. `None`: it is known not to be there.
    pub fn file(&self, name: &str, expect: Expect) -> Option<Wanted> {
        let (place, key, immutable, size, sha256) = match &self.place {
            Where::Hub { hub, revision, immutable, folder, listing } => {
                let path = format!("{folder}{name}");
                let listed = match listing {
                    Some(all) => Some(all.iter().find(|file| file.path == path)?),
                    None => None,
                };
                let key = hub.file_key(revision, &path);
                let place = Place::Url(hub.file_url(revision, &path));
                let sha256 = listed.and_then(|file| file.sha256.clone());
                (place, Some(key), *immutable, listed.map(|file| file.bytes), sha256)
            }
            Where::Url { base, own, query, key } => {
                let url = format!("{base}{name}{query}");
                let key = match key {
                    Some(key) if name == own => format!("url/{key}"),
                    Some(key) => format!("url/{key}/{name}"),
                    None => format!("url/{url}"),
                };
                (Place::Url(url), Some(key), false, None, None)
            }
            Where::Held { files } => {
                let at = files.iter().position(|(held, _)| held == name)?;
                (Place::Held(at as u32), None, false, Some(files[at].1), None)
            }
        };
        let source = self.source.clone();
        let keep = key.map(|key| Keep { key, source, immutable, validator: None });
        let token = self.token.iter().filter(|_| matches!(self.place, Where::Hub { .. }));
        let headers = token.map(|token| ("Authorization".into(), format!("Bearer {token}")));
        let shown = match &place {
            Place::Url(url) if name.is_empty() => file_name(url),
            Place::Url(_) if matches!(self.place, Where::Url { .. }) => file_name(name),
            _ => name.to_owned(),
        };
        Some(Wanted {
            keep,
            mode: self.mode,
            length: size,
            sha256,
            headers: headers.collect(),
            expect,
            ..Wanted::plain(shown, place)
        })
    }

    /// The file of this name, which must be there.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] in a repository, [`StoreError::Incomplete`] elsewhere.
    pub fn need(&self, name: &str, expect: Expect) -> Result<Wanted, StoreError> {
        self.file(name, expect).ok_or_else(|| match &self.place {
            Where::Hub { hub, revision, folder, .. } => StoreError::NotFound {
                url: hub.file_url(revision, &format!("{folder}{name}")),
                status: 404,
            },
            _ => StoreError::Incomplete { missing: name.to_owned() },
        })
    }

    /// A file that lies beside another, whose bytes say its name: a path that does not leave the folder.
    ///
    /// # Errors
    /// As [`Shelf::need`]; [`StoreError::Incomplete`] for other paths.
    pub fn beside(&self, of: &str, path: &str) -> Result<Wanted, StoreError> {
        let inside = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':']);
        let path = path.strip_prefix("./").unwrap_or(path);
        if !path.split('/').all(inside) || path.chars().any(char::is_control) {
            return Err(StoreError::Incomplete { missing: path.to_owned() });
        }
        let folder = of.rfind('/').map_or("", |slash| &of[..=slash]);
        // A name on a shelf of URLs is a piece of a URL.
        let path = match &self.place {
            Where::Url { .. } => path.split('/').map(encode).collect::<Vec<_>>().join("/"),
            _ => path.to_owned(),
        };
        self.need(&format!("{folder}{path}"), Expect::Anything)
    }

    /// Where the tokenizer of a graph model lies: beside it, or above its folder where that is called
    /// `onnx`, as exporters write it; the shelf, and the folder on it.
    pub fn of_tokenizer(&self, name: &str) -> (Self, String) {
        let mut shelf = self.clone();
        let inner = &name[..name.rfind('/').map_or(0, |slash| slash + 1)];
        let above = |folder: &str| {
            let rest = folder.strip_suffix("onnx/")?;
            (rest.is_empty() || rest.ends_with('/')).then(|| rest.to_owned())
        };
        let beside = match self.names() {
            Some(names) => names.iter().any(|(file, _)| *file == format!("{inner}tokenizer.json")),
            None => false,
        };
        let up = match &mut shelf.place {
            _ if beside => None,
            Where::Hub { folder, .. } if inner.is_empty() => above(folder).map(|up| *folder = up),
            Where::Url { base, .. } if inner.is_empty() => above(base).map(|up| *base = up),
            _ => None,
        };
        let inner = match (up, above(inner)) {
            (None, Some(up)) if !beside => up,
            _ => inner.to_owned(),
        };
        (shelf, inner)
    }

    /// The model's file of this name, and its siblings if it is one of a split GGUF.
    ///
    /// # Errors
    /// As [`Shelf::need`].
    pub fn model(&self, name: &str) -> Result<Vec<Wanted>, StoreError> {
        match SplitName::of(name) {
            Some(split) if split.count > 1 => {
                split.all().iter().map(|name| self.need(name, Expect::Gguf)).collect()
            }
            _ => Ok(vec![self.need(name, Expect::Model)?]),
        }
    }

    /// What it holds by the names of its files: of several, a folder if there is a `config.json`, but
    /// for one of a graph model, a graph model if there is one, else a GGUF model.
    ///
    /// # Errors
    /// [`StoreError::SourceInvalid`].
    pub fn held_kind(&self) -> Result<(Kind, String), StoreError> {
        let names = self.names().unwrap_or_default();
        let first = names.first().map_or("", |(name, _)| name);
        if let [(only, _)] = names[..] {
            let kind = match Kind::of(only) {
                Kind::Folder if !only.ends_with(".safetensors") => Kind::Other,
                kind => kind,
            };
            return Ok((kind, only.to_owned()));
        }
        let mut graphs = names.iter().map(|file| file.0).filter(|n| Kind::of(n) == Kind::Graph);
        let graph = graphs.next().filter(|_| graphs.next().is_none());
        let has = |wanted: fn(&str) -> bool| names.iter().any(|(name, _)| wanted(name));
        let weights = |name: &str| !name.contains('/') && name.ends_with(".safetensors");
        if has(|name| name == "config.json") && (graph.is_none() || has(weights)) {
            return Ok((Kind::Folder, String::new()));
        }
        if let Some(name) = graph {
            return Ok((Kind::Graph, name.to_owned()));
        }
        let gguf: Vec<&str> =
            names.iter().map(|file| file.0).filter(|name| Kind::of(name) == Kind::Gguf).collect();
        let split = gguf.first().and_then(|name| SplitName::of(name));
        let all = split.as_ref().map(SplitName::all).unwrap_or_default();
        match gguf[..] {
            [name] => Ok((Kind::Gguf, name.to_owned())),
            [name, ..] if gguf.iter().all(|name| all.iter().any(|of| of == name)) => {
                Ok((Kind::Gguf, name.to_owned()))
            }
            [] => Err(StoreError::Incomplete { missing: "a .gguf file or a config.json".into() }),
            _ => Err(StoreError::SourceInvalid {
                source: shown(first),
                reason: "the files are of several models".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_a_signed_url_is_signed_too() {
        for (url, expected) in [
            (
                "https://h/m/model.onnx?token=1&of=a/b#c",
                "https://h/m/tokenizer.json?token=1&of=a/b",
            ),
            ("https://h/m/onnx/model.onnx?token=1", "https://h/m/tokenizer.json?token=1"),
        ] {
            let shelf = Shelf::url(url, None);
            let (shelf, folder) = shelf.of_tokenizer(shelf.own_name());
            let wanted = shelf.file(&format!("{folder}tokenizer.json"), Expect::Anything);
            let wanted = wanted.expect("it is not known not to be there");
            assert!(matches!(&wanted.place, Place::Url(url) if url == expected), "{wanted:?}");
        }
    }
}
