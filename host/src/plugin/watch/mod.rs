//! Hot reload: keeps what is live in line with the plugins directory.
//!
//! One thread looks at the directory, soon after a hint that something changed
//! and at intervals without one. What it does about a file is decided by the
//! file's content (its digest), never by what kind of event was seen.
//!
//! Invariants:
//! - A file is taken only when nothing about it has changed for `settle_ms`,
//!   and still agrees with that after it was read.
//! - A file that is refused leaves what is live under its name as it is.
//! - A plugin ends only when its file has been gone for `delete_grace_ms`; a
//!   directory that cannot be read ends none.

mod directory;
mod judge;
mod tracked;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hookbox_core::ids::{Digest, PluginName};
use tokio::sync::oneshot;
use tracing::{debug, error, warn};

use self::directory::Directory;
use self::judge::Judged;
use self::tracked::{Next, Tracked};
use self::verdicts::Verdicts;

use super::compile;
use super::load::Loader;
use super::registry::Registry;
use super::scan::{self, Stamp};
use super::verdict::{LastVerdict, Refused};
use crate::config::{Plugins, Reload};
use crate::files::Hints;
use crate::telemetry::changes::{Changes, What};

/// Messages that may wait for the thread. A hint that finds no room is dropped:
/// those that are there already make it look.
const MESSAGES_MAX: usize = 64;

/// Looks follow each other no closer than this, however many hints there are.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Files that keep changing hold up the start no longer than this.
const START_PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Hint,
    Settings(Box<Plugins>),
    Judged(Box<Judged>),
    Stop,
}

/// The reload thread, from outside.
pub struct Reloader {
    messages: SyncSender<Message>,
    verdicts: Verdicts,
}

impl Reloader {
    /// Starts the thread. The receiver is told when each plugin that was there
    /// at the start has its verdict, or that the directory cannot be read.
    ///
    /// `changes`: told of each file that is refused.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(
        directory: PathBuf,
        limits: Reload,
        plugins: Plugins,
        loader: Loader,
        registry: Registry,
        changes: Changes,
    ) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let (messages, inbox) = sync_channel(MESSAGES_MAX);
        let (ready, started) = oneshot::channel();
        let hints = messages.clone();
        let hints = Hints::new(move || {
            let _enough_wait_already = hints.try_send(Message::Hint);
        });
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Where their files are missing, they were deleted while nothing ran.
        let tracked =
            registry.unloadable().into_iter().map(|name| (name, Tracked::default())).collect();
        let verdicts = Verdicts::default();
        let thread = Thread {
            directory: Directory::new(directory, hints),
            limits,
            plugins,
            loader: Arc::new(loader),
            registry,
            changes,
            verdicts: verdicts.clone(),
            sender: messages.clone(),
            tracked,
            jobs: VecDeque::new(),
            running: 0,
            running_max: cores,
            started: Instant::now(),
            ready: Some(ready),
        };
        std::thread::Builder::new().name("reload".to_owned()).spawn(move || thread.run(&inbox))?;
        Ok((Self { messages, verdicts }, started))
    }

    /// What was last said of each file that is there.
    pub fn verdicts(&self) -> BTreeMap<PluginName, LastVerdict> {
        self.verdicts.all()
    }

    /// Puts new settings of plugins in force.
    pub fn reconfigure(&self, plugins: Plugins) {
        // Only fails when the thread has ended, and then nothing is live.
        let _ended = self.messages.send(Message::Settings(Box::new(plugins)));
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        let _ended = self.messages.send(Message::Stop);
    }
}

