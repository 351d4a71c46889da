//! What the API says of the server and its plugins. What is in the journal is in
//! [`crate::store::records`], what is counted in [`crate::telemetry::stats`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::telemetry::stats::{PluginStats, Stats};

/// A plugin, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginView {
    /// Its name: that of its file.
    pub name: String,
    /// What becomes of its events now.
    pub state: PluginState,
    /// Why it is not live, and what to do, where that can be said.
    pub reason: Option<String>,
    /// SHA-256 of the code that is live, or was last.
    pub digest: Option<String>,
    /// The generation in which that code became live.
    pub generation: Option<u64>,
    /// When it became live: milliseconds since the Unix epoch.
    pub live_since_ms: Option<u64>,
    /// What it says it is called, and its version.
    pub title: Option<String>,
    /// The version that it says it is.
    pub version: Option<String>,
    /// The events that it gets; none means all.
    pub events: Vec<String>,
    /// The sources that it gets them from; none means all.
    pub sources: Vec<String>,
    /// What it cannot do without, in words.
    pub wants: Vec<String>,
    /// What the operator granted it, in words.
    pub granted: Vec<String>,
    /// What was last said of its file. It can be a newer file than the code that
    /// is live, where that was refused.
    pub verdict: Option<VerdictView>,
    /// Deliveries that it is owed.
    pub owed: u64,
    /// When the oldest of these arrived: milliseconds since the Unix epoch.
    pub oldest_owed_at_ms: Option<u64>,
    /// Calls that run now.
    pub running: u64,
    /// Its dead letters that were not discarded.
    pub dead: u64,
    /// Paused by an operator since then: milliseconds since the Unix epoch.
    pub paused_at_ms: Option<u64>,
    /// Its breaker is open until then, at least: milliseconds since the Unix epoch.
    pub breaker_until_ms: Option<u64>,
    /// What was counted of its calls.
    pub stats: PluginStats,
}

/// What becomes of a plugin's events now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// It gets them.
    Live,
    /// They wait: an operator paused it.
    Paused,
    /// They wait: it failed too often in a row.
    BreakerOpen,
    /// They wait: its file is there and cannot be made live.
    Unloadable,
    /// It gets none: its file was refused, and it was never live.
    Refused,
    /// It gets none: its file was deleted. What it was owed waits.
    Gone,
}

/// What was said of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictView {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whether it was made live.
    pub accepted: bool,
    /// SHA-256 of the file, where it was read.
    pub digest: Option<String>,
    /// Where it was refused: a stable code.
    pub code: Option<String>,
    /// Where it was refused: what is wrong, and what to do.
    pub message: Option<String>,
    /// Lines of the configuration that would mend it, where such can.
    pub fix: Vec<String>,
}

/// The server in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// Version of hookbox.
    pub version: String,
    /// Where webhooks are received, such as `http://127.0.0.1:8080`.
    pub address: String,
    /// The parts that must work for webhooks to be accepted.
    pub parts: Vec<PartView>,
    /// The names of the sources.
    pub sources: Vec<String>,
    /// The filter of log lines that is in force.
    pub log_level: String,
    /// The generation of plugins that is live.
    pub generation: u64,
    /// Deliveries that are owed, over all plugins.
    pub owed: u64,
    /// Dead letters that were not discarded, over all plugins.
    pub dead: u64,
    /// Bytes of the journal's file.
    pub journal_bytes: u64,
    /// What was counted.
    pub stats: Stats,
}

/// A part that must work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// `journal`, `plugins`, `listener`, `room`.
    pub name: String,
    /// Whether it works.
    pub good: bool,
    /// Where not: why, and since when.
    pub error: Option<String>,
}
