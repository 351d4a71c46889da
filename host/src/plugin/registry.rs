//! Which code is live: one immutable generation after another, each swapped in
//! whole. Whoever took a generation keeps its code alive until done with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::event::Event;
use hookbox_core::ids::{Digest, PluginName};
use hookbox_core::routing::Subscription;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::load::Code;
use super::rate::LogRate;
use super::verdict::Refused;
use crate::config;
use crate::telemetry::changes::{Changes, What};
use crate::telemetry::unix_ms;

/// All plugins that are live at one time.
#[derive(Default)]
pub struct Generation {
    /// Counted up from 0, the empty one.
    pub number: u64,
    /// By name.
    pub plugins: BTreeMap<PluginName, Arc<Plugin>>,
    /// Plugins that were live when the server last ran, whose files are there
    /// and have no code that could be loaded. They still get events, which wait.
    pub unloadable: BTreeMap<PluginName, Arc<Unloadable>>,
}

/// A plugin whose file cannot be loaded, as it was known before, or whose grants
/// were taken back.
pub struct Unloadable {
    /// Its section of the configuration.
    pub settings: config::Plugin,
    /// What it gets.
    pub subscription: Subscription,
    asks_for: Vec<String>,
    /// Code that wants what is not granted any more, and since when it was live.
    waiting: Option<(Arc<Code>, u64)>,
}

/// A plugin that new settings made live, took off calls, or left waiting.
pub struct Moved {
    /// Its name.
    pub name: PluginName,
    /// SHA-256 of its file.
    pub digest: Digest,
    /// Whether it was live before.
    pub was_live: bool,
    /// What it lacks; none: it is live.
    pub refused: Option<Refused>,
}

impl Unloadable {
    fn new(
        asks_for: Vec<String>,
        settings: &config::Plugin,
        waiting: Option<(Arc<Code>, u64)>,
    ) -> Arc<Self> {
        let asked = asks_for.iter().cloned();
        let subscription = Subscription::new(asked, settings.events(), settings.sources());
        Arc::new(Self { settings: settings.clone(), subscription, asks_for, waiting })
    }

    /// Code that wants what is not granted any more, and the generation in which
    /// it became live.
    pub fn code(&self) -> Option<(&Arc<Code>, u64)> {
        self.waiting.as_ref().map(|(code, since)| (code, *since))
    }
}

impl Generation {
    /// The plugins that get this event, with their settings.
    pub fn subscribers(
        &self,
        event: &Event,
    ) -> impl Iterator<Item = (&PluginName, &config::Plugin)> {
        let live = self.plugins.iter().map(|(name, p)| (name, &p.subscription, &p.settings));
        let unloadable =
            self.unloadable.iter().map(|(name, p)| (name, &p.subscription, &p.settings));
        live.chain(unloadable)
            .filter(move |(_, subscription, _)| subscription.takes(event))
            .map(|(name, _, settings)| (name, settings))
    }
}

impl Generation {
    /// Code goes where its grants let it. None: it was live and stays so.
    ///
    /// `was_live`: with `since` when, under the settings before these.
    fn place(
        &mut self,
        name: PluginName,
        code: Arc<Code>,
        since: u64,
        all: &config::Plugins,
        was_live: Option<u64>,
    ) -> Option<Moved> {
        let digest = code.digest;
        let settings = all.of(&name);
        let missing = settings.grants.missing(&code.description.wants);
        if missing.is_empty() {
            if was_live.is_none() {
                info!(plugin = %name, "its grants are back: the plugin is live again");
            }
            let live_since_ms = was_live.unwrap_or_else(unix_ms);
            let plugin = Plugin::new(&name, code, settings, since, live_since_ms);
            self.plugins.insert(name.clone(), plugin);
            let back = Moved { name, digest, was_live: false, refused: None };
            return was_live.is_none().then_some(back);
        }
        let refused = Refused::not_granted(&name, &settings.grants, &missing);
        if was_live.is_some() {
            error!(
                plugin = %name, code = refused.code, error = refused.message,
                fix = refused.fix_lines(),
                "a grant was taken back: the plugin gets no calls until it is there again; its events wait"
            );
        }
        let asks_for = code.description.events.clone();
        let plugin = Unloadable::new(asks_for, settings, Some((code, since)));
        self.unloadable.insert(name.clone(), plugin);
        // What it lacks may be something else by now.
        Some(Moved { name, digest, was_live: was_live.is_some(), refused: Some(refused) })
    }
}

/// A live plugin: code, and what the operator lets it do.
pub struct Plugin {
    /// Its file's name.
    pub name: PluginName,
    /// The code.
    pub code: Arc<Code>,
    /// Its section of the configuration.
    pub settings: config::Plugin,
    /// What it gets.
    pub subscription: Subscription,
    /// The generation in which this code became live under this name.
    pub since: u64,
    /// When it became so, or got back the grants that it had lost: milliseconds
    /// since the Unix epoch.
    pub live_since_ms: u64,
    /// How many of its log lines are printed.
    pub(super) log_rate: Arc<LogRate>,
}

impl Plugin {
    /// Code under a name, with these settings.
    ///
    /// `since`: the generation. `live_since_ms`: see the field.
    pub fn new(
        name: &PluginName,
        code: Arc<Code>,
        settings: &config::Plugin,
        since: u64,
        live_since_ms: u64,
    ) -> Arc<Self> {
        let asked = code.description.events.iter().cloned();
        let subscription = Subscription::new(asked, settings.events(), settings.sources());
        if subscription.is_empty() {
            warn!(
                plugin = %name, asks_for = code.description.events.join(" "),
                "the plugin gets nothing: plugin.{name}.events and what it asks for have no event in common"
            );
        }
        let log_rate = Arc::new(LogRate::new(settings.log_lines_per_s_max));
        let settings = settings.clone();
        let name = name.clone();
        Arc::new(Self { name, code, settings, subscription, since, live_since_ms, log_rate })
    }
}

