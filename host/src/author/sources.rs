//! The sources of a project: whether they changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use crate::files::Hints;

/// Folders that builds and tools make by themselves: in the project's folder, and
/// anywhere.
const MADE: [&str; 7] = ["bindings", "build", "dist", "target", "vendor", "venv", "test-results"];
const MADE_ANYWHERE: [&str; 2] = ["node_modules", "__pycache__"];

/// Files that are looked at, so that a folder above all of one's files does not
/// keep a processor busy.
const FILES_MAX: usize = 10_000;

/// How deep.
const DEPTH_MAX: usize = 16;

/// Between two looks without a hint that something changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An editor writes several files, or one in several steps: this long nothing
/// must have changed.
const SETTLE: Duration = Duration::from_millis(100);

/// Watches a project's sources.
pub struct Sources {
    folder: PathBuf,
    seen: Seen,
    hints: Hints,
    hinted: Receiver<()>,
}

/// Files with time and length.
type Seen = BTreeMap<PathBuf, (SystemTime, u64)>;

impl Sources {
    /// Begins with the sources as they are.
    pub fn new(folder: &Path) -> Self {
        // One hint that waits is as good as many.
        let (hint, hinted): (SyncSender<()>, _) = sync_channel(1);
        let hints = Hints::new(move || {
            let _one_waits_already = hint.try_send(());
        });
        let mut sources = Self { folder: folder.to_owned(), seen: Seen::new(), hints, hinted };
        sources.seen = sources.look();
        sources
    }

    /// Waits until a source has changed and nothing happens any more, and names
    /// the last that did, relative to the project.
    pub fn changed(&mut self) -> PathBuf {
        let mut last = None;
        loop {
            let patience = if last.is_some() { SETTLE } else { LOOK_EVERY };
            let is_quiet = self.hinted.recv_timeout(patience).is_err();
            let seen = self.look();
            if let Some(path) = difference(&self.seen, &seen) {
                self.seen = seen;
                last = Some(path);
            } else if is_quiet && let Some(path) = last.take() {
                return path.strip_prefix(&self.folder).map_or(path.clone(), Path::to_owned);
            }
        }
    }

    fn look(&mut self) -> Seen {
        let (mut seen, mut folders) = (Seen::new(), vec![(self.folder.clone(), 0)]);
        // Links are followed, also those that lead back.
        let mut been = BTreeSet::new();
        while let Some((folder, depth)) = folders.pop() {
            if !been.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
                continue;
            }
            // Watched already: nothing happens.
            self.hints.watch(&folder);
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let Ok(about) = fs::metadata(entry.path()) else { continue };
                if about.is_dir() {
                    let is_made = name.starts_with('.')
                        || MADE_ANYWHERE.contains(&&*name)
                        || depth == 0 && MADE.contains(&&*name);
                    if !is_made && depth < DEPTH_MAX {
                        folders.push((entry.path(), depth + 1));
                    }
                } else if seen.len() < FILES_MAX && !is_no_source(&name) {
                    let time = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    seen.insert(entry.path(), (time, about.len()));
                }
            }
        }
        seen
    }
}

/// What editors leave for a moment, and what tools note by themselves.
fn is_no_source(name: &str) -> bool {
    let is_temporary = name.starts_with(['.', '#']) || name.ends_with('~') || name == "4913";
    is_temporary || ["Cargo.lock", "package-lock.json", "go.sum"].contains(&name)
}

fn difference(old: &Seen, new: &Seen) -> Option<PathBuf> {
    let changed = new.iter().find(|(path, about)| old.get(*path) != Some(about));
    let gone = || old.keys().find(|path| !new.contains_key(*path));
    changed.map(|(path, _)| path).or_else(gone).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_source_is_seen_and_what_a_build_makes_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["src", "target", "dist", "node_modules"] {
            fs::create_dir(at(name)).expect("a folder");
        }
        fs::write(at("src/lib.rs"), "1").expect("written");
        let mut sources = Sources::new(folder.path());
        fs::write(at("target/x"), "made").expect("written");
        fs::write(at("dist/x.wasm"), "made").expect("written");
        fs::write(at("src/.lib.rs.swp"), "by an editor").expect("written");
        fs::write(at("Cargo.lock"), "by cargo").expect("written");
        assert_eq!(difference(&sources.seen.clone(), &sources.look()), None);
        fs::write(at("src/lib.rs"), "longer").expect("written");
        assert_eq!(sources.changed(), Path::new("src/lib.rs"));
        // A module may be called like a folder of a build's, and a folder a link.
        fs::create_dir_all(at("src/target")).expect("a folder");
        fs::write(at("src/target/video.rs"), "new").expect("written");
        assert_eq!(sources.changed(), Path::new("src/target/video.rs"));
        let shared = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(shared.path(), at("shared")).expect("a link");
        fs::write(shared.path().join("more.py"), "new").expect("written");
        assert_eq!(sources.changed(), Path::new("shared/more.py"));
        std::os::unix::fs::symlink(folder.path(), at("src/round")).expect("a link");
        fs::create_dir(at("src/more")).expect("a folder");
        fs::write(at("src/more/new.rs"), "new").expect("written");
        assert_eq!(sources.changed(), Path::new("src/more/new.rs"));
        fs::remove_file(at("src/lib.rs")).expect("removed");
        assert_eq!(sources.changed(), Path::new("src/lib.rs"));
    }
}
