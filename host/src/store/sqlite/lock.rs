//! One process for each data directory: a lock on a file in it, which the
//! system drops when the process ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

/// The file's name in the data directory.
const FILE: &str = "lock";

/// Held as long as the value lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing it drops the lock")] File);

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{} is in use by another hookbox{}: two would hand over each event twice; end that one, or \
         give this one a server.data_dir of its own",
        .folder.display(),
        .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Held {
        /// The data directory.
        folder: PathBuf,
        /// The other process, where it said so.
        pid: Option<u32>,
    },
    /// The file cannot be used.
    #[error("{}: {error}", .file.display())]
    Io {
        /// The lock's file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Lock {
    /// Takes the lock of a data directory, at once or not at all.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(FILE);
        let fail = |error: io::Error| LockError::Io { file: path.clone(), error };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // A link would have us empty whatever file it leads to.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(fail)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
                let mut text = String::new();
                let _empty_says_nothing = file.read_to_string(&mut text);
                let pid = text.trim().parse().ok();
                return Err(LockError::Held { folder: folder.to_owned(), pid });
            }
            Err(error) => return Err(fail(error.into())),
        }
        // Who has it is for people only: a full disk keeps nobody from starting.
        let _for_people = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}
