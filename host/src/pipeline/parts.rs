//! The parts between webhooks and plugins, started in their order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::changes::Keeping;
use super::state::Committed;
use super::witness::Witness;
use crate::config::{self, Config, Journal, Server};
use crate::notify::Supervisor;
use crate::outbound::Outbound;
use crate::outbound::resolve::System;
use crate::outbound::trust::Trust;
use crate::plugin::compile::Compiler;
use crate::plugin::invoke::Runner;
use crate::plugin::load::Loader;
use crate::plugin::registry::{Generations, Registry};
use crate::plugin::watch::Reloader;
use crate::plugin::{engine, imports};
use crate::store::sqlite::{self, Opened, SqliteStore, Waiting, schema};
use crate::telemetry::changes::Changes;
use crate::telemetry::live::Live;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;

/// See the module's text.
pub(super) struct Parts {
    pub(super) witness: Witness,
    pub(super) store: Arc<SqliteStore>,
    pub(super) changes: Changes,
    pub(super) keeping: Keeping,
    pub(super) runner: Runner,
    pub(super) reloader: Arc<Reloader>,
    pub(super) generations: Generations,
    /// Told once the plugins that are there were looked at.
    pub(super) loaded: oneshot::Receiver<()>,
}

impl Parts {
    /// Starts them, in a data directory of which the caller has the lock.
    ///
    /// `guests`: the runtime whose threads run guests and nothing else.
    ///
    /// # Errors
    /// Where one cannot be started; what is wrong and what to do.
    pub(super) async fn start(
        config: &Config,
        guests: Handle,
        supervisor: &Supervisor,
    ) -> anyhow::Result<Self> {
        let settings = &config.settings;
        let server = &settings.server;
        let trust = trust(&settings.outbound).await?;
        let traces = Traces::start(&settings.traces, Handle::current(), trust.connector())?;
        let witness = Witness { live: Live::default(), metrics: Metrics::new(), traces };
        let opened = open_store(server, &settings.journal, &witness)?;
        let store = Arc::new(opened.store);
        let (changes, noting) = Changes::new(witness.live.clone(), Arc::clone(&witness.metrics));
        let keeping = Keeping::begin(changes.clone(), noting, witness.live.clone(), &store);

        supervisor.starting("loading plugins").await;
        let engine = engine::start(&settings.runtime)?;
        let state = Arc::new(Committed(Arc::clone(&store)));
        let compiler =
            Compiler::new(&engine, &server.data_dir, settings.reload.clone(), Handle::current())
                .context("the folder for compiled code in server.data_dir")?;
        let runner = Runner::new(engine.clone(), guests, settings.runtime.instances_max)
            .with_symbols(compiler.symbols())
            .with_state(state)
            .with_outbound(outbound(&settings.outbound, trust));
        let loader = Loader::new(compiler, imports::linker(&engine)?, runner.clone());
        let plugins = config.live.plugins.clone();
        let known = opened.known.into_iter().map(|known| (known.name, known.asks_for)).collect();
        let (registry, generations) = Registry::new(known, &plugins, changes.clone());
        let (reloader, loaded) = Reloader::start(
            server.plugins_dir.clone(),
            settings.reload.clone(),
            plugins,
            loader,
            registry,
            changes.clone(),
        )?;
        let reloader = Arc::new(reloader);
        Ok(Self { witness, store, changes, keeping, runner, reloader, generations, loaded })
    }
}

fn open_store(server: &Server, journal: &Journal, witness: &Witness) -> anyhow::Result<Opened> {
    let waiting = Waiting { count_max: journal.commits_max, bytes_max: journal.commits_bytes_max };
    let limits = sqlite::Limits {
        deliveries_max: journal.deliveries_max,
        keep_ms: journal.keep_ms,
        keep_bytes_max: journal.keep_bytes_max,
        refused_max: journal.refused_max,
        attempt_log_bytes_max: journal.attempt_log_bytes_max,
    };
    let metrics = Arc::clone(&witness.metrics);
    let live = witness.live.clone();
    SqliteStore::open(&server.data_dir, waiting, limits, Handle::current(), metrics, live)
        .with_context(|| format!("{}", server.data_dir.join(schema::FILE).display()))
}

/// Which servers are trusted.
async fn trust(settings: &config::Outbound) -> anyhow::Result<Trust> {
    let certificates = settings.certificates.clone();
    let reading = tokio::task::spawn_blocking(move || Trust::read(certificates.as_deref()));
    Ok(reading.await??)
}

/// By which plugins send requests, on the runtime that serves.
fn outbound(settings: &config::Outbound, trust: Trust) -> Arc<Outbound> {
    Outbound::new(
        Handle::current(),
        Arc::new(System),
        trust,
        Duration::from_millis(settings.connect_timeout_ms),
        Duration::from_millis(settings.idle_timeout_ms),
    )
}
