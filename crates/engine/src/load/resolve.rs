//! From what the app asked for to a shelf of files.

use super::options::Options;
use super::whole::{Ended, Whole};
use crate::protocol::{ErrorInfo, ModelSource};
use sidestage_store::{
    CacheMode, Choice, Hub, Keep, Kind, Listed, MOST_FILES, Orders, Place, Reading, Shelf, Source,
    StoreError, Wanted, choose, read_commit, read_listing,
};

/// Pages of a list that are asked for at most.
const MOST_PAGES: usize = 1000;

/// What is to be loaded, and where it lies.
#[derive(Clone)]
pub(super) struct Resolved {
    pub(super) shelf: Shelf,
    /// The file's name on the shelf; of a folder nothing.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) choice: Option<String>,
}

/// A hub is asked which commit a revision is, and for the list of its files.
pub(super) struct Resolve {
    hub: Hub,
    asked: String,
    step: Step,
    pub(super) whole: Whole,
    /// Answers that were read.
    pub(super) over: Vec<Reading>,
}

enum Step {
    Commit,
    Listing {
        /// As the hub has told, or as it is written in the source.
        commit: Option<String>,
        /// Why the hub has not told; the cache knows what it told last.
        failure: Option<StoreError>,
        /// The pages before this one.
        before: Pages,
    },
}

/// What is known of a list that comes in pages.
#[derive(Default)]
struct Pages {
    count: usize,
    files: Vec<Listed>,
}

/// What begins a load.
pub(super) enum First {
    Ask(Box<Resolve>),
    Known(Box<Resolved>),
}

/// What an answer of the hub leads to.
pub(super) enum Next {
    Ask(Box<Question>),
    Known(Box<Resolved>),
    Changed,
}

/// The next question.
pub(super) struct Question(Step, Wanted);

impl Resolve {
    /// Reads the source.
    pub(super) fn first(
        source: &ModelSource,
        options: &Options,
        orders: &mut Orders,
    ) -> Result<First, ErrorInfo> {
        let url = match source {
            ModelSource::Held { files } => {
                let files = files.iter().map(|file| (file.name.clone(), file.size)).collect();
                let shelf = Shelf::held(files).with(options.mode, None);
                let (kind, name) = shelf.held_kind()?;
                return Ok(First::Known(Box::new(Resolved { shelf, name, kind, choice: None })));
            }
            ModelSource::Url { url } => url,
        };
        let hub = match Source::parse(url, options.hub.as_deref())? {
            Source::Hub(hub) => hub,
            Source::Url(url) => {
                let kind = Kind::of(&url);
                let shelf = Shelf::url(&url, options.cache_key.as_deref())
                    .with(options.mode, None)
                    .asked_as(&url);
                let name = shelf.own_name().to_owned();
                return Ok(First::Known(Box::new(Resolved { shelf, name, kind, choice: None })));
            }
        };
        let kept_first = matches!(options.mode, CacheMode::OnlyIfCached | CacheMode::ForceCache);
        let commit = hub.is_commit().then(|| hub.revision.clone());
        let (step, wanted) = if kept_first || commit.is_some() {
            let wanted = listing(&hub, commit.as_deref(), kept_first, options, url);
            (Step::Listing { commit, failure: None, before: Pages::default() }, wanted)
        } else {
            (Step::Commit, question(hub.revision_url(), options))
        };
        let asked = url.clone();
        let whole = Whole::start(wanted, orders);
        let over = Vec::new();
        Ok(First::Ask(Box::new(Self { hub, asked, step, whole, over })))
    }

    /// Goes on after an answer.
    pub(super) fn next(&mut self, options: &Options) -> Result<Option<Next>, ErrorInfo> {
        let Some(end) = self.whole.end() else { return Ok(None) };
        let step = std::mem::replace(&mut self.step, Step::Commit);
        let next = match step {
            Step::Commit => match end {
                Ok(Ended::Bytes(json)) => match read_commit(&json) {
                    Ok(commit) => self.list(Some(commit), None, options),
                    Err(_) => self.without_listing(None, options, None)?,
                },
                // A hub that has only files.
                Ok(_) => self.without_listing(None, options, None)?,
                Err(error @ StoreError::AccessDenied { .. }) => return Err(error.into()),
                Err(error) => self.list(None, Some(error), options),
            },
            Step::Listing { commit, failure, before } => match end {
                Ok(Ended::Bytes(json)) => {
                    let kept = self.whole.reading.validator().map(str::to_owned);
                    match (commit.or(kept), read_listing(&json)) {
                        (Some(commit), Ok(page)) => {
                            self.listed(commit, failure, before, page, options)?
                        }
                        (commit, Err(error)) => {
                            self.without_listing(commit, options, Some(error))?
                        }
                        (None, Ok(_)) => self.without_listing(None, options, None)?,
                    }
                }
                Ok(Ended::Changed) => Next::Changed,
                Ok(Ended::Missing) => self.without_listing(commit, options, None)?,
                Err(error @ StoreError::NotCached { .. }) => match (options.mode, failure) {
                    (CacheMode::OnlyIfCached, _) => return Err(error.into()),
                    (_, Some(failure)) => self.without_listing(None, options, Some(failure))?,
                    // A cache that was to be used without asking has nothing.
                    (_, None) if commit.is_none() => Next::Ask(Box::new(Question(
                        Step::Commit,
                        question(self.hub.revision_url(), options),
                    ))),
                    (_, None) => self.list(commit, None, &default_mode(options)),
                },
                Err(error) => self.without_listing(commit, options, Some(error))?,
            },
        };
        Ok(Some(next))
    }