/// Publishes generations. There is one, and only the reload thread has it.
pub struct Registry {
    live: watch::Sender<Arc<Generation>>,
    changes: Changes,
}

/// Sees generations. The lock within is held for the time of a clone.
pub type Generations = watch::Receiver<Arc<Generation>>;

impl Registry {
    /// With nothing live.
    ///
    /// `known`: plugins that still get events though they are not loaded yet,
    /// each with the events that it asked for. `changes`: told of each plugin
    /// that comes or goes.
    pub fn new(
        known: BTreeMap<PluginName, Vec<String>>,
        settings: &config::Plugins,
        changes: Changes,
    ) -> (Self, Generations) {
        let known = known.into_iter().map(|(name, asks_for)| {
            let unloadable = Unloadable::new(asks_for, settings.of(&name), None);
            (name, unloadable)
        });
        let generation = Generation { unloadable: known.collect(), ..Generation::default() };
        let (live, generations) = watch::channel(Arc::new(generation));
        (Self { live, changes }, generations)
    }

    /// Whether a plugin of that name is live.
    pub fn has(&self, name: &PluginName) -> bool {
        self.live.borrow().plugins.contains_key(name)
    }

    /// Plugins that get events though they are not live.
    pub fn unloadable(&self) -> Vec<PluginName> {
        self.live.borrow().unloadable.keys().cloned().collect()
    }

    /// Makes code live, in place of what was live under the name.
    pub fn insert(&self, name: &PluginName, code: Code, settings: &config::Plugin) {
        let digest = code.digest;
        let description = code.description.clone();
        let mut replaced = None;
        let number = self.next(|next| {
            let plugin = Plugin::new(name, Arc::new(code), settings, next.number, unix_ms());
            replaced = next.plugins.insert(name.clone(), plugin);
            next.unloadable.remove(name);
        });
        let events = match description.events.join(" ") {
            events if events.is_empty() => "all".to_owned(),
            events => events,
        };
        info!(
            plugin = %name, digest = %digest.short(), generation = number, asks_for = events,
            replaces = replaced.as_ref().map(|old| old.code.digest.short()),
            version = description.version, "plugin is live"
        );
        self.changes.tell(What::Live {
            plugin: name.clone(),
            digest,
            generation: number,
            replaces: replaced.map(|old| old.code.digest),
            version: description.version,
        });
    }

    /// Ends a plugin, if there is one of that name. Calls that run go on to
    /// their end.
    pub fn remove(&self, name: &PluginName) {
        let known = {
            let live = self.live.borrow();
            live.plugins.contains_key(name) || live.unloadable.contains_key(name)
        };
        if !known {
            return;
        }
        let number = self.next(|next| {
            next.plugins.remove(name);
            next.unloadable.remove(name);
        });
        info!(plugin = %name, generation = number, "plugin is gone: its file was deleted");
        self.changes.tell(What::Gone { plugin: name.clone(), generation: number });
    }

    /// Puts new settings in force for all plugins at once. One that cannot do
    /// without a grant that was taken back gets no calls until it has it again,
    /// as it would after a restart; its events wait.
    ///
    /// Returns those with code that were taken off calls, got them back, or go on
    /// waiting.
    pub fn reconfigure(&self, all: &config::Plugins) -> Vec<Moved> {
        let mut moved = Vec::new();
        let number = self.next(|next| {
            let live = std::mem::take(&mut next.plugins);
            let unloadable = std::mem::take(&mut next.unloadable);
            for (name, plugin) in live {
                let was_live = Some(plugin.live_since_ms);
                moved.extend(next.place(
                    name,
                    Arc::clone(&plugin.code),
                    plugin.since,
                    all,
                    was_live,
                ));
            }
            for (name, plugin) in unloadable {
                match plugin.waiting.clone() {
                    Some((code, since)) => moved.extend(next.place(name, code, since, all, None)),
                    None => {
                        let settings = all.of(&name);
                        let plugin = Unloadable::new(plugin.asks_for.clone(), settings, None);
                        next.unloadable.insert(name, plugin);
                    }
                }
            }
        });
        info!(generation = number, "settings of plugins are in force");
        for moved in &moved {
            self.tell_moved(moved, number);
        }
        moved
    }

    fn tell_moved(&self, moved: &Moved, generation: u64) {
        let (plugin, digest) = (moved.name.clone(), moved.digest);
        match &moved.refused {
            Some(refused) if moved.was_live => {
                let message = refused.message.clone();
                self.changes.tell(What::Waits { plugin, digest, generation, message });
            }
            // It was said when it lost them.
            Some(_) => {}
            None => self.changes.tell(What::Back { plugin, digest, generation }),
        }
    }

    fn next(&self, change: impl FnOnce(&mut Generation)) -> u64 {
        let old = Arc::clone(&self.live.borrow());
        let mut next = Generation {
            number: old.number + 1,
            plugins: old.plugins.clone(),
            unloadable: old.unloadable.clone(),
        };
        change(&mut next);
        let number = next.number;
        self.live.send_replace(Arc::new(next));
        number
    }
}
