//! Where the operators' view of the server gets what others count and judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::ids::PluginName;

use super::intake::unix_ms;
use crate::admin::views::VerdictView;
use crate::config::Settings;
use crate::plugin::watch::Reloader;
use crate::store::LaneStatus;
use crate::store::records::RequestError;
use crate::telemetry::stats::{PluginStats, Stats};

/// See the module's text.
pub(super) struct Sources {
    started_at_ms: u64,
    log_level: String,
}

impl Sources {
    /// Of a server that starts now.
    pub(super) fn new(settings: &Settings, _reloader: &Arc<Reloader>) -> Self {
        Self { started_at_ms: unix_ms(), log_level: settings.log.level.clone() }
    }

    /// What was counted.
    pub(super) fn stats(&self) -> Stats {
        Stats { at_ms: unix_ms(), started_at_ms: self.started_at_ms, ..Stats::default() }
    }

    /// What was counted of a plugin.
    pub(super) fn plugin_stats(&self, _plugin: &PluginName) -> PluginStats {
        PluginStats::default()
    }

    /// All metrics, in the text format of Prometheus.
    pub(super) fn metrics(&self, _lanes: &[LaneStatus]) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!("# TYPE hookbox_build_info gauge\nhookbox_build_info{{version=\"{version}\"}} 1\n")
    }

    /// What was last said of each file.
    pub(super) fn verdicts(&self) -> BTreeMap<PluginName, VerdictView> {
        BTreeMap::new()
    }

    /// The filter of log lines that is in force.
    pub(super) fn log_level(&self) -> String {
        self.log_level.clone()
    }

    /// Puts another one in force.
    ///
    /// # Errors
    /// Where it cannot be understood.
    pub(super) fn set_log_level(&self, _level: &str) -> Result<(), RequestError> {
        Err(RequestError::unavailable("not built yet"))
    }
}
