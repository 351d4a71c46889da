//! Settings that change while the server runs: the configuration's live part,
//! secrets that come from files, certificate and key.
//!
//! Invariant: a new configuration takes effect whole or not at all, and so does
//! a new pair of certificate and key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::ids::Digest;
use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};
use tokio::task;
use tracing::{error, info, warn};

use crate::config::{self, Config, Live, Settings, Tls};
use crate::files::Hints;
use crate::ingress::tls;
use crate::notify::Supervisor;
use crate::plugin::watch::Reloader;
use crate::telemetry::changes::{Changes, What};
use crate::telemetry::{self, Level};

/// What settings are put into when they change.
pub struct Targets {
    /// Sources and secrets.
    pub live: watch::Sender<Arc<Live>>,
    /// Certificate and key, where the server speaks TLS.
    pub tls: Option<watch::Sender<Arc<ServerConfig>>>,
    /// Which log lines are written.
    pub level: Level,
    /// Settings of plugins.
    pub reloader: Arc<Reloader>,
    /// Told what is in force, and what was refused.
    pub changes: Changes,
    /// Who is told of what was asked for.
    pub supervisor: Arc<Supervisor>,
}

/// Puts new settings in force when files change and on `hangup`, for as long as
/// the server runs.
///
/// `path`: the configuration file, where there is one.
pub async fn run(path: Option<PathBuf>, mut now: Config, targets: Targets, mut hangup: Signal) {
    let hint = Arc::new(Notify::new());
    let hinted = Arc::clone(&hint);
    let mut hints = Hints::new(move || hinted.notify_one());
    let mut watched: Vec<PathBuf> = Vec::new();
    let rescan = Duration::from_millis(now.settings.reload.rescan_ms);
    let settle = Duration::from_millis(now.settings.reload.settle_ms);
    // What is read once keeps the values it had at the start.
    let settings = now.settings.clone();
    let pair = settings.server.tls();
    let pair_files: Vec<PathBuf> =
        pair.iter().flat_map(|pair| [pair.certificate.clone(), pair.key.clone()]).collect();
    let mut pair_seen = digest(&pair_files).await;
    let mut files = files_of(path.as_deref(), &now, &pair_files);
    let mut seen = digest(&files).await;
    // Whether it is read again though nothing was seen to change: at first,
    // since it was read before it was watched; when other files belong to it;
    // and while it is refused, since files that it names may come later.
    let mut again = true;
    let mut said: Option<String> = None;
    loop {
        watch_folders(&mut hints, &mut watched, &files);
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = hint.notified() => false,
            () = tokio::time::sleep(rescan) => false,
        };
        if asked {
            targets.supervisor.reloading().await;
        }
        let found = if asked { digest(&files).await } else { settled(&files, settle, seen).await };
        if found == seen && !asked && !again {
            continue;
        }
        let changed = found != seen;
        seen = found;
        match read(path.as_deref()) {
            Ok(new) => {
                targets.apply(&now, &new, &settings, asked).await;
                let named = files_of(path.as_deref(), &new, &pair_files);
                again = named != files;
                if again {
                    seen = digest(&named).await;
                }
                files = named;
                now = new;
                said = None;
            }
            Err(error) => {
                again = true;
                if asked || changed || said.as_ref() != Some(&error) {
                    error!(error, "the new configuration is refused; the old one stays in force");
                    targets.changes.tell(What::ConfigurationRefused { error: error.clone() });
                }
                said = Some(error);
            }
        }
        let pair_now = digest(&pair_files).await;
        if pair_now != pair_seen || asked {
            targets.apply_pair(pair.as_ref());
            pair_seen = pair_now;
        }
        if asked {
            let status = match &said {
                None => "the configuration was read again",
                Some(_) => "the new configuration is refused, the old one is in force: see the log",
            };
            targets.supervisor.reloaded(status).await;
        }
    }
}

/// The new configuration, or why it cannot be put in force.
fn read(path: Option<&Path>) -> Result<Config, String> {
    let new = config::read(path).map_err(|error| error.to_string())?;
    telemetry::check(&new.live.log).map_err(|error| error.to_string())?;
    Ok(new)
}

