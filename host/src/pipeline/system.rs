//! What the server asks of the system: folders, ports, open files.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tracing::warn;

use crate::config::Server;
use crate::store::sqlite::Lock;

/// Connections that may wait to be accepted. With the usual 128, a burst of new
/// ones makes some senders wait for a second until their system tries again. The
/// system caps it (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Open files that are needed beside connections.
const OTHER_FILES: u64 = 256;

/// Makes the server's folders, and takes the lock of its data directory before
/// anything in it is touched. To be held until the process ends.
///
/// # Errors
/// Where a folder cannot be made, or another process has the lock.
pub(super) fn folders(server: &Server) -> anyhow::Result<Lock> {
    data_folder(&server.data_dir)
        .with_context(|| format!("server.data_dir {}", server.data_dir.display()))?;
    let lock = Lock::take(&server.data_dir)?;
    fs::create_dir_all(&server.plugins_dir)
        .with_context(|| format!("server.plugins_dir {}", server.plugins_dir.display()))?;
    Ok(lock)
}

/// Listens there.
///
/// `key`: of the configuration.
///
/// # Errors
/// Where that cannot be; with the key.
pub(super) fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
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
pub(super) fn raise_open_files(connections_max: usize) -> usize {
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
