//! Keeps changes in the journal, and tells those who look on whether it can be
//! written. The one place that notes changes by itself: what operators do, the
//! journal notes with the doing.
//!
//! A change that cannot be written is in the log, and that is all: nothing waits
//! for it, and it is not tried again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::warn;

use crate::store::records::{ChangeKind, NewChange, Operation};
use crate::store::sqlite::SqliteStore;
use crate::store::{Health, Store as _};
use crate::telemetry::changes::{Change, Changes, Noting, What};
use crate::telemetry::live::{Live, Notice};
use crate::telemetry::unix_ms;

/// The end of the server is noted within that time, or not.
const END_MAX: Duration = Duration::from_secs(5);

/// What is under way.
pub(super) struct Keeping {
    changes: Changes,
    noting: JoinHandle<()>,
    telling: JoinHandle<()>,
}

impl Keeping {
    /// Begins.
    pub(super) fn begin(
        changes: Changes,
        noting: Noting,
        live: Live,
        store: &Arc<SqliteStore>,
    ) -> Self {
        Self {
            changes,
            noting: tokio::spawn(note_all(noting, Arc::clone(store))),
            telling: tokio::spawn(tell_health(Arc::clone(store), live)),
        }
    }

    /// Notes that the server has ended, and whatever waits before that.
    pub(super) async fn end(self, owed: u64) {
        self.telling.abort();
        self.changes.tell(What::Ended { owed });
        if tokio::time::timeout(END_MAX, self.noting).await.is_err() {
            warn!("not all changes could be noted in the journal");
        }
    }
}

/// One after another, in order, to the server's end.
async fn note_all(mut noting: Noting, store: Arc<SqliteStore>) {
    while let Some(change) = noting.recv().await {
        let last = matches!(change.what, What::Ended { .. });
        let change = record(change);
        let (kind, plugin) = (change.kind.code(), change.plugin.clone());
        if let Err(error) = store.operate(Operation::Note { change }).await {
            warn!(kind, plugin, error = error.message, "a change is not noted in the journal");
        }
        if last {
            return;
        }
    }
}

/// As the journal keeps it.
fn record(change: Change) -> NewChange {
    let (digest, kind) = match &change.what {
        What::Started { .. } => (None, ChangeKind::ServerStarted),
        What::Ended { .. } => (None, ChangeKind::ServerEnded),
        What::Live { digest, .. } | What::Back { digest, .. } => {
            (Some(*digest), ChangeKind::PluginLive)
        }
        What::Refused { digest, .. } => (*digest, ChangeKind::PluginRefused),
        What::Gone { .. } => (None, ChangeKind::PluginGone),
        What::Waits { digest, .. } => (Some(*digest), ChangeKind::PluginWaits),
        What::Configured { .. } => (None, ChangeKind::Configured),
        What::ConfigurationRefused { .. } => (None, ChangeKind::ConfigurationRefused),
    };
    NewChange {
        at_ms: change.at_ms,
        kind,
        plugin: change.what.plugin().map(ToString::to_string),
        subject: digest.map(|digest| digest.to_string()),
        actor: None,
        text: change.what.text(),
    }
}

/// Tells when the journal fails, and when it can be written again.
async fn tell_health(store: Arc<SqliteStore>, live: Live) {
    let mut health = store.health();
    while health.changed().await.is_ok() {
        let now = health.borrow_and_update().clone();
        live.tell(|| match now {
            Health::Good => Notice::Journal { at_ms: unix_ms(), good: true, error: None },
            Health::Failing { since_ms, error } => {
                Notice::Journal { at_ms: since_ms, good: false, error: Some(error) }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use hookbox_core::ids::Digest;

    use super::*;

    #[test]
    fn a_change_of_a_plugin_is_kept_with_its_name_its_digest_and_in_words() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let what = What::Live {
            plugin: "audit".parse().expect("a name"),
            digest: new,
            generation: 4,
            replaces: Some(old),
            version: "1.2".to_owned(),
        };
        let kept = record(Change { at_ms: 7, what });
        assert_eq!(kept.kind, ChangeKind::PluginLive);
        assert_eq!((kept.at_ms, kept.plugin.as_deref()), (7, Some("audit")));
        assert_eq!(kept.subject, Some(new.to_string()));
        assert_eq!(kept.actor, None);
        let expected = format!(
            "{} is live in generation 4, version 1.2, in place of {}",
            new.short(),
            old.short()
        );
        assert_eq!(kept.text, expected);
    }
}
