//! Which plugins an event goes to.

use std::collections::BTreeSet;

use crate::event::Event;
use crate::ids::SourceName;

/// What a plugin gets: what it asked for, narrowed by what the operator allows.
/// There is no way to widen one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscription {
    asked: Option<BTreeSet<String>>,
    events: Option<BTreeSet<String>>,
    sources: Option<BTreeSet<SourceName>>,
}

impl Subscription {
    /// `asked`: the names that the plugin gave; none means every event.
    /// `events`, `sources`: what the operator narrows it to, where set.
    pub fn new(
        asked: impl IntoIterator<Item = String>,
        events: Option<BTreeSet<String>>,
        sources: Option<BTreeSet<SourceName>>,
    ) -> Self {
        let asked: BTreeSet<String> = asked.into_iter().collect();
        Self { asked: (!asked.is_empty()).then_some(asked), events, sources }
    }

    /// Whether no event can ever go to the plugin.
    pub fn is_empty(&self) -> bool {
        let nothing_in_common = match (&self.asked, &self.events) {
            (Some(asked), Some(events)) => asked.is_disjoint(events),
            (None, Some(events)) => events.is_empty(),
            (_, None) => false,
        };
        nothing_in_common || self.sources.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// The events that can go to the plugin, by name; none means all, unless it
    /// [is empty](Self::is_empty).
    pub fn events(&self) -> Vec<String> {
        match (&self.asked, &self.events) {
            (Some(asked), Some(events)) => asked.intersection(events).cloned().collect(),
            (Some(one), None) | (None, Some(one)) => one.iter().cloned().collect(),
            (None, None) => Vec::new(),
        }
    }

    /// The sources that they come from, by name; none means all, unless it
    /// [is empty](Self::is_empty).
    pub fn sources(&self) -> Vec<String> {
        self.sources.iter().flatten().map(ToString::to_string).collect()
    }

    /// Whether the event goes to the plugin.
    pub fn takes(&self, event: &Event) -> bool {
        let named = |set: &Option<BTreeSet<String>>| {
            set.as_ref().is_none_or(|names| names.contains(event.name()))
        };
        named(&self.asked)
            && named(&self.events)
            && self.sources.as_ref().is_none_or(|sources| sources.contains(event.source()))
    }
}

#[cfg(test)]
mod tests;
