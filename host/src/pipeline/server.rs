//! The whole server: starts the parts in order, and ends them in order.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::changes::Keeping;
use super::intake::Intake;
use super::overview::Overview;
use super::reload::Targets;
use super::sources::Sources;
use super::state::Committed;
use super::witness::Witness;
use super::{dispatch, reload};
use crate::admin::{self, Admin, Backend};
use crate::config::{self, Config, Journal, Server};
use crate::ingress::{self, Limits, tls};
use crate::notify::{self, Supervisor};
use crate::outbound::Outbound;
use crate::outbound::resolve::System;
use crate::outbound::trust::Trust;
use crate::plugin::compile::Compiler;
use crate::plugin::invoke::Runner;
use crate::plugin::load::Loader;
use crate::plugin::registry::Registry;
use crate::plugin::watch::Reloader;
use crate::plugin::{engine, imports};
use crate::shutdown::{self, Signals};
use crate::store::sqlite::{self, Lock, Opened, SqliteStore, Waiting, schema};
use crate::store::{Health, Store as _};
use crate::telemetry::Level;
use crate::telemetry::changes::{Changes, What};
use crate::telemetry::live::Live;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;

/// Connections that may wait to be accepted. With the usual 128, a burst of new
/// ones makes some senders wait for a second until their system tries again. The
/// system caps it (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Writing what is left takes no longer, unless the disk stands still.
const JOURNAL_END_MAX: Duration = Duration::from_secs(10);

/// Open files that are needed beside connections.
const OTHER_FILES: u64 = 256;

