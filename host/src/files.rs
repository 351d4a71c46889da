//! Hints that files may have changed.
//!
//! A hint says where to look, never what happened: events of the system can be
//! late, merged, doubled or missing, so whoever gets one looks for itself, and
//! looks at times even without one.

use std::path::Path;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::warn;

/// Watches folders for as long as it lives.
pub struct Hints(Option<RecommendedWatcher>);

impl Hints {
    /// Calls `hint` soon after something changes directly in a watched folder.
    ///
    /// Where the system's file events cannot be had, says so, and never calls.
    pub fn new(hint: impl Fn() + Send + 'static) -> Self {
        let on_event = move |event: notify::Result<Event>| {
            // An error (such as a full queue) is a hint too: something was missed.
            let only_read = matches!(event, Ok(Event { kind: EventKind::Access(_), .. }));
            if !only_read {
                hint();
            }
        };
        let watcher = notify::recommended_watcher(on_event);
        Self(watcher.map_err(|error| warn!(%error, "no file events; changes are found by looking at intervals")).ok())
    }

    /// Watches one more folder. It may be a link; what is watched is the folder
    /// it leads to now.
    pub fn watch(&mut self, folder: &Path) {
        if let Some(watcher) = &mut self.0
            && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
        {
            warn!(folder = %folder.display(), %error, "no file events for this folder; changes are found by looking at intervals");
        }
    }

    /// Ends watching a folder; one that is gone is fine.
    pub fn unwatch(&mut self, folder: &Path) {
        if let Some(watcher) = &mut self.0 {
            let _gone = watcher.unwatch(folder);
        }
    }
}
