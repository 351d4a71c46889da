//! What happens, as it happens, for whoever looks on: the dashboard and
//! `hookbox tail`. Nothing is kept, and nobody is waited for: who reads too
//! slowly misses some, and is told how many.
//!
//! Invariant: no notice holds a secret or a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

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
pub struct Live {
    notices: broadcast::Sender<Notice>,
    often: Arc<Often>,
}

/// What is told of often in this second.
#[derive(Debug)]
struct Often {
    start: Instant,
    /// The second since the start, and how many were told in it.
    told: AtomicU64,
    left_out: AtomicU64,
}

impl Default for Live {
    fn default() -> Self {
        let (told, left_out) = (AtomicU64::new(0), AtomicU64::new(0));
        let often = Arc::new(Often { start: Instant::now(), told, left_out });
        Self { notices: broadcast::Sender::new(BEHIND_MAX), often }
    }
}

impl Live {
    /// Tells everyone who looks on. `notice` is made only where someone does.
    pub fn tell(&self, notice: impl FnOnce() -> Notice) {
        if self.notices.receiver_count() > 0 {
            let _all_left = self.notices.send(notice());
        }
    }

    /// The same where there may be nothing to tell.
    pub fn tell_some(&self, notice: impl FnOnce() -> Option<Notice>) {
        if self.notices.receiver_count() > 0
            && let Some(notice) = notice()
        {
            let _all_left = self.notices.send(notice);
        }
    }

    /// The same for what may happen many thousand times a second: past
    /// [`Live::OFTEN_PER_S_MAX`] in one it is counted as left out.
    pub fn tell_often(&self, notice: impl FnOnce() -> Notice) {
        if self.notices.receiver_count() == 0 {
            return;
        }
        match self.often.admits(self.often.start.elapsed().as_secs()) {
            true => self.tell(notice),
            false => {
                self.often.left_out.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Notices of what happens often that are told in a second. Nobody can read
    /// more, and to make and send them all would cost whoever accepts webhooks.
    pub const OFTEN_PER_S_MAX: u64 = 200;

    /// How many were left out since the start, while somebody looked on.
    pub fn left_out(&self) -> u64 {
        self.often.left_out.load(Ordering::Relaxed)
    }

    /// Everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}

impl Often {
    /// Whether this second has room for one more.
    fn admits(&self, second: u64) -> bool {
        let next = |told: u64| match (told >> 32 == second, told & u64::from(u32::MAX)) {
            (false, _) => Some(second << 32 | 1),
            (true, count) if count < Live::OFTEN_PER_S_MAX => Some(told + 1),
            (true, _) => None,
        };
        self.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_too_often_in_a_second_is_left_out_and_counted() {
        let live = Live::default();
        let notice = || Notice::Journal { at_ms: 1, good: true, error: None };
        live.tell_often(notice);
        assert_eq!(live.left_out(), 0, "nobody looks on");
        let (mut second, mut admitted) = (7, 0);
        for _ in 0..1_000 {
            admitted += u64::from(live.often.admits(second));
        }
        assert_eq!(admitted, Live::OFTEN_PER_S_MAX);
        second += 1;
        assert!(live.often.admits(second));
        let receiver = live.subscribe();
        for _ in 0..3 * Live::OFTEN_PER_S_MAX {
            live.tell_often(notice);
        }
        assert!(live.left_out() > 0);
        assert!(receiver.len() as u64 + live.left_out() == 3 * Live::OFTEN_PER_S_MAX);
    }
}