/// Serves until a signal ends it.
///
/// `path`: the file that `config` was read from, where there is one.
/// `level`: of log lines, changed with the configuration. `guests`: the runtime whose threads run guests and nothing else.
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
    data_folder(&server.data_dir)
        .with_context(|| format!("server.data_dir {}", server.data_dir.display()))?;
    // Before anything in it is touched; held until the process ends.
    let _lock = Lock::take(&server.data_dir)?;
    fs::create_dir_all(&server.plugins_dir)
        .with_context(|| format!("server.plugins_dir {}", server.plugins_dir.display()))?;
    let mut signals = Signals::new()?;
    // Taken first: until it is, it would end the process.
    let hangup = signal(SignalKind::hangup())?;
    let (tls_target, tls_config) = match server.tls() {
        Some(files) => {
            let (target, config) = watch::channel(tls::read(&files)?);
            (Some(target), Some(config))
        }
        None => (None, None),
    };

    let trust = trust(&settings.outbound).await?;
    let traces = Traces::start(&settings.traces, Handle::current(), trust.connector())?;
    let witness =
        Witness { live: Live::default(), metrics: Metrics::new(), traces: traces.clone() };
    let opened = open_store(server, &settings.journal, &witness)?;
    let store = Arc::new(opened.store);
    let (changes, noting) = Changes::new(witness.live.clone(), Arc::clone(&witness.metrics));
    let keeping = Keeping::begin(changes.clone(), noting, witness.live.clone(), &store);

    supervisor.starting("loading plugins").await;
    let engine = engine::start(&settings.runtime)?;
    let state = Arc::new(Committed(Arc::clone(&store)));
    let runner = Runner::new(engine.clone(), guests, settings.runtime.instances_max)
        .with_state(state)
        .with_outbound(outbound(&settings.outbound, trust.clone()));
    let compiler =
        Compiler::new(&engine, &server.data_dir, settings.reload.clone(), Handle::current())
            .context("the folder for compiled code in server.data_dir")?;
    let loader = Loader::new(compiler, imports::linker(&engine)?, runner.clone());
    let plugins = config.live.plugins.clone();
    let known = opened.known.into_iter().map(|plugin| (plugin.name, plugin.asks_for)).collect();
    let (registry, generations) = Registry::new(known, &plugins, changes.clone());
    let directory = server.plugins_dir.clone();
    let (reloader, started) = Reloader::start(
        directory,
        settings.reload.clone(),
        plugins,
        loader,
        registry,
        changes.clone(),
    )?;
    let reloader = Arc::new(reloader);

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
    let overview = Arc::new(Overview::new(
        &settings,
        Arc::clone(&store),
        generations.clone(),
        live.clone(),
        Sources { witness: witness.clone(), level: level.clone(), reloader: Arc::clone(&reloader) },
    ));
    let admin = Arc::new(Admin::new(Arc::clone(&overview) as Arc<dyn Backend>, ending.clone()));
    // Before plugins are loaded, so that it can be seen that they are.
    let network = operators(server, &admin, tls_config.clone())?;

    // Events that come before the plugins are there would not reach them.
    tokio::select! {
        started = started => started.context(
            "server.plugins_dir cannot be read; the log says why",
        )?,
        () = signals.next() => return finish(store, keeping).await,
    }
    overview.loaded();
    let socket = admin::Socket::bind(&server.data_dir)?;
    let control = tokio::spawn(async move { admin.on_socket(socket).await });
    // What is owed begins only when nothing can keep the server from starting any
    // more: else each try would use up attempts. And only now is it known which
    // plugins are gone.
    let listener = bind("server.listen", server.listen)?;
    let mut lanes = tokio::spawn(dispatch::run(
        Arc::clone(&store),
        runner,
        generations.clone(),
        witness.clone(),
    ));
    let scheme = if tls_config.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", listener.local_addr()?);
    overview.listening(address.clone());
    let live_plugins = generations.borrow().plugins.len();
    info!(address, plugins = live_plugins, "listening for webhooks at /hooks/<source>");
    changes.tell(What::Started { address: address.clone(), plugins: live_plugins });

    let deliveries_max = settings.journal.deliveries_max;
    let intake =
        Arc::new(Intake::new(live, generations, Arc::clone(&store), deliveries_max, witness));
    let mut serving = tokio::spawn(ingress::serve(
        listener,
        tls_config,
        Limits::new(server, connections_max),
        intake,
        ending,
    ));
    supervisor.ready(&format!("listening at {address}, plugins: {live_plugins}")).await;
    let writer = Arc::clone(&store);
    tokio::spawn(notify::signs_of_life(move || is_alive(Arc::clone(&writer))));
    tokio::select! {
        () = signals.next() => end.begin(),
        _ = &mut serving => bail!("the listener failed; this is a mistake in hookbox"),
        // Without them, what is accepted would reach nobody.
        _ = &mut lanes => bail!("the reload thread failed; this is a mistake in hookbox"),
        () = store.ended() => bail!("the journal's thread failed; this is a mistake in hookbox"),
    }
    supervisor.ending().await;
    let drain = Duration::from_millis(server.drain_ms);
    let drained = async {
        let _requests = serving.await;
        // Nothing more begins; what runs may end.
        store.close();
        tokio::time::timeout(drain, &mut lanes).await.is_ok()
    };
    let drained = tokio::select! {
        drained = drained => drained,
        () = signals.next() => false,
    };
    drop(reloader);
    let _its_socket_is_gone = control.await;
    if let Some(network) = network {
        let _its_port_is_free = network.await;
    }
    if !drained {
        warn!("calls were cut off: their events are handed over again at the next start");
    }
    traces.end().await;
    finish(store, keeping).await
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

/// `key`: of the configuration.
fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Else a restart would have to wait for old connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{key}: {address} is in use by another process; end it, or choose another port"
        ),
        _ => anyhow::anyhow!("{key}: {address}: {error}"),
    })
}

/// Makes the folder where it is missing. One that is there is left as it is:
/// what must be private in it has a folder of its own.
fn data_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o022 != 0 {
        warn!(folder = %path.display(), "others can write to server.data_dir; chmod 700 it");
    }
    Ok(())
}

/// Each connection is an open file, and the usual limit is 1,024.
///
/// Returns how many connections there can really be.
fn raise_open_files(connections_max: usize) -> usize {
    let wanted = connections_max as u64 + OTHER_FILES;
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= wanted) {
        return connections_max;
    }
    let most = now.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: now.maximum });
    let have = if raised.is_ok() { most } else { now.current.unwrap_or(wanted) };
    if have >= wanted {
        return connections_max;
    }
    let possible = usize::try_from(have.saturating_sub(OTHER_FILES)).unwrap_or(connections_max);
    warn!(
        open_files = have,
        connections = possible.max(1),
        "fewer files can be open than server.connections_max needs, so that it is lowered: raise \
         the hard limit (ulimit -Hn, LimitNOFILE=), or set it lower"
    );
    possible.max(1)
}
