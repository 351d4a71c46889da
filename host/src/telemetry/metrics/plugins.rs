//! Figures of each plugin, of so many plugins as there are places.
//!
//! Invariant: there are never more than [`PLACES_MAX`] names, and one for all
//! the rest.

use std::collections::BTreeMap;

use hookbox_core::ids::PluginName;

use super::buckets::{Buckets, CALL_S, OUTBOUND_S};
use super::{CallEnded, OTHER};
use crate::telemetry::stats::{LastFailure, PluginStats, Rate, Rolling};

/// Plugins that are counted apart. Each is some fifty series of Prometheus's.
const PLACES_MAX: usize = 200;

/// What is counted for ever.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    pub(super) durations: Buckets,
    /// By class of status, or by code of failure.
    pub(super) outbound: BTreeMap<&'static str, u64>,
    pub(super) outbound_durations: Buckets,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            outcomes: BTreeMap::new(),
            durations: Buckets::new(CALL_S),
            outbound: BTreeMap::new(),
            outbound_durations: Buckets::new(OUTBOUND_S),
        }
    }
}

impl Counts {
    fn call(&mut self, call: &CallEnded<'_>) {
        *self.outcomes.entry(call.outcome).or_default() += 1;
        self.durations.add(call.duration.as_secs_f64());
        for request in call.requests {
            let result = match (&request.error, request.status) {
                (Some((code, _)), _) => code,
                (None, Some(status)) => class(status),
                (None, None) => "unanswered",
            };
            *self.outbound.entry(result).or_default() += 1;
            // What was refused by a rule took no time that says anything.
            if request.address.is_some() {
                self.outbound_durations.add(request.duration.as_secs_f64());
            }
        }
    }
}

/// Of one plugin, or of all that have no place.
#[derive(Debug, Default)]
struct Place {
    counts: Counts,
    recent: Rolling,
    rate: Rate,
    last_failure: Option<LastFailure>,
    /// Its file was deleted: another one may have the place.
    gone: bool,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Places {
    places: BTreeMap<PluginName, Place>,
    /// Of all that have no place.
    rest: Place,
}

impl Places {
    pub(super) fn call(&mut self, at_ms: u64, unix_ms: u64, call: &CallEnded<'_>) {
        let place = self.place(call.plugin);
        place.counts.call(call);
        place.recent.add(at_ms, call.duration);
        place.rate.add(at_ms);
        if let Some(error) = call.error {
            place.last_failure = Some(LastFailure {
                at_ms: unix_ms,
                event: call.event.to_string(),
                outcome: call.outcome.to_owned(),
                error: error.to_owned(),
            });
        }
    }

    /// The plugin's place, or that of all the rest. Where all are taken, one that
    /// is gone makes room.
    fn place(&mut self, plugin: &PluginName) -> &mut Place {
        if plugin.as_str() == OTHER || !self.has_room(plugin) {
            return &mut self.rest;
        }
        self.places.entry(plugin.clone()).or_default()
    }

    fn has_room(&mut self, plugin: &PluginName) -> bool {
        if self.places.contains_key(plugin) || self.places.len() < PLACES_MAX {
            return true;
        }
        let gone = self.places.iter().find(|(_, place)| place.gone);
        let gone = gone.map(|(name, _)| name.clone());
        gone.is_some_and(|gone| self.places.remove(&gone).is_some())
    }

    /// Its file is there.
    pub(super) fn came(&mut self, plugin: &PluginName) {
        self.place(plugin).gone = false;
    }

    /// Its file was deleted. What was counted stays until its place is needed.
    pub(super) fn went(&mut self, plugin: &PluginName) {
        if let Some(place) = self.places.get_mut(plugin) {
            place.gone = true;
        }
    }

    /// The name that it is counted by. One that has no place gets a free one; for
    /// the sake of a question nobody makes room.
    pub(super) fn label(&mut self, plugin: &PluginName, live: bool) -> String {
        if !self.places.contains_key(plugin) {
            if self.places.len() >= PLACES_MAX || plugin.as_str() == OTHER {
                return OTHER.to_owned();
            }
            self.places.insert(plugin.clone(), Place { gone: !live, ..Place::default() });
        }
        plugin.to_string()
    }

    pub(super) fn stats(&mut self, at_ms: u64, plugin: &PluginName) -> PluginStats {
        let place = if plugin.as_str() == OTHER {
            &mut self.rest
        } else if let Some(place) = self.places.get_mut(plugin) {
            place
        } else {
            return PluginStats::default();
        };
        let outcomes = place.counts.outcomes.iter();
        PluginStats {
            rate_per_s: place.rate.per_s(at_ms),
            calls: place.recent.latency(at_ms),
            outcomes: outcomes.map(|(code, count)| ((*code).to_owned(), *count)).collect(),
            last_failure: place.last_failure.clone(),
        }
    }

    /// All counts, by the name that they are counted by.
    pub(super) fn counts(&self) -> Vec<(String, Counts)> {
        let places = self.places.iter().map(|(name, place)| (name.as_str(), place));
        let all = places.chain([(OTHER, &self.rest)]);
        let called = all.filter(|(_, place)| !place.counts.outcomes.is_empty());
        called.map(|(name, place)| (name.to_owned(), place.counts.clone())).collect()
    }
}

/// Of a status code (RFC 9110, section 15).
fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}
