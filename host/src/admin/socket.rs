//! Where the control socket is, and how it comes to be there: whole, and for
//! nobody else from its first moment.
//!
//! The caller has the lock of the data directory. So whatever is in the socket's
//! place was left by a server that is gone.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tokio::net::UnixStream;

/// The socket's name in the data directory.
const NAME: &str = "control.sock";

/// The folder in which it is made.
const WORKSHOP: &str = ".control";

/// Bytes of a path in a socket's address, without the zero at its end (`unix(7)`).
const PATH_BYTES_MAX: usize = 107;

/// The control socket. Its name is gone when this is dropped.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: tokio::net::UnixListener,
    path: PathBuf,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error("the control socket {}: {error}", .path.display())]
pub struct SocketError {
    path: PathBuf,
    error: io::Error,
}

impl Socket {
    /// Puts it into a data directory of which the caller has the lock. To be
    /// called on a runtime.
    ///
    /// # Errors
    /// Where the directory cannot be written to.
    pub fn bind(data_dir: &Path) -> Result<Self, SocketError> {
        let path = path(data_dir);
        match bind(data_dir, &path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(error) => Err(SocketError { path, error }),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _left_for_the_next_server = fs::remove_file(&self.path);
    }
}

/// Where the socket of a data directory is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

fn bind(data_dir: &Path, path: &Path) -> io::Result<tokio::net::UnixListener> {
    let workshop = data_dir.join(WORKSHOP);
    let _usually_not_there = fs::remove_dir_all(&workshop);
    // Until the socket has its mode, nobody else gets to it.
    DirBuilder::new().mode(0o700).create(&workshop)?;
    let made = listen(&workshop).and_then(|listener| {
        let new = workshop.join(NAME);
        fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        fs::rename(&new, path)?;
        Ok(listener)
    });
    let _empty = fs::remove_dir_all(&workshop);
    let listener = made?;
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

fn listen(folder: &Path) -> io::Result<UnixListener> {
    let address = Address::of(folder)?;
    UnixListener::bind(&address.path)
}

/// Connects to the server of a data directory.
pub(super) async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    let address = Address::of(data_dir)?;
    UnixStream::connect(&address.path).await
}

/// A path to a folder's socket that is short enough for an address.
struct Address {
    path: PathBuf,
    /// What the path leads through.
    _folder: Option<File>,
}

impl Address {
    fn of(folder: &Path) -> io::Result<Self> {
        let path = path(folder);
        if path.as_os_str().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}