struct Thread {
    directory: Directory,
    limits: Reload,
    plugins: Plugins,
    loader: Arc<Loader>,
    registry: Registry,
    changes: Changes,
    verdicts: Verdicts,
    sender: SyncSender<Message>,
    tracked: BTreeMap<PluginName, Tracked>,
    /// Files that wait to be loaded.
    jobs: VecDeque<(PluginName, Digest, Vec<u8>)>,
    running: usize,
    running_max: usize,
    started: Instant,
    ready: Option<oneshot::Sender<()>>,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<Message>) {
        let rescan = Duration::from_millis(self.limits.rescan_ms);
        loop {
            let wake = self.look();
            self.tell_ready();
            let looked = Instant::now();
            let mut next = looked + wake.map_or(rescan, |wake| wake.max(LOOK_PAUSE).min(rescan));
            // Messages that come close together are one reason to look; however
            // many come, they never put it off.
            loop {
                match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Message::Hint) => next = next.min(looked + LOOK_PAUSE),
                    Ok(Message::Settings(plugins)) => {
                        self.reconfigure(*plugins);
                        next = looked;
                    }
                    Ok(Message::Judged(judged)) => {
                        self.take(*judged);
                        next = looked;
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                }
                if Instant::now() >= next {
                    break;
                }
            }
        }
    }

    /// Looks once. Returns when something that is under way wants the next look.
    fn look(&mut self) -> Option<Duration> {
        let plugins = self.directory.look(self.limits.file_bytes_max)?;
        let mut wake: Option<Duration> = None;
        let mut soon =
            |after: Duration| wake = Some(wake.map_or(after, |w: Duration| w.min(after)));
        let names: BTreeSet<PluginName> =
            plugins.keys().chain(self.tracked.keys()).cloned().collect();
        for name in names {
            match plugins.get(&name) {
                Some(Ok((path, stamp))) => {
                    if let Some(after) = self.found(&name, path, *stamp) {
                        soon(after);
                    }
                }
                Some(Err(refused)) => self.found_unusable(&name, refused.clone()),
                None => {
                    if let Some(after) = self.missing(&name) {
                        soon(after);
                    }
                }
            }
        }
        self.start_jobs();
        wake
    }

    /// A file that could be taken. Returns when it wants the next look.
    fn found(&mut self, name: &PluginName, path: &Path, stamp: Stamp) -> Option<Duration> {
        let settle = Duration::from_millis(self.limits.settle_ms);
        let tracked = self.tracked.entry(name.clone()).or_default();
        match tracked.found(stamp, settle, Instant::now()) {
            Next::Rest => return None,
            Next::Look(after) => return Some(after),
            Next::Read => {}
        }
        let trusted = stamp.untrusted_for().is_none();
        match scan::read(path, stamp) {
            Ok(Some(bytes)) => {
                let digest = Digest::of(&bytes);
                if tracked.read(stamp, trusted, digest) {
                    self.jobs.push_back((name.clone(), digest, bytes));
                }
                stamp.untrusted_for()
            }
            Ok(None) => {
                tracked.changed_while_read();
                Some(settle)
            }
            Err(error) => {
                let refused = Refused::new("unreadable", format!("cannot be read: {error}"));
                self.found_unusable(name, refused);
                Some(settle)
            }
        }
    }

    /// A file that cannot be taken as it is.
    fn found_unusable(&mut self, name: &PluginName, refused: Refused) {
        self.tracked.entry(name.clone()).or_default().unusable();
        self.refuse(name, None, &refused);
    }

    /// A plugin whose file is not there. Returns when it wants the next look.
    fn missing(&mut self, name: &PluginName) -> Option<Duration> {
        let grace = Duration::from_millis(self.limits.delete_grace_ms);
        let tracked = self.tracked.get_mut(name)?;
        let left = tracked.missing(grace, Instant::now());
        if left.is_some() || tracked.is_loading() {
            return left;
        }
        self.tracked.remove(name);
        self.verdicts.forget(name);
        self.registry.remove(name);
        None
    }

    fn start_jobs(&mut self) {
        while self.running < self.running_max
            && let Some((name, digest, bytes)) = self.jobs.pop_front()
        {
            let job_name = name.clone();
            let job = judge::Job {
                settings: self.plugins.of(&name).clone(),
                loader: Arc::clone(&self.loader),
                name,
                digest,
                bytes,
            };
            let sender = self.sender.clone();
            let begun = job.begin(move |judged| {
                let _ending = sender.send(Message::Judged(Box::new(judged)));
            });
            match begun {
                Ok(()) => self.running += 1,
                Err(error) => {
                    error!(plugin = %job_name, %error, "no thread to load the plugin with; it is tried again");
                    let tracked = self.tracked.entry(job_name).or_default();
                    tracked.loaded();
                    tracked.wait_out(Instant::now());
                    return;
                }
            }
        }
    }

    fn take(&mut self, judged: Judged) {
        self.running -= 1;
        let Judged { name, digest, verdict, settings, took } = judged;
        let tracked = self.tracked.entry(name.clone()).or_default();
        tracked.loaded();
        // Grants may have changed while it was loaded.
        let now = self.plugins.of(&name);
        let verdict = verdict.and_then(|code| {
            let missing = now.grants.missing(&code.description.wants);
            if missing.is_empty() {
                Ok(code)
            } else {
                Err(Refused::not_granted(&name, &now.grants, &missing))
            }
        });
        match verdict {
            Ok(code) => {
                tracked.accepted();
                self.verdicts.note(&name, Some(digest), None);
                self.registry.insert(&name, code, self.plugins.of(&name));
                let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                debug!(plugin = %name, took_ms, "plugin was loaded");
            }
            Err(refused) => {
                if refused.code == compile::FAILED {
                    tracked.wait_out(Instant::now());
                } else if *self.plugins.of(&name) != settings {
                    tracked.forget_verdict();
                }
                self.refuse(&name, Some(digest), &refused);
            }
        }
    }

    /// Says why a file is refused, once for each reason.
    fn refuse(&mut self, name: &PluginName, digest: Option<Digest>, refused: &Refused) {
        if !self.tracked.entry(name.clone()).or_default().refused(refused, digest) {
            return;
        }
        let now = if self.registry.has(name) {
            "the code that was live goes on"
        } else if self.registry.unloadable().contains(name) {
            "nothing is live under this name; events for it wait until a file loads"
        } else {
            "nothing is live under this name"
        };
        error!(
            plugin = %name, digest = digest.map(|digest| digest.short()), code = refused.code,
            error = refused.message, fix = refused.fix_lines(), "plugin refused; {now}"
        );
        self.verdicts.note(name, digest, Some(refused));
        self.changes.tell(What::Refused {
            plugin: name.clone(),
            digest,
            code: refused.code,
            message: format!("{}; {now}", refused.message),
        });
    }

    /// New settings may let in what was refused.
    fn reconfigure(&mut self, plugins: Plugins) {
        self.plugins = plugins;
        for moved in self.registry.reconfigure(&self.plugins) {
            self.verdicts.moved(&moved);
        }
        self.tracked.values_mut().for_each(Tracked::reconsider);
        self.note_unused_sections();
    }

    /// A section for a plugin that is not there is most likely a misspelling.
    fn note_unused_sections(&self) {
        for name in self.plugins.names().filter(|name| !self.tracked.contains_key(*name)) {
            warn!(section = %format!("plugin.{name}"), "there is no plugin of this name, so its settings have no effect");
        }
    }

    fn tell_ready(&mut self) {
        let busy = self.running > 0 || !self.jobs.is_empty();
        let settling = self.started.elapsed() < START_PATIENCE
            && self.tracked.values().any(Tracked::is_settling);
        if busy || settling {
            return;
        }
        if let Some(ready) = self.ready.take() {
            // Else it is dropped, which says that no plugin can be had.
            if self.directory.is_readable() {
                let _nobody_waits = ready.send(());
            }
            self.note_unused_sections();
        }
    }
}