    /// Asks the next question.
    pub(super) fn ask(&mut self, Question(step, wanted): Question, orders: &mut Orders) {
        self.step = step;
        let before = std::mem::replace(&mut self.whole, Whole::start(wanted, orders));
        self.over.push(before.reading);
    }

    fn list(&self, commit: Option<String>, failure: Option<StoreError>, options: &Options) -> Next {
        let kept_only = commit.is_none();
        let wanted = listing(&self.hub, commit.as_deref(), kept_only, options, &self.asked);
        let before = Pages::default();
        Next::Ask(Box::new(Question(Step::Listing { commit, failure, before }, wanted)))
    }

    /// A page of the list is there: asks for the next one, or looks into the whole list.
    fn listed(
        &self,
        commit: String,
        failure: Option<StoreError>,
        before: Pages,
        page: Vec<Listed>,
        options: &Options,
    ) -> Result<Next, ErrorInfo> {
        let Pages { mut count, mut files } = before;
        count += 1;
        files.extend(page);
        let next = self.whole.reading.next_page().filter(|url| self.hub.is_own(url));
        // A list without an end is cut.
        let Some(url) = next.filter(|_| files.len() < MOST_FILES && count < MOST_PAGES) else {
            files.sort_by(|a, b| a.path.cmp(&b.path));
            let shelf = Shelf::hub(self.hub.clone(), Some(&commit), Some(files), "");
            return Ok(Next::Known(Box::new(self.in_listing(shelf, options)?)));
        };
        let asked = self.whole.reading.wanted();
        let keep = asked.keep.as_ref().map(|keep| Keep {
            key: self.hub.listing_key(count),
            validator: Some(commit.clone()),
            ..keep.clone()
        });
        let wanted = Wanted { keep, place: Place::Url(url.to_owned()), ..asked.clone() };
        let before = Pages { count, files };
        Ok(Next::Ask(Box::new(Question(
            Step::Listing { commit: Some(commit), failure, before },
            wanted,
        ))))
    }

    /// The hub does not list the files: the source must name one.
    fn without_listing(
        &self,
        commit: Option<String>,
        options: &Options,
        failure: Option<StoreError>,
    ) -> Result<Next, ErrorInfo> {
        let kind = Kind::of(&self.hub.path);
        if self.hub.path.is_empty() || kind == Kind::Other {
            let (url, status) = (self.hub.revision_url(), 404);
            return Err(failure.unwrap_or(StoreError::NotFound { url, status }).into());
        }
        let (folder, name) = split(&self.hub.path);
        let shelf = Shelf::hub(self.hub.clone(), commit.as_deref(), None, folder);
        let name = name.to_owned();
        Ok(Next::Known(Box::new(Resolved {
            shelf: self.finish(shelf, options),
            name,
            kind,
            choice: None,
        })))
    }

    /// What the source names among the files of the listing.
    fn in_listing(&self, shelf: Shelf, options: &Options) -> Result<Resolved, ErrorInfo> {
        let path = self.hub.path.as_str();
        let names = shelf.names().unwrap_or_default();
        let is_file = names.iter().any(|(name, _)| *name == path);
        let inside = format!("{path}/");
        let is_folder = path.is_empty() || names.iter().any(|(name, _)| name.starts_with(&inside));
        let rehung = |folder: &str| self.finish(shelf.clone().in_folder(folder), options);
        if is_file || !is_folder {
            let (folder, name) = split(path);
            let (kind, name) = match Kind::of(path) {
                Kind::Folder => (Kind::Folder, ""),
                kind => (kind, name),
            };
            let shelf = rehung(folder);
            return Ok(Resolved { shelf, name: name.to_owned(), kind, choice: None });
        }
        let shelf = rehung(path);
        let chosen = choose(&shelf.names().unwrap_or_default(), options.memory_limit);
        let Some(Choice { files, why, .. }) = chosen else {
            let missing = "a .gguf file, or a config.json with .safetensors files".into();
            return Err(StoreError::Incomplete { missing }.into());
        };
        let (kind, name) = match files.into_iter().next() {
            Some(name) if Kind::of(&name) == Kind::Gguf => (Kind::Gguf, name),
            _ => (Kind::Folder, String::new()),
        };
        Ok(Resolved { shelf, name, kind, choice: Some(why) })
    }

    fn finish(&self, shelf: Shelf, options: &Options) -> Shelf {
        shelf.with(options.mode, options.token.as_deref()).asked_as(&self.asked)
    }
}

/// Folder and name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn default_mode(options: &Options) -> Options {
    Options { mode: CacheMode::Default, ..options.clone() }
}

/// The request for a commit; its answer is not kept, for it changes.
fn question(url: String, options: &Options) -> Wanted {
    let wanted = Wanted::plain(url.clone(), Place::Url(url));
    Wanted { headers: authorization(options), optional: true, ..wanted }
}

/// The request for the list of files. Without a commit only what is kept is looked at.
fn listing(
    hub: &Hub,
    commit: Option<&str>,
    kept_only: bool,
    options: &Options,
    asked: &str,
) -> Wanted {
    let url = hub.tree_url(commit.unwrap_or(&hub.revision));
    let keep = Keep {
        key: hub.listing_key(0),
        source: asked.to_owned(),
        immutable: true,
        validator: commit.map(str::to_owned),
    };
    let wanted = Wanted::plain("the list of files", Place::Url(url));
    Wanted {
        keep: Some(keep),
        mode: if kept_only && options.mode != CacheMode::NoStore {
            CacheMode::OnlyIfCached
        } else {
            options.mode
        },
        headers: authorization(options),
        optional: true,
        ..wanted
    }
}

fn authorization(options: &Options) -> Vec<(String, String)> {
    let token = options.token.iter();
    token.map(|token| ("Authorization".into(), format!("Bearer {token}"))).collect()
}