impl Targets {
    /// `settings`: those that the server was started with. `asked`: whether
    /// someone waits for an answer.
    async fn apply(&self, old: &Config, new: &Config, settings: &Settings, asked: bool) {
        let unread = settings.changed(&new.settings);
        if !unread.is_empty() && (asked || old.settings != new.settings) {
            warn!(
                sections = unread.join(" "),
                "these sections differ from those in force, and take effect at the next start"
            );
        }
        self.live.send_replace(Arc::new(new.live.clone()));
        if old.live.sources != new.live.sources {
            let sources = new.live.sources.iter();
            let sources: Vec<String> =
                sources.map(|(name, source)| format!("{name} {:?}", source.secrets)).collect();
            let sources = sources.join(", ");
            info!(sources, "sources and secrets are in force");
            let parts = format!("sources and the names of their secrets: {sources}");
            self.changes.tell(What::Configured { parts });
        }
        // One that an operator set otherwise holds until the configuration's changes.
        if old.live.log.level != new.live.log.level {
            match self.level.set(&new.live.log.level) {
                Ok(()) => info!(level = new.live.log.level, "the log level is in force"),
                Err(error) => error!(%error, "the log level stays as it was"),
            }
        }
        if asked || old.live.plugins != new.live.plugins {
            let reloader = Arc::clone(&self.reloader);
            let plugins = new.live.plugins.clone();
            // Waits while the reload thread is busy; in order.
            let _ending = task::spawn_blocking(move || reloader.reconfigure(plugins)).await;
            if old.live.plugins != new.live.plugins {
                self.changes.tell(What::Configured { parts: "settings of plugins".to_owned() });
            }
        }
        if asked && old.live == new.live && unread.is_empty() {
            info!("the configuration was read again and says the same");
        }
    }

    /// Certificate and key are changed apart from the configuration: they come
    /// from files of their own, which others write.
    fn apply_pair(&self, pair: Option<&Tls>) {
        let Some((target, files)) = self.tls.as_ref().zip(pair) else { return };
        match tls::read(files) {
            Ok(config) => {
                target.send_replace(config);
                info!("certificate and key are in force");
                self.changes.tell(What::Configured { parts: "certificate and key".to_owned() });
            }
            Err(error) => {
                error!(%error, "the new certificate or key is refused; the old ones stay in force");
                let error = format!("certificate or key: {error}");
                self.changes.tell(What::ConfigurationRefused { error });
            }
        }
    }
}

/// All files that settings come from.
fn files_of(path: Option<&Path>, config: &Config, pair: &[PathBuf]) -> Vec<PathBuf> {
    let own = path.map(Path::to_owned).into_iter();
    own.chain(config.files.iter().cloned()).chain(pair.iter().cloned()).collect()
}

/// The contents' digest once it has been the same for a while, if it is not the
/// one known already.
async fn settled(files: &[PathBuf], settle: Duration, known: Digest) -> Digest {
    let mut last = digest(files).await;
    while last != known {
        tokio::time::sleep(settle).await;
        let next = digest(files).await;
        if next == last {
            break;
        }
        last = next;
    }
    last
}

/// The contents' digest. Read on a thread that may wait: a file system can hang.
async fn digest(files: &[PathBuf]) -> Digest {
    let files = files.to_owned();
    let read = task::spawn_blocking(move || Digest::of(&contents(&files)));
    read.await.unwrap_or_else(|_| Digest::of(b""))
}

/// Each file with its length, or the fact that it cannot be read.
fn contents(files: &[PathBuf]) -> Vec<u8> {
    let mut all = Vec::new();
    for file in files {
        match std::fs::read(file) {
            Ok(bytes) => {
                all.extend_from_slice(&bytes.len().to_le_bytes());
                all.extend_from_slice(&bytes);
            }
            Err(error) => all.extend_from_slice(error.kind().to_string().as_bytes()),
        }
    }
    all
}

/// Folders of all files, and of what links among them lead to.
fn watch_folders(hints: &mut Hints, watched: &mut Vec<PathBuf>, files: &[PathBuf]) {
    let mut folders: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| [Some(file.clone()), file.canonicalize().ok()])
        .flatten()
        .filter_map(|file| match file.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Some(PathBuf::from(".")),
            folder => folder.map(Path::to_owned),
        })
        .collect();
    folders.sort();
    folders.dedup();
    if folders == *watched {
        return;
    }
    for folder in &*watched {
        hints.unwatch(folder);
    }
    for folder in &folders {
        hints.watch(folder);
    }
    *watched = folders;
}
