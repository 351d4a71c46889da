//! Where the operators' view of the server gets what others count and judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::ids::PluginName;

use super::witness::{self, Witness};
use crate::admin::views::VerdictView;
use crate::plugin::verdict::LastVerdict;
use crate::plugin::watch::Reloader;
use crate::store::LaneStatus;
use crate::store::records::RequestError;
use crate::telemetry::Level;
use crate::telemetry::live::Live;
use crate::telemetry::stats::{PluginStats, Stats};

/// See the module's text.
pub(super) struct Sources {
    pub(super) witness: Witness,
    pub(super) level: Level,
    pub(super) reloader: Arc<Reloader>,
}

impl Sources {
    /// What was counted.
    pub(super) fn stats(&self) -> Stats {
        self.witness.metrics.stats()
    }

    /// What was counted of a plugin.
    pub(super) fn plugin_stats(&self, plugin: &PluginName) -> PluginStats {
        self.witness.metrics.plugin_stats(plugin)
    }

    /// All metrics, in the text format of Prometheus.
    pub(super) fn metrics(&self, lanes: &[LaneStatus], good: bool, journal_bytes: u64) -> String {
        let verdicts = self.reloader.verdicts();
        let refused = verdicts.values().filter(|verdict| verdict.refused.is_some()).count();
        witness::exposition(&self.witness.metrics, lanes, good, journal_bytes, refused as u64)
    }

    /// What happens, as it happens.
    pub(super) fn live(&self) -> &Live {
        &self.witness.live
    }

    /// What was last said of each file.
    pub(super) fn verdicts(&self) -> BTreeMap<PluginName, VerdictView> {
        let verdicts = self.reloader.verdicts().into_iter();
        verdicts.map(|(name, verdict)| (name, view(verdict))).collect()
    }

    /// The filter of log lines that is in force.
    pub(super) fn log_level(&self) -> String {
        self.level.get()
    }

    /// Puts another one in force.
    ///
    /// # Errors
    /// Where it cannot be understood.
    pub(super) fn set_log_level(&self, level: &str) -> Result<(), RequestError> {
        self.level.set(level).map_err(|error| RequestError::invalid(error.to_string()))
    }
}

fn view(verdict: LastVerdict) -> VerdictView {
    let LastVerdict { at_ms, digest, refused } = verdict;
    let (code, message, fix) = match refused {
        Some(refused) => (Some(refused.code.to_owned()), Some(refused.message), refused.fix),
        None => (None, None, Vec::new()),
    };
    VerdictView {
        at_ms,
        accepted: code.is_none(),
        digest: digest.map(|digest| digest.to_string()),
        code,
        message,
        fix,
    }
}
