//! The whole server: starts the parts in order, and ends them in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::changes::Keeping;
use super::intake::Intake;
use super::overview::Overview;
use super::parts::Parts;
use super::reload::Targets;
use super::sources::Sources;
use super::system::{bind, folders, raise_open_files};
use super::{dispatch, reload};
use crate::admin::{self, Admin, Backend};
use crate::config::{Config, Server};
use crate::ingress::{self, Limits, tls};
use crate::notify::{self, Supervisor};
use crate::shutdown::{self, End, Signals};
use crate::store::sqlite::SqliteStore;
use crate::store::{Health, Store as _};
use crate::telemetry::Level;
use crate::telemetry::changes::What;
use crate::telemetry::traces::Traces;

/// Writing what is left takes no longer, unless the disk stands still.
const JOURNAL_END_MAX: Duration = Duration::from_secs(10);

/// Serves until a signal ends it.
///
/// `path`: the file that `config` was read from, where there is one. `level`: of
/// log lines, changed with the configuration. `guests`: the runtime whose threads
/// run guests and nothing else.
///
/// # Errors
/// Where a part cannot be started; what is wrong and what to do.
pub async fn serve(
    path: Option<PathBuf>,
    config: Config,
    level: Level,
    guests: Handle,
) -> anyhow::Result<()> {
    let settings = config.settings.clone();
    let server = &settings.server;
    let supervisor = Arc::new(Supervisor::default());
    supervisor.starting("opening the journal").await;
    let connections_max = raise_open_files(server.connections_max);
    let _lock = folders(server)?;
    let mut signals = Signals::new()?;
    // Taken first: until it is, it would end the process.
    let hangup = signal(SignalKind::hangup())?;
    let (tls_target, tls) = certificate(server)?;
    let parts = Parts::start(&config, guests, &supervisor).await?;
    let Parts { witness, store, changes, keeping, runner, reloader, generations, loaded } = parts;

    let (live_target, live) = watch::channel(Arc::new(config.live.clone()));
    let targets = Targets {
        live: live_target,
        tls: tls_target,
        reloader: Arc::clone(&reloader),
        level: level.clone(),
        changes: changes.clone(),
        supervisor: Arc::clone(&supervisor),
    };
    tokio::spawn(async move {
        reload::run(path, config, targets, hangup).await;
    });

    let (end, ending) = shutdown::channel();
    let sources = Sources { witness: witness.clone(), level, reloader };
    let overview =
        Overview::new(&settings, Arc::clone(&store), generations.clone(), live.clone(), sources);
    let overview = Arc::new(overview);
    let admin = Arc::new(Admin::new(Arc::clone(&overview) as Arc<dyn Backend>, ending.clone()));
    // Before plugins are loaded, so that it can be seen that they are.
    let network = operators(server, &admin, tls.clone())?;

    // Events that come before the plugins are there would not reach them.
    tokio::select! {
        loaded = loaded => loaded.context(
            "server.plugins_dir cannot be read; the log says why",
        )?,
        () = signals.next() => {
            supervisor.ending().await;
            return finish(store, keeping).await;
        }
    }
    overview.loaded();
    let socket = admin::Socket::bind(&server.data_dir)?;
    let control = tokio::spawn(async move { admin.on_socket(socket).await });
    // What is owed begins only when nothing can keep the server from starting any
    // more: else each try would use up attempts. And only now is it known which
    // plugins are gone.
    let listener = bind("server.listen", server.listen)?;
    let dispatch = dispatch::run(Arc::clone(&store), runner, generations.clone(), witness.clone());
    let lanes = tokio::spawn(dispatch);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", listener.local_addr()?);
    overview.listening(address.clone());
    let plugins = generations.borrow().plugins.len();
    info!(address, plugins, "listening for webhooks at /hooks/<source>");
    changes.tell(What::Started { address: address.clone(), plugins });

    let traces = witness.traces.clone();
    let deliveries_max = settings.journal.deliveries_max;
    let intake = Intake::new(live, generations, Arc::clone(&store), deliveries_max, witness);
    let limits = Limits::new(server, connections_max);
    let serving = tokio::spawn(ingress::serve(listener, tls, limits, Arc::new(intake), ending));
    supervisor.ready(&format!("listening at {address}, plugins: {plugins}")).await;
    let writer = Arc::clone(&store);
    tokio::spawn(notify::signs_of_life(move || is_alive(Arc::clone(&writer))));
    let drain = Duration::from_millis(server.drain_ms);
    let running = Running { store, keeping, traces, supervisor, serving, lanes, control, network };
    running.until_ended(signals, end, drain).await
}

