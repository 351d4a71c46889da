//! A disk under SQLite that forgets what was not synced, and fails when told to.

use std::error::Error;
use std::ffi::c_int;
use std::fmt;
use std::mem;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chance::Chance;
use crate::state::State;
use crate::vfs;

/// A disk under SQLite: databases opened with [`Disk::vfs`] are on it, with their WAL and journal.
///
/// They are real files of the system. The disk remembers of each 4 KiB block that was written
/// since the file's last sync what it was before, and a power cut puts that back. A file that was
/// created and never synced comes back empty; a deletion is durable at once. Temporary files are
/// not on this disk. Neither is the WAL index (`-shm`), which SQLite builds anew after a crash.
///
/// A database on it must not be opened over another VFS by the same process at the same time.
/// Clones are the same disk.
#[derive(Clone)]
pub struct Disk {
    vfs: Arc<str>,
    /// Shared by every connection, and by the test that cuts the power. It is held during each
    /// operation on a file, so that a power cut falls between two of them.
    state: Arc<Mutex<State>>,
}

/// What a disk can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No space: every write gives `SQLITE_FULL`, also one inside the file, so that a test need
    /// not know whether a commit makes the WAL longer.
    Full,
    /// `EIO`: writes give `SQLITE_IOERR_WRITE`, truncations `SQLITE_IOERR_TRUNCATE`.
    Io,
    /// A sync gives `SQLITE_IOERR_FSYNC`, and what it should have made durable is not made so by
    /// a later sync either, unless it is written again. Reads show it all the same.
    Sync,
    /// The file system was mounted again read-only, as ext4 does after an error (`EROFS`): writes
    /// and truncations fail as with [`Fault::Io`], deletions give `SQLITE_IOERR_DELETE`; a file
    /// that exists opens for reading only, one that does not gives `SQLITE_CANTOPEN`.
    ReadOnly,
}

/// Why a disk could not be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterError {
    /// A NUL in the name.
    Name,
    /// SQLite has a VFS of that name already.
    Taken(String),
    /// SQLite has no VFS of its own to build on.
    NoSystem,
    /// SQLite's result code.
    Sqlite(c_int),
}

impl Disk {
    /// Registers a VFS of that name over the system's, and not as the default.
    /// It stays registered for the life of the process.
    pub fn register(name: &str) -> Result<Disk, RegisterError> {
        let disk = Disk { vfs: name.into(), state: Arc::new(Mutex::new(State::new())) };
        vfs::register(&disk)?;
        Ok(disk)
    }

    /// The name to open a database with.
    #[must_use]
    pub fn vfs(&self) -> &str {
        &self.vfs
    }

    /// Cuts the power: undoes every write and truncation that is not durable. Until
    /// [`Disk::power_on`] nothing can be opened. What was open stays dead for ever: its operations
    /// fail with `SQLITE_IOERR`, and it takes no new lock, so that a connection that is closed
    /// after the cut changes nothing.
    ///
    /// Until it is closed, a dead connection keeps the locks it had. Close those that were
    /// writing before another one is to write.
    ///
    /// # Panics
    ///
    /// If a file cannot be brought back: a test that went on would prove nothing.
    pub fn power_cut(&self) {
        self.cut_or_panic(None);
    }

    /// As [`Disk::power_cut`], but the disk had begun to write what was not synced: some blocks
    /// stay, and of each file at most one is torn between two sectors. The same seed and the same writes give
    /// the same files. What a failed sync has lost is lost.
    ///
    /// # Panics
    ///
    /// As [`Disk::power_cut`].
    pub fn power_cut_keeping(&self, seed: u64) {
        self.cut_or_panic(Some(Chance::new(seed)));
    }

    /// Cuts the power of the whole machine, as far as this process can tell: [`Disk::power_cut`],
    /// and the end of the process before anyone else touches a file. It ends as by `SIGABRT`.
    pub fn power_cut_and_abort(&self) -> ! {
        self.cut_and_abort(None)
    }

    /// [`Disk::power_cut_keeping`], and the end of the process.
    pub fn power_cut_keeping_and_abort(&self, seed: u64) -> ! {
        self.cut_and_abort(Some(Chance::new(seed)))
    }

    /// The power is back: files can be opened again.
    pub fn power_on(&self) {
        self.state().power_on();
    }

    /// What fails from now on, until [`Disk::heal`]. It replaces the fault there was.
    pub fn fail(&self, fault: Fault) {
        self.state().set_fault(Some((0, fault)));
    }

    /// As [`Disk::fail`], but it begins with the n-th operation from now: writes, truncations and
    /// syncs count, of all files together.
    pub fn fail_after(&self, operations: u64, fault: Fault) {
        self.state().set_fault(Some((operations, fault)));
    }

    /// Each operation on a file from now on stands still for ever, as on a network
    /// disk whose server is gone.
    pub fn hang(&self) {
        mem::forget(self.state());
    }

    /// No fault any more. What is lost stays lost.
    pub fn heal(&self) {
        self.state().set_fault(None);
    }

    /// How much a power cut would undo, in bytes, counted in whole 4 KiB blocks. What a failed
    /// sync has lost counts until it is written and synced again.
    #[must_use]
    pub fn unsynced_bytes(&self) -> u64 {
        self.state().unsynced_bytes()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::panic, reason = "see its callers: the test must end here")]
    fn cut_or_panic(&self, chance: Option<Chance>) {
        if let Err(error) = self.state().power_cut(chance) {
            panic!("the power cut could not bring a file back: {error}");
        }
    }

    fn cut_and_abort(&self, chance: Option<Chance>) -> ! {
        let mut state = self.state();
        if let Err(error) = state.power_cut(chance) {
            eprintln!("hookbox-faults: the power cut could not bring a file back: {error}");
        }
        // Never unlocked: whoever waits for the disk waits for the end.
        mem::forget(state);
        process::abort()
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("vfs", &self.vfs).finish_non_exhaustive()
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::Name => write!(f, "the name of a VFS cannot contain a NUL"),
            RegisterError::Taken(name) => write!(f, "there is a VFS named {name} already"),
            RegisterError::NoSystem => write!(f, "SQLite has no VFS of its own"),
            RegisterError::Sqlite(code) => {
                write!(f, "SQLite did not register the VFS: result code {code}")
            }
        }
    }
}

impl Error for RegisterError {}
