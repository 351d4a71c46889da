//! The server as operators see it: put together from what is live, what is owed,
//! and what was counted.

mod directory;
mod plugins;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::sync::watch;

use self::directory::Directory;
use super::sources::Sources;
use crate::admin::views::{PartView, PluginView, StatusView};
use crate::admin::{Answer, Backend};
use crate::config::{Live, Settings};
use crate::plugin::registry::Generations;
use crate::store::records::{Operation, Query, Report, RequestError};
use crate::store::sqlite::SqliteStore;
use crate::store::{Health, Store as _};
use crate::telemetry::live;
use crate::telemetry::stats::Stats;

/// See the module's text.
pub(super) struct Overview {
    store: Arc<SqliteStore>,
    generations: Generations,
    configured: watch::Receiver<Arc<Live>>,
    sources: Sources,
    directory: Directory,
    deliveries_max: u64,
    /// Whether the plugins that were there at the start were looked at. Until
    /// then it is not known which are gone, and nothing can be changed.
    loaded: AtomicBool,
    /// Set once webhooks are received.
    address: OnceLock<String>,
}

impl Overview {
    pub(super) fn new(
        settings: &Settings,
        store: Arc<SqliteStore>,
        generations: Generations,
        configured: watch::Receiver<Arc<Live>>,
        sources: Sources,
    ) -> Self {
        Self {
            store,
            generations,
            configured,
            sources,
            directory: Directory::new(settings.server.plugins_dir.clone()),
            deliveries_max: settings.journal.deliveries_max,
            loaded: AtomicBool::new(false),
            address: OnceLock::new(),
        }
    }

    /// The plugins that were there at the start were looked at.
    pub(super) fn loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }

    /// Webhooks are received there.
    pub(super) fn listening(&self, address: String) {
        let _once = self.address.set(address);
    }

    fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    async fn look(&self) -> Vec<PartView> {
        let journal = match &*self.store.health().borrow() {
            Health::Good => None,
            Health::Failing { since_ms, error } => Some(format!("since {since_ms}: {error}")),
        };
        let plugins = match self.is_loaded() {
            true => self.directory.look().await,
            false => Some("plugins are being loaded".to_owned()),
        };
        let listener = match self.address.get() {
            Some(_) => None,
            None => Some("webhooks are not received yet".to_owned()),
        };
        let (owed, most) = (self.store.owed(), self.deliveries_max);
        let room = (owed >= most)
            .then(|| format!("{owed} deliveries are owed: journal.deliveries_max is {most}"));
        [("journal", journal), ("plugins", plugins), ("listener", listener), ("room", room)]
            .into_iter()
            .map(|(name, error)| PartView { name: name.to_owned(), good: error.is_none(), error })
            .collect()
    }

    async fn summed_up(&self) -> Result<StatusView, RequestError> {
        let lanes = self.store.lanes().await?;
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: self.address.get().cloned().unwrap_or_default(),
            parts: self.look().await,
            sources: self.configured.borrow().sources.keys().map(ToString::to_string).collect(),
            log_level: self.sources.log_level(),
            generation: self.generations.borrow().number,
            owed: self.store.owed(),
            dead: lanes.iter().map(|lane| lane.dead).sum(),
            journal_bytes: self.store.journal_bytes(),
            stats: self.sources.stats(),
        })
    }

    async fn known(&self) -> Result<Vec<PluginView>, RequestError> {
        let lanes = self.store.lanes().await?;
        let generation = Arc::clone(&self.generations.borrow());
        let verdicts = self.sources.verdicts();
        Ok(plugins::views(&generation, &lanes, &verdicts, |name| self.sources.plugin_stats(name)))
    }
}

impl Backend for Overview {
    fn query(&self, query: Query) -> Answer<'_, Result<Value, RequestError>> {
        Box::pin(self.store.query(query))
    }

    fn operate(&self, operation: Operation) -> Answer<'_, Result<Report, RequestError>> {
        let harmless = matches!(operation, Operation::Note { .. });
        if !harmless && !self.is_loaded() {
            let message = "plugins are being loaded; nothing can be changed until they are";
            return Box::pin(async move { Err(RequestError::unavailable(message)) });
        }
        Box::pin(self.store.operate(operation))
    }

    fn health(&self) -> Health {
        self.store.health().borrow().clone()
    }

    fn parts(&self) -> Answer<'_, Vec<PartView>> {
        Box::pin(self.look())
    }

    fn plugins(&self) -> Answer<'_, Result<Vec<PluginView>, RequestError>> {
        Box::pin(self.known())
    }

    fn status(&self) -> Answer<'_, Result<StatusView, RequestError>> {
        Box::pin(self.summed_up())
    }

    fn stats(&self) -> Stats {
        self.sources.stats()
    }

    fn metrics(&self) -> Answer<'_, Result<String, RequestError>> {
        Box::pin(async {
            let good = self.health() == Health::Good;
            let bytes = self.store.journal_bytes();
            Ok(self.sources.metrics(&self.store.lanes().await?, good, bytes))
        })
    }

    fn live(&self) -> &live::Live {
        self.sources.live()
    }

    fn log_level(&self) -> String {
        self.sources.log_level()
    }

    fn set_log_level(&self, level: &str) -> Result<(), RequestError> {
        self.sources.set_log_level(level)
    }
}