/// What runs until the end.
struct Running {
    store: Arc<SqliteStore>,
    keeping: Keeping,
    traces: Traces,
    supervisor: Arc<Supervisor>,
    serving: JoinHandle<()>,
    lanes: JoinHandle<()>,
    control: JoinHandle<()>,
    network: Option<JoinHandle<()>>,
}

impl Running {
    /// Waits for a signal, then ends everything in its order.
    async fn until_ended(
        mut self,
        mut signals: Signals,
        end: End,
        drain: Duration,
    ) -> anyhow::Result<()> {
        tokio::select! {
            () = signals.next() => end.begin(),
            _ = &mut self.serving => bail!("the listener failed; this is a mistake in hookbox"),
            // Without them, what is accepted would reach nobody.
            _ = &mut self.lanes => bail!("the reload thread failed; this is a mistake in hookbox"),
            () = self.store.ended() => {
                bail!("the journal's thread failed; this is a mistake in hookbox")
            }
        }
        self.supervisor.ending().await;
        let drained = async {
            let _requests = self.serving.await;
            // Nothing more begins; what runs may end.
            self.store.close();
            tokio::time::timeout(drain, &mut self.lanes).await.is_ok()
        };
        let drained = tokio::select! {
            drained = drained => drained,
            () = signals.next() => false,
        };
        let _its_socket_is_gone = self.control.await;
        if let Some(network) = self.network {
            let _its_port_is_free = network.await;
        }
        if !drained {
            warn!("calls were cut off: their events are handed over again at the next start");
        }
        self.traces.end().await;
        finish(self.store, self.keeping).await
    }
}

/// The certificate as it is now, and where a new one goes; none where the server
/// speaks HTTP.
#[expect(clippy::type_complexity, reason = "the two ends of one channel, or neither")]
fn certificate(
    server: &Server,
) -> anyhow::Result<(
    Option<watch::Sender<Arc<ServerConfig>>>,
    Option<watch::Receiver<Arc<ServerConfig>>>,
)> {
    let Some(files) = server.tls() else { return Ok((None, None)) };
    let (target, config) = watch::channel(tls::read(&files)?);
    Ok((Some(target), Some(config)))
}

/// Listens for operators at their address, where there is one.
fn operators(
    server: &Server,
    admin: &Arc<Admin>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let Some(address) = server.admin.0 else { return Ok(None) };
    let listener = bind("server.admin", address)?;
    // Browsers do not trust a certificate for a loopback address.
    let tls = tls.filter(|_| !server.admin.is_local());
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", listener.local_addr()?);
    let tokens = server.operators.tokens.is_some();
    info!(address, tokens, "listening for operators");
    if !server.admin.is_local() && tls.is_none() {
        warn!(
            "operators' tokens travel unencrypted: set server.tls_certificate, or have a proxy \
             before server.admin that speaks HTTPS"
        );
    }
    let (admin, operators) = (Arc::clone(admin), server.operators.clone());
    let serving = async move { admin.on_network(listener, tls, &operators).await };
    Ok(Some(tokio::spawn(serving)))
}

/// Returns once the journal's thread is known to work. While the disk fails it may be looking
/// through the whole file, which a restart would only have it begin again.
async fn is_alive(store: Arc<SqliteStore>) {
    if *store.health().borrow() == Health::Good {
        store.turn().await;
    }
}

/// Writes what is left to write.
async fn finish(store: Arc<SqliteStore>, keeping: Keeping) -> anyhow::Result<()> {
    store.close();
    keeping.end(store.owed()).await;
    let ending = Arc::clone(&store);
    let ended = tokio::task::spawn_blocking(move || ending.end());
    if tokio::time::timeout(JOURNAL_END_MAX, ended).await.is_err() {
        error!("the journal's thread does not end; results of calls may be written again");
        return Ok(());
    }
    let owed = store.owed();
    if owed == 0 {
        info!("ended; nothing is owed");
    } else {
        info!(owed, "ended; what is still owed is in the journal, and goes on at the next start");
    }
    Ok(())
}
