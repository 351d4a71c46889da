//! Waits until a file was replaced. A hint says when to look, and the file's
//! stamp whether it is another one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::files::Hints;
use crate::shutdown::Signals;

/// Between two looks without a hint: there are file systems without any.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// As long as it must have stayed the same: compilers write in pieces.
const SETTLE: Duration = Duration::from_millis(50);

/// Hints that wait: one more says nothing new.
const HINTS_MAX: usize = 1;

/// Device, inode, length, and when it was changed.
type Stamp = (u64, u64, u64, i64, i64);

pub(super) struct Watch<'a> {
    runtime: &'a Runtime,
    file: PathBuf,
    last: Option<Stamp>,
    hints: mpsc::Receiver<()>,
    signals: Signals,
    _watched: Hints,
}

impl<'a> Watch<'a> {
    /// What is there now counts as seen.
    pub(super) fn new(file: &Path, runtime: &'a Runtime) -> anyhow::Result<Self> {
        let (sender, hints) = mpsc::channel(HINTS_MAX);
        let mut watched = Hints::new(move || {
            let _one_waits_already = sender.try_send(());
        });
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        watched.watch(folder);
        let _guard = runtime.enter();
        let signals = Signals::new().context("signals")?;
        let (file, last) = (file.to_owned(), stamp(file));
        Ok(Self { runtime, file, last, hints, signals, _watched: watched })
    }

    /// Returns once it is another file; false: it is enough.
    pub(super) fn changed(&mut self) -> bool {
        let Self { runtime, file, last, hints, signals, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                () = signals.next() => false,
                () = replaced(file, last, hints) => true,
            }
        })
    }
}

async fn replaced(file: &Path, last: &mut Option<Stamp>, hints: &mut mpsc::Receiver<()>) {
    loop {
        let now = stamp(file);
        if now.is_some() && now != *last {
            tokio::time::sleep(SETTLE).await;
            if stamp(file) == now {
                *last = now;
                return;
            }
            continue;
        }
        tokio::select! {
            _ = hints.recv() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = fs::metadata(file).ok()?;
    Some((about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
}
