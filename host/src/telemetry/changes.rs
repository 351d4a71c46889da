//! What changed: what runs, and by which settings. Whoever makes a change says
//! so here, and knows neither the journal that keeps it, nor who looks on.
//!
//! Invariants:
//! - Nobody waits: where those who note changes down are too slow, a change is
//!   logged as not noted. Figures and those who look on get it all the same.
//! - No change holds a secret.

use std::fmt;
use std::sync::Arc;

use hookbox_core::ids::{Digest, PluginName};
use tokio::sync::mpsc;
use tracing::warn;

use super::live::{Live, Notice};
use super::metrics::{Metrics, Reload};
use super::unix_ms;

/// Changes that may wait to be noted down: as many as a directory full of
/// plugins makes at the start, and some.
const WAITING_MAX: usize = 4_096;

/// Bytes of a text about a change.
const TEXT_BYTES_MAX: usize = 4_096;

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The server receives webhooks.
    Started {
        /// Where, such as `http://127.0.0.1:8080`.
        address: String,
        /// Plugins that are live.
        plugins: usize,
    },
    /// The server has ended, all but its journal.
    Ended {
        /// Deliveries that are owed.
        owed: u64,
    },
    /// A plugin is live.
    Live {
        /// Its name.
        plugin: PluginName,
        /// SHA-256 of its file.
        digest: Digest,
        /// The generation.
        generation: u64,
        /// SHA-256 of the code that it replaces.
        replaces: Option<Digest>,
        /// The version that it says it is.
        version: String,
    },
    /// A plugin's file was refused.
    Refused {
        /// The plugin's name.
        plugin: PluginName,
        /// SHA-256 of the file, where it was read.
        digest: Option<Digest>,
        /// Why: a stable code.
        code: &'static str,
        /// Why, and what to do.
        message: String,
    },
    /// A plugin's file was deleted.
    Gone {
        /// The plugin's name.
        plugin: PluginName,
        /// The generation.
        generation: u64,
    },
    /// A live plugin has lost a grant; its events wait.
    Waits {
        /// The plugin's name.
        plugin: PluginName,
        /// SHA-256 of its file.
        digest: Digest,
        /// The generation.
        generation: u64,
        /// What is missing, and what to do.
        message: String,
    },
    /// It has the grant again, and is live.
    Back {
        /// The plugin's name.
        plugin: PluginName,
        /// SHA-256 of its file.
        digest: Digest,
        /// The generation.
        generation: u64,
    },
    /// New settings are in force.
    Configured {
        /// Which.
        parts: String,
    },
    /// New settings were refused; the old ones stay in force.
    ConfigurationRefused {
        /// Why.
        error: String,
    },
}

impl What {
    /// The plugin that it concerns.
    pub fn plugin(&self) -> Option<&PluginName> {
        match self {
            Self::Live { plugin, .. }
            | Self::Refused { plugin, .. }
            | Self::Gone { plugin, .. }
            | Self::Waits { plugin, .. }
            | Self::Back { plugin, .. } => Some(plugin),
            _ => None,
        }
    }

    /// In words, bounded.
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { address, plugins } => write!(
                f,
                "hookbox {} receives webhooks at {address}; plugins that are live: {plugins}",
                env!("CARGO_PKG_VERSION")
            ),
            Self::Ended { owed } => write!(f, "ended; deliveries that are owed: {owed}"),
            Self::Live { digest, generation, replaces, version, .. } => {
                write!(f, "{} is live in generation {generation}", digest.short())?;
                if !version.is_empty() {
                    write!(f, ", version {version}")?;
                }
                match replaces {
                    Some(old) => write!(f, ", in place of {}", old.short()),
                    None => Ok(()),
                }
            }
            Self::Refused { digest, code, message, .. } => match digest {
                Some(digest) => write!(f, "{} is refused ({code}): {message}", digest.short()),
                None => write!(f, "refused ({code}): {message}"),
            },
            Self::Gone { generation, .. } => {
                write!(f, "its file was deleted; gone in generation {generation}")
            }
            Self::Waits { generation, message, .. } => write!(
                f,
                "a grant was taken back, so its events wait since generation {generation}: {message}"
            ),
            Self::Back { digest, generation, .. } => write!(
                f,
                "its grants are back: {} is live again in generation {generation}",
                digest.short()
            ),
            Self::Configured { parts } => write!(f, "in force: {parts}"),
            Self::ConfigurationRefused { error } => f.write_str(error),
        }
    }
}

/// Where changes are said. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Changes {
    live: Live,
    metrics: Arc<Metrics>,
    noted: mpsc::Sender<Change>,
}

/// Where changes come out that are to be noted down.
pub type Noting = mpsc::Receiver<Change>;

impl Changes {
    /// With where they come out. Where that is dropped, nothing is noted down.
    pub fn new(live: Live, metrics: Arc<Metrics>) -> (Self, Noting) {
        let (noted, noting) = mpsc::channel(WAITING_MAX);
        (Self { live, metrics, noted }, noting)
    }

