//! Which code is live: one immutable generation after another, each swapped in
//! whole. Whoever took a generation keeps its code alive until done with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::event::Event;
use hookbox_core::ids::PluginName;
use hookbox_core::routing::Subscription;
use tokio::sync::watch;
use tracing::{info, warn};

use super::load::Code;
use crate::config;

/// All plugins that are live at one time.
#[derive(Default)]
pub struct Generation {
    /// Counted up from 0, the empty one.
    pub number: u64,
    /// By name.
    pub plugins: BTreeMap<PluginName, Arc<Plugin>>,
}

impl Generation {
    /// The plugins that get this event.
    pub fn subscribers(&self, event: &Event) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.values().filter(move |plugin| plugin.subscription.takes(event))
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
}

impl Plugin {
    fn new(name: &PluginName, code: Arc<Code>, settings: &config::Plugin, since: u64) -> Arc<Self> {
        let asked = code.description.events.iter().cloned();
        let subscription = Subscription::new(asked, settings.events(), settings.sources());
        if subscription.is_empty() {
            warn!(
                plugin = %name, asks_for = code.description.events.join(" "),
                "the plugin gets nothing: plugin.{name}.events and what it asks for have no event in common"
            );
        }
        Arc::new(Self { name: name.clone(), code, settings: settings.clone(), subscription, since })
    }
}

/// Publishes generations. There is one, and only the reload thread has it.
pub struct Registry {
    live: watch::Sender<Arc<Generation>>,
}

/// Sees generations. The lock within is held for the time of a clone.
pub type Generations = watch::Receiver<Arc<Generation>>;

impl Registry {
    /// With nothing live.
    pub fn new() -> (Self, Generations) {
        let (live, generations) = watch::channel(Arc::default());
        (Self { live }, generations)
    }

    /// Whether a plugin of that name is live.
    pub fn has(&self, name: &PluginName) -> bool {
        self.live.borrow().plugins.contains_key(name)
    }

    /// Makes code live, in place of what was live under the name.
    pub fn insert(&self, name: &PluginName, code: Code, settings: &config::Plugin) {
        let digest = code.digest;
        let description = code.description.clone();
        let mut replaced = None;
        let number = self.next(|number, plugins| {
            let plugin = Plugin::new(name, Arc::new(code), settings, number);
            replaced = plugins.insert(name.clone(), plugin);
        });
        let events = match description.events.join(" ") {
            events if events.is_empty() => "all".to_owned(),
            events => events,
        };
        info!(
            plugin = %name, digest = %digest.short(), generation = number, asks_for = events,
            replaces = replaced.map(|old| old.code.digest.short()),
            version = description.version, "plugin is live"
        );
    }

    /// Ends a plugin. Calls that run go on to their end.
    pub fn remove(&self, name: &PluginName) {
        let number = self.next(|_, plugins| {
            plugins.remove(name);
        });
        info!(plugin = %name, generation = number, "plugin is gone: its file was deleted");
    }

    /// Puts new settings in force for all plugins at once.
    pub fn reconfigure(&self, all: &config::Plugins) {
        let number = self.next(|_, plugins| {
            for (name, plugin) in plugins.iter_mut() {
                let code = Arc::clone(&plugin.code);
                *plugin = Plugin::new(name, code, all.of(name), plugin.since);
            }
        });
        info!(generation = number, "settings of plugins are in force");
    }

    fn next(&self, change: impl FnOnce(u64, &mut BTreeMap<PluginName, Arc<Plugin>>)) -> u64 {
        let old = Arc::clone(&self.live.borrow());
        let number = old.number + 1;
        let mut plugins = old.plugins.clone();
        change(number, &mut plugins);
        self.live.send_replace(Arc::new(Generation { number, plugins }));
        number
    }
}
