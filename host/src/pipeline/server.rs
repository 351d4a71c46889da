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
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::intake::Intake;
use super::reload::Targets;
use super::{dispatch, reload};
use crate::config::{Config, Server};
use crate::ingress::{self, Limits, tls};
use crate::plugin::compile::Compiler;
use crate::plugin::invoke::Runner;
use crate::plugin::load::Loader;
use crate::plugin::registry::Registry;
use crate::plugin::watch::Reloader;
use crate::plugin::{engine, imports};
use crate::shutdown::{self, Signals};
use crate::store::Store as _;
use crate::store::memory::MemoryStore;

/// Connections that may wait to be accepted. With the usual 128, a burst of new
/// ones makes some senders wait for a second until their system tries again. The
/// system caps it (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Open files that are needed beside connections.
const OTHER_FILES: u64 = 256;

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every event that was taken was handed over.
    Whole,
    /// Some were not, and are lost.
    Lossy,
}

/// Serves until a signal ends it.
///
/// `path`: the file that `config` was read from, where there is one.
/// `guests`: the runtime whose threads run guests and nothing else.
///
/// # Errors
/// Where a part cannot be started; what is wrong and what to do.
pub async fn serve(path: Option<PathBuf>, config: Config, guests: Handle) -> anyhow::Result<Ended> {
    let settings = config.settings.clone();
    let server = &settings.server;
    let connections_max = raise_open_files(server.connections_max);
    data_folder(&server.data_dir)
        .with_context(|| format!("server.data_dir {}", server.data_dir.display()))?;
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

    let engine = engine::start(&settings.runtime)?;
    let runner = Runner::new(engine.clone(), guests, settings.runtime.instances_max);
    let compiler =
        Compiler::new(&engine, &server.data_dir, settings.reload.clone(), Handle::current())
            .context("the folder for compiled code in server.data_dir")?;
    let loader = Loader::new(compiler, imports::linker(&engine)?, runner.clone());
    let (registry, generations) = Registry::new();
    let plugins = config.live.plugins.clone();
    let directory = server.plugins_dir.clone();
    let (reloader, started) =
        Reloader::start(directory, settings.reload.clone(), plugins, loader, registry)?;
    let reloader = Arc::new(reloader);

    let store = Arc::new(MemoryStore::new(settings.queue.clone()));
    let mut lanes = tokio::spawn(dispatch::run(Arc::clone(&store), runner, generations.clone()));
    let (live_target, live) = watch::channel(Arc::new(config.live.clone()));
    let targets = Targets { live: live_target, tls: tls_target, reloader: Arc::clone(&reloader) };
    tokio::spawn(async move {
        reload::run(path, config, targets, hangup).await;
    });

    // Events that come before the plugins are there would not reach them.
    tokio::select! {
        started = started => started.context(
            "server.plugins_dir cannot be read; the log says why",
        )?,
        () = signals.next() => return Ok(Ended::Whole),
    }
    let listener = bind(server)?;
    let scheme = if tls_config.is_some() { "https" } else { "http" };
    let address = listener.local_addr()?;
    let live_plugins = generations.borrow().plugins.len();
    info!(
        address = format!("{scheme}://{address}"),
        plugins = live_plugins,
        "listening for webhooks at /hooks/<source>"
    );

    let (end, ending) = shutdown::channel();
    let intake = Arc::new(Intake::new(live, generations, Arc::clone(&store)));
    let mut serving = tokio::spawn(ingress::serve(
        listener,
        tls_config,
        Limits::new(server, connections_max),
        intake,
        ending,
    ));
    tokio::select! {
        () = signals.next() => end.begin(),
        _ = &mut serving => bail!("the listener failed; this is a mistake in hookbox"),
        // Without them, what is accepted would reach nobody.
        _ = &mut lanes => bail!("the reload thread failed; this is a mistake in hookbox"),
    }
    let drain = Duration::from_millis(server.drain_ms);
    let drained = async {
        let _requests = serving.await;
        store.close();
        tokio::time::timeout(drain, &mut lanes).await.is_ok()
    };
    let drained = tokio::select! {
        drained = drained => drained,
        () = signals.next() => false,
    };
    drop(reloader);
    let left = store.unsettled();
    if left == 0 {
        info!("ended; every accepted event was handed over");
        Ok(Ended::Whole)
    } else {
        error!(
            left,
            drained, "ended with deliveries that are lost, since events are kept in memory only"
        );
        Ok(Ended::Lossy)
    }
}

fn bind(server: &Server) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = match server.listen {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Else a restart would have to wait for old connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(server.listen)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "server.listen: {} is in use by another process; end it, or choose another port",
            server.listen
        ),
        _ => anyhow::anyhow!("server.listen: {}: {error}", server.listen),
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
