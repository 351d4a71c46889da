//! Settings that change while the server runs: the configuration's live part,
//! secrets that come from files, certificate and key.
//!
//! Invariant: a new configuration takes effect whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::ids::Digest;
use rustls::ServerConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tracing::{error, info, warn};

use crate::config::{self, Config, Live};
use crate::files::Hints;
use crate::ingress::tls;
use crate::plugin::watch::Reloader;

/// What settings are put into when they change.
pub struct Targets {
    /// Sources and secrets.
    pub live: watch::Sender<Arc<Live>>,
    /// Certificate and key, where the server speaks TLS.
    pub tls: Option<watch::Sender<Arc<ServerConfig>>>,
    /// Settings of plugins.
    pub reloader: Arc<Reloader>,
}

/// Puts new settings in force when files change and on SIGHUP, for as long as
/// the server runs.
///
/// `path`: the configuration file, where there is one.
///
/// # Errors
/// Where the system does not give the signal.
pub async fn run(path: Option<PathBuf>, mut now: Config, targets: Targets) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let hint = Arc::new(Notify::new());
    let hinted = Arc::clone(&hint);
    let mut hints = Hints::new(move || hinted.notify_one());
    let mut watched: Vec<PathBuf> = Vec::new();
    let mut seen = Digest::of(&contents(path.as_deref(), &now.files));
    let rescan = Duration::from_millis(now.settings.reload.rescan_ms);
    let settle = Duration::from_millis(now.settings.reload.settle_ms);
    loop {
        watch_folders(&mut hints, &mut watched, path.as_deref(), &now.files);
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = hint.notified() => false,
            () = tokio::time::sleep(rescan) => false,
        };
        let digest = if asked {
            Digest::of(&contents(path.as_deref(), &now.files))
        } else {
            settled(path.as_deref(), &now.files, settle, seen).await
        };
        if digest == seen && !asked {
            continue;
        }
        seen = digest;
        match config::read(path.as_deref()) {
            Ok(new) => {
                targets.apply(&now, &new);
                // What is read once keeps the values it had at the start.
                let settings = now.settings;
                now = Config { settings, ..new };
                seen = Digest::of(&contents(path.as_deref(), &now.files));
            }
            Err(error) => {
                error!(%error, "the new configuration is refused; the old one stays in force")
            }
        }
    }
}

impl Targets {
    fn apply(&self, old: &Config, new: &Config) {
        let unread = old.settings.changed(&new.settings);
        if !unread.is_empty() {
            warn!(
                sections = unread.join(" "),
                "these sections changed, and take effect at the next start"
            );
        }
        let old_live = Arc::clone(&self.live.borrow());
        if old_live.sources != new.live.sources {
            let names: Vec<String> = new
                .live
                .sources
                .iter()
                .map(|(name, (_, secrets))| format!("{name} {secrets:?}"))
                .collect();
            info!(sources = names.join(", "), "sources and secrets are in force");
        }
        self.live.send_replace(Arc::new(new.live.clone()));
        if old_live.plugins != new.live.plugins {
            let reloader = Arc::clone(&self.reloader);
            let plugins = new.live.plugins.clone();
            // Waits while the reload thread is busy.
            tokio::task::spawn_blocking(move || reloader.reconfigure(plugins));
        }
        if let (Some(target), Some(files)) = (&self.tls, &old.settings.server.tls) {
            match tls::read(files) {
                Ok(config) => {
                    target.send_replace(config);
                    info!("certificate and key are in force");
                }
                Err(error) => {
                    error!(%error, "the new certificate or key is refused; the old ones stay in force")
                }
            }
        }
    }
}

/// The contents' digest once it has been the same for a while, if it is not the
/// one known already.
async fn settled(
    path: Option<&Path>,
    files: &[PathBuf],
    settle: Duration,
    known: Digest,
) -> Digest {
    let mut last = Digest::of(&contents(path, files));
    while last != known {
        tokio::time::sleep(settle).await;
        let next = Digest::of(&contents(path, files));
        if next == last {
            break;
        }
        last = next;
    }
    last
}

/// All that the configuration is read from, each part with its length or the
/// fact that it cannot be read.
fn contents(path: Option<&Path>, files: &[PathBuf]) -> Vec<u8> {
    let mut all = Vec::new();
    for file in path.into_iter().chain(files.iter().map(PathBuf::as_path)) {
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
fn watch_folders(
    hints: &mut Hints,
    watched: &mut Vec<PathBuf>,
    path: Option<&Path>,
    files: &[PathBuf],
) {
    let mut folders: Vec<PathBuf> = path
        .into_iter()
        .chain(files.iter().map(PathBuf::as_path))
        .flat_map(|file| [Some(file.to_owned()), file.canonicalize().ok()])
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
