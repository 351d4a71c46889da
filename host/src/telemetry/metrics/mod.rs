//! What the server counts of itself: for Prometheus, and for whoever asks for
//! [`Stats`].
//!
//! Two locks, each held for well under a microsecond by what is counted: one for
//! requests, commits and what is common, one for plugins. Where both are needed,
//! one is left before the other is taken.
//!
//! Invariants:
//! - The number of series is bounded: by that of plugins and sources that are
//!   counted apart, and by codes that are in this program's text.
//! - No figure holds a body or a secret.

mod buckets;
mod encode;
mod intake;
mod plugins;
mod process;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookbox_core::effects::OutboundCall;
use hookbox_core::ids::{EventId, PluginName};

pub use self::encode::{CONTENT_TYPE, LaneGauges, ServerGauges};
use self::intake::Intake;
use self::plugins::Places;
use super::stats::{PluginStats, Stats};
use super::unix_ms;

/// What plugins and sources are counted by that have no place of their own. A
/// plugin of this name shares it.
const OTHER: &str = "other";

/// A request for a webhook, as it was answered.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// A new event.
    Accepted {
        /// The source's name.
        source: &'a str,
    },
    /// Known already.
    Duplicate {
        /// The source's name.
        source: &'a str,
    },
    /// Neither.
    Refused {
        /// The source's name; none: no such source is configured.
        source: Option<&'a str>,
        /// Why, as in the journal.
        code: &'static str,
    },
}

/// A call of a plugin that ended.
#[derive(Debug, Clone, Copy)]
pub struct CallEnded<'a> {
    /// The plugin.
    pub plugin: &'a PluginName,
    /// The event's id.
    pub event: EventId,
    /// `handled`, or the code of its failure.
    pub outcome: &'static str,
    /// Why it failed, where it did: bounded, without secrets.
    pub error: Option<&'a str>,
    /// How long it took.
    pub duration: Duration,
    /// The requests that it sent.
    pub requests: &'a [OutboundCall],
}

/// What became of a plugin's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reload {
    /// It was made live.
    Live,
    /// It was refused.
    Refused,
    /// It was deleted.
    Gone,
}

impl Reload {
    fn code(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    started_unix_ms: u64,
    // Each is touched by the threads that serve, the journal's and the reload
    // thread, for a few instructions.
    intake: Mutex<Intake>,
    plugins: Mutex<Places>,
    reloads: Mutex<[(Reload, u64); 3]>,
}

impl Metrics {
    /// With nothing counted. The server starts now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            started_unix_ms: unix_ms(),
            intake: Mutex::default(),
            plugins: Mutex::default(),
            reloads: Mutex::new([Reload::Live, Reload::Refused, Reload::Gone].map(|r| (r, 0))),
        })
    }

    /// Milliseconds since the start.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        locked(&self.intake)
    }

    fn plugins(&self) -> MutexGuard<'_, Places> {
        locked(&self.plugins)
    }

    /// A request was answered, so long after its head was read.
    pub fn request(&self, request: Request<'_>, elapsed: Duration) {
        let now_ms = self.now_ms();
        self.intake().request(now_ms, request, elapsed);
    }

    /// The journal committed so many changes in that time.
    pub fn commit(&self, commands: usize, elapsed: Duration) {
        let now_ms = self.now_ms();
        self.intake().commit(now_ms, commands, elapsed);
    }

    /// From now on so many deliveries are owed.
    pub fn owed(&self, owed: u64) {
        let now_ms = self.now_ms();
        self.intake().steps.pending(now_ms, owed);
    }

    /// A call of a plugin ended.
    pub fn call(&self, call: &CallEnded<'_>) {
        let now_ms = self.now_ms();
        self.plugins().call(now_ms, unix_ms(), call);
        self.intake().call(now_ms, call.error.is_none());
    }

    /// A delivery was given up.
    pub fn dead(&self) {
        self.intake().totals.dead += 1;
    }

    /// A plugin whose file did not change is live again.
    pub fn came(&self, plugin: &PluginName) {
        self.plugins().came(plugin);
    }

    /// Something became of a plugin's file.
    pub fn reload(&self, plugin: &PluginName, outcome: Reload) {
        match outcome {
            Reload::Gone => self.plugins().went(plugin),
            Reload::Live => self.plugins().came(plugin),
            // It takes no place from one that is called.
            Reload::Refused => {}
        }
        let mut reloads = locked(&self.reloads);
        if let Some((_, count)) = reloads.iter_mut().find(|(of, _)| *of == outcome) {
            *count += 1;
        }
    }

    /// The figures for the dashboard.
    pub fn stats(&self) -> Stats {
        let (now_ms, at_ms) = (self.now_ms(), unix_ms());
        let memory_bytes = process::resident_bytes();
        let mut intake = self.intake();
        Stats {
            at_ms,
            started_at_ms: self.started_unix_ms,
            totals: intake.totals,
            accept: intake.accept_recent.latency(now_ms),
            commit: intake.commit_recent.latency(now_ms),
            memory_bytes,
            series: intake.steps.series(now_ms, at_ms),
        }
    }

    /// The figures of one plugin. All zero where it was never called, or came
    /// when all places were taken.
    pub fn plugin_stats(&self, plugin: &PluginName) -> PluginStats {
        let now_ms = self.now_ms();
        self.plugins().stats(now_ms, plugin)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under a lock can leave it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
