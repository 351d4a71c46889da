//! Waits until a file was replaced. A hint says when to look, and the file's
//! stamp whether it is another one.
//!
//! A signal ends the process at once, also while the file is compiled or called;
//! what is being printed is printed to its end.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use crate::files::Hints;
use crate::shutdown::Signals;

/// Between two looks without a hint: there are file systems without any.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// As long as it must have stayed the same: compilers write in pieces.
const SETTLE: Duration = Duration::from_millis(50);

/// Hints that wait: one more says nothing new.
const HINTS_MAX: usize = 1;

/// Of a process that a signal ended while it was at work: as shells say it of
/// SIGINT.
const INTERRUPTED: i32 = 130;

/// Whether the file is compiled or called right now. True at first, as the first
/// thing that is done.
#[derive(Debug, Clone)]
pub(super) struct Busy(Arc<AtomicBool>);

impl Busy {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Until what this gives is dropped.
    pub(super) fn begin(&self) -> impl Drop + use<> {
        struct Working(Busy);
        impl Drop for Working {
            fn drop(&mut self) {
                self.0.0.store(false, Ordering::SeqCst);
            }
        }
        self.0.store(true, Ordering::SeqCst);
        Working(self.clone())
    }
}

/// Device, inode, length, and when it was changed.
type Stamp = (u64, u64, u64, i64, i64);

/// That a signal came while nothing was under way.
#[derive(Default)]
struct Enough {
    came: AtomicBool,
    told: Notify,
}

pub(super) struct Watch<'a> {
    runtime: &'a Runtime,
    file: PathBuf,
    last: Option<Stamp>,
    hints: mpsc::Receiver<()>,
    busy: Busy,
    enough: Arc<Enough>,
    _watched: Hints,
}

impl<'a> Watch<'a> {
    /// What is there now counts as seen.
    pub(super) fn new(file: &Path, runtime: &'a Runtime, busy: Busy) -> anyhow::Result<Self> {
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
        let mut signals = Signals::new().context("signals")?;
        let enough = Arc::new(Enough::default());
        let (tell, working) = (Arc::clone(&enough), busy.clone());
        runtime.spawn(async move {
            loop {
                signals.next().await;
                // In this order: whoever begins to work after it sees it.
                tell.came.store(true, Ordering::SeqCst);
                if working.0.load(Ordering::SeqCst) {
                    std::process::exit(INTERRUPTED);
                }
                tell.told.notify_one();
            }
        });
        let (file, last) = (file.to_owned(), stamp(file));
        Ok(Self { runtime, file, last, hints, busy, enough, _watched: watched })
    }

    /// Returns once it is another file; false: it is enough.
    pub(super) fn changed(&mut self) -> bool {
        let Self { runtime, file, last, hints, busy, enough, .. } = self;
        let changed = runtime.block_on(async {
            tokio::select! {
                () = enough.told.notified() => false,
                () = replaced(file, last, hints) => true,
            }
        });
        busy.0.store(true, Ordering::SeqCst);
        changed && !enough.came.load(Ordering::SeqCst)
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
        if now.is_none() && last.is_some() {
            // Tools that delete it first write it anew at once.
            tokio::time::sleep(SETTLE).await;
            if stamp(file).is_none() {
                *last = None;
                let shown = file.display();
                let _nobody_listens =
                    writeln!(io::stderr(), "hookbox: {shown} is gone; waiting for another");
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
