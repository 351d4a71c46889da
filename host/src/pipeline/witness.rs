//! Who is told of what happens to events: figures, and those who look on. What
//! they are told is made here and nowhere else, so that here it can be seen that
//! it holds no body and no secret.

use std::sync::Arc;

use hookbox_core::ids::{DeliveryId, EventId, PluginName};
use hookbox_core::outcome::Outcome;

use crate::plugin::registry::Plugin;
use crate::store::{Attempt, Claim, LaneStatus};
use crate::telemetry::live::{Live, Notice};
use crate::telemetry::metrics::{CallEnded, LaneGauges, Metrics, ServerGauges};
use crate::telemetry::traces::Traces;
use crate::telemetry::{shown, unix_ms};

/// Bytes of a failure's reason, and of what a plugin logged, that are shown to
/// those who look on. The journal has the rest.
const TEXT_BYTES_MAX: usize = 4_096;

/// See the module's text. Cheap to clone.
#[derive(Clone)]
pub struct Witness {
    /// Those who look on.
    pub live: Live,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// The traces.
    pub traces: Traces,
}

impl Witness {
    /// A call of a plugin ended.
    pub(super) fn attempt(&self, plugin: &Plugin, claim: &Claim, attempt: &Attempt) {
        self.metrics.call(&CallEnded {
            plugin: &plugin.name,
            event: claim.event_id,
            outcome: outcome(attempt),
            error: error(attempt),
            duration: attempt.duration,
            requests: &attempt.calls,
        });
        self.live.tell_often(|| notice_of_attempt(&plugin.name, claim, attempt));
    }

    /// A delivery was given up.
    pub(super) fn dead(
        &self,
        plugin: &PluginName,
        event: EventId,
        delivery: DeliveryId,
        reason: String,
    ) {
        self.metrics.dead();
        self.live.tell(|| Notice::Dead {
            at_ms: unix_ms(),
            event: event.to_string(),
            delivery: delivery.to_string(),
            plugin: plugin.to_string(),
            reason,
        });
    }
}

/// All figures as text for Prometheus.
///
/// `journal_bytes`: of its file. `files_refused`: plugin files that are there, and
/// refused.
pub fn exposition(
    metrics: &Metrics,
    lanes: &[LaneStatus],
    journal_good: bool,
    journal_bytes: u64,
    files_refused: u64,
) -> String {
    let lanes: Vec<LaneGauges<'_>> = lanes
        .iter()
        .map(|lane| LaneGauges {
            plugin: &lane.plugin,
            owed: lane.owed,
            oldest_at_ms: lane.oldest_at_ms,
            dead: lane.dead,
            live: lane.live,
            paused: lane.paused_at_ms.is_some(),
            breaker_open: lane.breaker_until_ms.is_some(),
        })
        .collect();
    metrics.encode(&lanes, ServerGauges { good: journal_good, bytes: journal_bytes, files_refused })
}

/// What those who look on are told of a call. Reason and log lines are without
/// the plugin's own secrets already; what an event holds that only operators may
/// see is to be hidden here.
fn notice_of_attempt(plugin: &PluginName, claim: &Claim, attempt: &Attempt) -> Notice {
    Notice::Attempt {
        at_ms: unix_ms(),
        event: claim.event_id.to_string(),
        name: shown(claim.event.name()),
        delivery: claim.delivery.to_string(),
        plugin: plugin.to_string(),
        attempt: claim.attempt,
        outcome: outcome(attempt).to_owned(),
        duration_us: u64::try_from(attempt.duration.as_micros()).unwrap_or(u64::MAX),
        error: error(attempt).map(short),
        log: (!attempt.log.is_empty()).then(|| short(&attempt.log)),
    }
}

/// As in the journal.
fn outcome(attempt: &Attempt) -> &'static str {
    match &attempt.outcome {
        Outcome::Handled => "handled",
        Outcome::Failed(failure) => failure.kind.code(),
    }
}

fn error(attempt: &Attempt) -> Option<&str> {
    match &attempt.outcome {
        Outcome::Handled => None,
        Outcome::Failed(failure) => Some(&failure.message),
    }
}

fn short(text: &str) -> String {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests;
