//! What happens, as it happens, for whoever looks on: the dashboard and
//! `hookbox tail`. Nothing is kept, and nobody is waited for: who reads too
//! slowly misses some, and is told how many.
//!
//! Invariant: no notice holds a secret or a body.

use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// Notices that a slow reader can be behind by.
const BEHIND_MAX: usize = 1_024;

/// Something that happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "times are milliseconds since the Unix epoch; the rest is as in the journal"
)]
pub enum Notice {
    /// An event was accepted, or known already.
    Received {
        at_ms: u64,
        event: String,
        name: String,
        source: String,
        /// The plugins that get it.
        plugins: usize,
        duplicate: bool,
    },
    /// A request was refused.
    Refused { at_ms: u64, peer: String, source: String, status: u16, code: String },
    /// A call of a plugin ended.
    Attempt {
        at_ms: u64,
        event: String,
        name: String,
        delivery: String,
        plugin: String,
        attempt: u32,
        /// As in the journal: `handled`, `trap` and so on.
        outcome: String,
        duration_us: u64,
        error: Option<String>,
        /// What the plugin logged, the first of it.
        log: Option<String>,
    },
    /// A delivery was given up.
    Dead { at_ms: u64, event: String, delivery: String, plugin: String, reason: String },
    /// A plugin changed: `live`, `refused`, `gone`, `waits`, `paused`, `resumed`,
    /// `breaker-open`, `breaker-closed`.
    Plugin {
        at_ms: u64,
        plugin: String,
        change: String,
        digest: Option<String>,
        generation: Option<u64>,
        text: Option<String>,
    },
    /// The journal can be written or cannot.
    Journal { at_ms: u64, good: bool, error: Option<String> },
    /// An operator did something; `change` as in the journal's changes.
    Operator { at_ms: u64, actor: String, change: String, text: String },
}

/// Where notices go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live(broadcast::Sender<Notice>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND_MAX))
    }
}

impl Live {
    /// Tells everyone who looks on. `notice` is made only where someone does.
    pub fn tell(&self, notice: impl FnOnce() -> Notice) {
        if self.0.receiver_count() > 0 {
            let _all_left = self.0.send(notice());
        }
    }

    /// The same, where there may be nothing to tell.
    pub fn tell_some(&self, notice: impl FnOnce() -> Option<Notice>) {
        if self.0.receiver_count() > 0
            && let Some(notice) = notice()
        {
            let _all_left = self.0.send(notice);
        }
    }

    /// Everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }
}
