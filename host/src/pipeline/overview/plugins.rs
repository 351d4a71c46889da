//! What is known of each plugin, from three who each know a part: the registry
//! what runs, the store what is owed, the reload thread what it said of files.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_core::ids::PluginName;
use hookbox_core::routing::Subscription;

use crate::admin::views::{PluginState, PluginView, VerdictView};
use crate::plugin::load::Code;
use crate::plugin::registry::Generation;
use crate::store::LaneStatus;
use crate::telemetry::stats::PluginStats;

/// All that anyone knows of, by name.
pub(super) fn views(
    generation: &Generation,
    lanes: &[LaneStatus],
    verdicts: &BTreeMap<PluginName, VerdictView>,
    stats: impl Fn(&PluginName) -> PluginStats,
) -> Vec<PluginView> {
    let lanes: BTreeMap<&PluginName, &LaneStatus> =
        lanes.iter().map(|lane| (&lane.plugin, lane)).collect();
    let names: BTreeSet<&PluginName> = generation
        .plugins
        .keys()
        .chain(generation.unloadable.keys())
        .chain(lanes.keys().copied())
        .chain(verdicts.keys())
        .collect();
    names
        .into_iter()
        .map(|name| {
            let known = Known {
                generation,
                lane: lanes.get(name).copied(),
                verdict: verdicts.get(name),
                name,
            };
            known.view(stats(name))
        })
        .collect()
}

/// What there is about one plugin.
struct Known<'a> {
    name: &'a PluginName,
    generation: &'a Generation,
    lane: Option<&'a LaneStatus>,
    verdict: Option<&'a VerdictView>,
}

impl Known<'_> {
    fn view(&self, stats: PluginStats) -> PluginView {
        let live = self.generation.plugins.get(self.name);
        let unloadable = self.generation.unloadable.get(self.name);
        let code = live.map(|plugin| (&plugin.code, plugin.since));
        let code = code.or_else(|| unloadable.and_then(|plugin| plugin.code()));
        let subscription = live
            .map(|plugin| &plugin.subscription)
            .or_else(|| unloadable.map(|plugin| &plugin.subscription));
        let settings =
            live.map(|plugin| &plugin.settings).or_else(|| unloadable.map(|p| &p.settings));
        let digest = code.map(|(code, _)| code.digest.to_string());
        let digest = digest.or_else(|| {
            self.lane.map(|lane| lane.digest.clone()).filter(|digest| !digest.is_empty())
        });
        let said = code.map(|(code, _): (&std::sync::Arc<Code>, u64)| &code.description);
        let state = self.state();
        PluginView {
            name: self.name.to_string(),
            state,
            reason: self.reason(state, subscription),
            live_since_ms: live.map(|plugin| plugin.live_since_ms),
            digest,
            generation: code.map(|(_, since)| since),
            title: said.map(|said| said.name.clone()),
            version: said.map(|said| said.version.clone()),
            events: subscription.map(Subscription::events).unwrap_or_default(),
            sources: subscription.map(Subscription::sources).unwrap_or_default(),
            wants: said.iter().flat_map(|said| &said.wants).map(ToString::to_string).collect(),
            granted: settings.map(|settings| settings.grants.summary()).unwrap_or_default(),
            verdict: self.verdict.cloned(),
            owed: self.lane.map_or(0, |lane| lane.owed),
            oldest_owed_at_ms: self.lane.and_then(|lane| lane.oldest_at_ms),
            running: self.lane.map_or(0, |lane| lane.running),
            dead: self.lane.map_or(0, |lane| lane.dead),
            paused_at_ms: self.lane.and_then(|lane| lane.paused_at_ms),
            breaker_until_ms: self.lane.and_then(|lane| lane.breaker_until_ms),
            stats,
        }
    }

    fn state(&self) -> PluginState {
        if self.generation.plugins.contains_key(self.name) {
            return match self.lane {
                Some(LaneStatus { paused_at_ms: Some(_), .. }) => PluginState::Paused,
                Some(LaneStatus { breaker_until_ms: Some(_), .. }) => PluginState::BreakerOpen,
                _ => PluginState::Live,
            };
        }
        if self.generation.unloadable.contains_key(self.name) {
            return PluginState::Unloadable;
        }
        match self.verdict {
            Some(verdict) if !verdict.accepted => PluginState::Refused,
            _ => PluginState::Gone,
        }
    }

    fn reason(&self, state: PluginState, subscription: Option<&Subscription>) -> Option<String> {
        let said = || self.verdict.and_then(|verdict| verdict.message.clone());
        match state {
            PluginState::Live => subscription.is_some_and(Subscription::is_empty).then(|| {
                "it gets nothing: what it asks for and what its settings let it have have \
                          nothing in common"
                    .to_owned()
            }),
            PluginState::Paused => Some("an operator paused it; resume it".to_owned()),
            PluginState::BreakerOpen => Some(
                "it failed too often in a row, and is tried again when its breaker lets it"
                    .to_owned(),
            ),
            PluginState::Unloadable => said().or_else(|| {
                let text = "its file cannot be loaded, or a grant was taken back; the log says why";
                Some(text.to_owned())
            }),
            PluginState::Refused => said(),
            PluginState::Gone => {
                Some("its file was deleted; put one in its place, or forget it".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests;