    /// Something has changed, now.
    pub fn tell(&self, what: What) {
        let reload = match &what {
            What::Live { .. } => Some(Reload::Live),
            What::Refused { .. } => Some(Reload::Refused),
            What::Gone { .. } => Some(Reload::Gone),
            _ => None,
        };
        if let Some((reload, plugin)) = reload.zip(what.plugin()) {
            self.metrics.reload(plugin, reload);
        }
        if let What::Back { plugin, .. } = &what {
            self.metrics.came(plugin);
        }
        let change = Change { at_ms: unix_ms(), what };
        self.live.tell_some(|| notice(&change));
        if let Err(mpsc::error::TrySendError::Full(change)) = self.noted.try_send(change) {
            warn!(
                plugin = change.what.plugin().map(tracing::field::display),
                change = change.what.text(),
                "too many changes at once: this one is not noted in the journal"
            );
        }
    }
}

/// For those who look on; none where it concerns no plugin.
fn notice(change: &Change) -> Option<Notice> {
    let what = &change.what;
    let (name, digest, generation) = match what {
        What::Live { digest, generation, .. } | What::Back { digest, generation, .. } => {
            ("live", Some(*digest), Some(*generation))
        }
        What::Refused { digest, .. } => ("refused", *digest, None),
        What::Gone { generation, .. } => ("gone", None, Some(*generation)),
        What::Waits { digest, generation, .. } => ("waits", Some(*digest), Some(*generation)),
        What::Started { .. }
        | What::Ended { .. }
        | What::Configured { .. }
        | What::ConfigurationRefused { .. } => return None,
    };
    Some(Notice::Plugin {
        at_ms: change.at_ms,
        plugin: what.plugin()?.to_string(),
        change: name.to_owned(),
        digest: digest.map(|digest| digest.to_string()),
        generation,
        text: Some(what.text()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn refused(message: String) -> What {
        let plugin = "audit".parse().expect("a name");
        What::Refused { plugin, digest: None, code: "invalid", message }
    }

    #[test]
    fn a_change_is_counted_told_and_comes_out_to_be_noted() {
        let (live, metrics) = (Live::default(), Metrics::new());
        let mut looking = live.subscribe();
        let (changes, mut noting) = Changes::new(live, Arc::clone(&metrics));
        changes.tell(What::Configured { parts: "sources".to_owned() });
        changes.tell(refused("no component".to_owned()));
        // What concerns no plugin is for the journal alone.
        let Ok(Notice::Plugin { plugin, change, text, .. }) = looking.try_recv() else {
            unreachable!("it is the first notice")
        };
        assert_eq!((plugin.as_str(), change.as_str()), ("audit", "refused"));
        assert_eq!(text.as_deref(), Some("refused (invalid): no component"));
        assert_eq!(noting.try_recv().expect("the first").what.text(), "in force: sources");
        assert_eq!(noting.try_recv().expect("the second").what, refused("no component".to_owned()));
        let journal =
            super::super::metrics::ServerGauges { good: true, bytes: 0, files_refused: 0 };
        let text = metrics.encode(&[], journal);
        assert!(text.contains("hookbox_reloads_total{outcome=\"refused\"} 1"), "{text}");
    }

    #[test]
    fn a_plugin_that_is_back_is_no_reload() {
        let metrics = Metrics::new();
        let (changes, _noting) = Changes::new(Live::default(), Arc::clone(&metrics));
        let plugin = |name: &str| name.parse::<PluginName>().expect("a name");
        let digest = Digest::of(b"code");
        changes.tell(What::Gone { plugin: plugin("audit"), generation: 1 });
        changes.tell(What::Back { plugin: plugin("audit"), digest, generation: 2 });
        let journal =
            super::super::metrics::ServerGauges { good: true, bytes: 0, files_refused: 0 };
        let text = metrics.encode(&[], journal);
        assert!(text.contains("hookbox_reloads_total{outcome=\"live\"} 0"), "{text}");
        assert!(text.contains("hookbox_reloads_total{outcome=\"gone\"} 1"), "{text}");
    }

    #[test]
    fn nobody_waits_for_changes_to_be_noted_and_their_words_are_bounded() {
        let (changes, noting) = Changes::new(Live::default(), Metrics::new());
        for _ in 0..WAITING_MAX + 10 {
            changes.tell(refused("\u{e4}".repeat(10_000)));
        }
        assert_eq!(noting.len(), WAITING_MAX);
        drop(noting);
        changes.tell(refused(String::new()));
        // Cut where a character ends.
        let bytes = refused("\u{e4}".repeat(10_000)).text().len();
        assert!((TEXT_BYTES_MAX - 1..=TEXT_BYTES_MAX).contains(&bytes), "{bytes}");
    }
}
