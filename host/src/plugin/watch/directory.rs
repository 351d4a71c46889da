//! The plugins directory: what is in it, hints that it changed, and what was
//! already said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hookbox_core::ids::PluginName;
use tracing::{error, info, warn};

use crate::files::Hints;
use crate::plugin::scan::{self, Stamp};
use crate::plugin::verdict::Refused;

/// Plugins by name: where their file really is, or why it is refused.
pub(super) type Found = BTreeMap<PluginName, Result<(PathBuf, Stamp), Refused>>;

/// See the module's text.
pub(super) struct Directory {
    path: PathBuf,
    hints: Hints,
    /// The folder that hints come from: what `path` leads to.
    watched: Option<PathBuf>,
    ignored: BTreeSet<String>,
    /// What was last said where it could not be read.
    unreadable: Option<String>,
}

impl Directory {
    pub(super) fn new(path: PathBuf, hints: Hints) -> Self {
        Self { path, hints, watched: None, ignored: BTreeSet::new(), unreadable: None }
    }

    /// Whether it could be read at the last look.
    pub(super) fn is_readable(&self) -> bool {
        self.unreadable.is_none()
    }

    /// What is in it now; none where it cannot be read.
    ///
    /// `bytes_max`: of a file.
    pub(super) fn look(&mut self, bytes_max: u64) -> Option<Found> {
        self.follow();
        let listing = match scan::look(&self.path, bytes_max) {
            Ok(listing) => listing,
            Err(error) => {
                let text = error.to_string();
                if self.unreadable.as_ref() != Some(&text) {
                    error!(directory = %self.path.display(), error = text,
                        "the plugins directory cannot be read; what is live goes on");
                    self.unreadable = Some(text);
                }
                return None;
            }
        };
        if self.unreadable.take().is_some() {
            info!(directory = %self.path.display(), "the plugins directory can be read again");
        }
        self.note_ignored(listing.ignored);
        Some(listing.plugins)
    }

    /// It may be a link that was changed to lead elsewhere.
    fn follow(&mut self) {
        let real = self.path.canonicalize().ok();
        if real == self.watched {
            return;
        }
        if let Some(old) = self.watched.take() {
            self.hints.unwatch(&old);
        }
        if let Some(real) = real {
            self.hints.watch(&real);
            self.watched = Some(real);
        }
    }

    fn note_ignored(&mut self, ignored: Vec<String>) {
        let ignored: BTreeSet<String> = ignored.into_iter().collect();
        for name in ignored.difference(&self.ignored) {
            warn!(file = name, "ignored: a plugin's file is called <name>.wasm, of a-z, 0-9 and -");
        }
        self.ignored = ignored;
    }
}
