//! What the server counts of itself since it started, as the dashboard and
//! `hookbox status` show it. Recorded by [`super::metrics`]; how it is kept over
//! time is in `rolling` (quantiles, rates) and `series`.

mod rolling;
mod series;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) use self::rolling::{Rate, Rolling};
pub(super) use self::series::{Counted, Steps};

/// The whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// When this was counted: milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// When the server started: milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Since the start.
    pub totals: Totals,
    /// From a request's head to its answer, of accepted ones in the last five minutes,
    /// those that were known already among them.
    pub accept: Latency,
    /// Of commits in the last five minutes.
    pub commit: Latency,
    /// Bytes of memory that the process has.
    pub memory_bytes: u64,
    /// The last half hour.
    pub series: Series,
}

/// Counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Requests for webhooks.
    pub received: u64,
    /// Of these: new events.
    pub accepted: u64,
    /// Of these: known already.
    pub duplicate: u64,
    /// Of these: refused, for whatever reason.
    pub refused: u64,
    /// Calls of plugins that handled their event.
    pub handled: u64,
    /// Calls of plugins that did not.
    pub failed: u64,
    /// Deliveries that were given up.
    pub dead: u64,
}

/// Microseconds. Zero where nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half were faster.
    pub p50_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
}

/// Counts for each step of time, oldest first, all of the same length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// Length of a step, in milliseconds.
    pub step_ms: u64,
    /// End of the last step: milliseconds since the Unix epoch. It is not over yet.
    pub end_ms: u64,
    /// Requests accepted, or known already.
    pub received: Vec<u64>,
    /// Requests refused.
    pub refused: Vec<u64>,
    /// Calls that handled their event.
    pub handled: Vec<u64>,
    /// Calls that failed.
    pub failed: Vec<u64>,
    /// Deliveries owed at the end of the step.
    pub pending: Vec<u64>,
}

/// Of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginStats {
    /// Calls a second, over the last minute.
    pub rate_per_s: f64,
    /// Of calls in the last five minutes.
    pub calls: Latency,
    /// Calls since the start by outcome, as in the journal: `handled`, `trap` and so on.
    pub outcomes: BTreeMap<String, u64>,
    /// The last call that failed.
    pub last_failure: Option<LastFailure>,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastFailure {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The event's id.
    pub event: String,
    /// As in the journal.
    pub outcome: String,
    /// Why.
    pub error: String,
}
