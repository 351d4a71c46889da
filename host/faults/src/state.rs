//! The disk itself: which files it has, what of them is durable, and what fails.
//!
//! Each operation is given as a closure that does it on the real file, and answers with SQLite's
//! result code. There are no pointers here: the [`crate::vfs`] has those.
//!
//! The ledger reads and writes the files through descriptors of its own. Closing any descriptor of
//! a file drops every POSIX lock that the process has on it, so ours is closed only after SQLite's
//! last one.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use crate::chance::Chance;
use crate::disk::Fault;
use crate::ledger::{BLOCK_BYTES, Ledger, Undo};

/// An open file of the disk: which one, and since which power cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    file: u64,
    generation: u64,
}

/// Everything behind a [`crate::Disk`].
#[derive(Debug)]
pub(crate) struct State {
    /// How many power cuts there were: a ticket of another generation is dead.
    generation: u64,
    powered: bool,
    fault: Option<Pending>,
    files: BTreeMap<u64, Tracked>,
    next_file: u64,
}

#[derive(Debug)]
struct Pending {
    /// 0 once the fault has begun.
    operations_until: u64,
    fault: Fault,
}

#[derive(Debug)]
struct Tracked {
    path: PathBuf,
    ledger: Ledger,
    tickets: usize,
    deleted: bool,
    /// Opened at the first write: a file that is only read need not be writable.
    file: Option<File>,
    /// The last generation that has mapped the file's WAL index.
    index_generation: u64,
}

impl State {
    pub(crate) fn new() -> State {
        State { generation: 0, powered: true, fault: None, files: BTreeMap::new(), next_file: 0 }
    }

    /// `real` is told whether to open the file for reading only, as SQLite itself tries next when
    /// a file system is mounted so.
    pub(crate) fn open(
        &mut self,
        path: &Path,
        real: impl FnOnce(bool) -> c_int,
    ) -> Result<Ticket, c_int> {
        if !self.powered {
            return Err(ffi::SQLITE_IOERR);
        }
        let before = fs::metadata(path).ok();
        match real(self.current_fault() == Some(Fault::ReadOnly)) {
            ffi::SQLITE_OK => {}
            code => return Err(code),
        }
        if before.is_none() {
            // Whatever the ledger had under this path went without SQLite's knowing.
            self.forget(path);
        }
        let known = self.files.iter_mut().find(|(_, file)| !file.deleted && file.path == path);
        let file = if let Some((id, file)) = known {
            file.tickets += 1;
            *id
        } else {
            let id = self.next_file;
            self.next_file += 1;
            self.files.insert(
                id,
                Tracked {
                    path: path.to_owned(),
                    ledger: Ledger::new(before.map_or(0, |metadata| metadata.len())),
                    tickets: 1,
                    deleted: false,
                    file: None,
                    index_generation: self.generation,
                },
            );
            id
        };
        Ok(Ticket { file, generation: self.generation })
    }

    pub(crate) fn close(&mut self, ticket: Ticket, real: impl FnOnce() -> c_int) -> c_int {
        let code = real();
        if let Some(file) = self.files.get_mut(&ticket.file) {
            file.tickets = file.tickets.saturating_sub(1);
            if file.tickets == 0 {
                file.file = None;
                let now_bytes = fs::metadata(&file.path).map_or(0, |metadata| metadata.len());
                if file.deleted || file.ledger.is_clean(now_bytes) {
                    self.files.remove(&ticket.file);
                }
            }
        }
        code
    }

    /// Whether the file was opened since the last power cut.
    pub(crate) fn is_live(&self, ticket: Ticket) -> bool {
        ticket.generation == self.generation
    }

    /// Does `real` unless the ticket is dead, which is answered with `dead`.
    pub(crate) fn if_live(
        &self,
        ticket: Ticket,
        dead: c_int,
        real: impl FnOnce() -> c_int,
    ) -> c_int {
        if self.is_live(ticket) { real() } else { dead }
    }

    pub(crate) fn write(
        &mut self,
        ticket: Ticket,
        offset: u64,
        bytes: u64,
        real: impl FnOnce() -> c_int,
    ) -> c_int {
        if !self.is_live(ticket) {
            return ffi::SQLITE_IOERR_WRITE;
        }
        match self.count_operation() {
            Some(Fault::Full) => return ffi::SQLITE_FULL,
            Some(Fault::Io | Fault::ReadOnly) => return ffi::SQLITE_IOERR_WRITE,
            Some(Fault::Sync) | None => {}
        }
        match self.save(ticket, |ledger, file| {
            ledger.before_write(offset, bytes, |start| read_block(file, start))
        }) {
            Ok(()) => real(),
            Err(_) => ffi::SQLITE_IOERR_WRITE,
        }
    }

    pub(crate) fn truncate(
        &mut self,
        ticket: Ticket,
        new_bytes: u64,
        real: impl FnOnce() -> c_int,
    ) -> c_int {
        if !self.is_live(ticket) {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        // A full disk still takes back what it gave.
        if let Some(Fault::Io | Fault::ReadOnly) = self.count_operation() {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        match self.save(ticket, |ledger, file| {
            let old_bytes = file.metadata()?.len();
            ledger.before_truncate(old_bytes, new_bytes, |start| read_block(file, start))
        }) {
            Ok(()) => real(),
            Err(_) => ffi::SQLITE_IOERR_TRUNCATE,
        }
    }

    pub(crate) fn sync(&mut self, ticket: Ticket, real: impl FnOnce() -> c_int) -> c_int {
        if !self.is_live(ticket) {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        let failed = self.count_operation() == Some(Fault::Sync);
        let code = if failed { ffi::SQLITE_IOERR_FSYNC } else { real() };
        let Some(file) = self.files.get_mut(&ticket.file).filter(|file| !file.deleted) else {
            return code;
        };
        if code != ffi::SQLITE_OK {
            file.ledger.sync_failed();
            return code;
        }
        match fs::metadata(&file.path) {
            Ok(metadata) => file.ledger.synced(metadata.len()),
            Err(_) => return ffi::SQLITE_IOERR_FSYNC,
        }
        code
    }

    /// A deletion is durable at once.
    pub(crate) fn delete(&mut self, path: &Path, real: impl FnOnce() -> c_int) -> c_int {
        if !self.powered || self.current_fault() == Some(Fault::ReadOnly) {
            return ffi::SQLITE_IOERR_DELETE;
        }
        let code = real();
        if code == ffi::SQLITE_OK {
            self.forget(path);
        }
        code
    }

    pub(crate) fn access(&self, real: impl FnOnce() -> c_int) -> c_int {
        if self.powered { real() } else { ffi::SQLITE_IOERR_ACCESS }
    }

    /// Maps a part of the WAL index. `real` is told whether the index is another generation's,
    /// kept in memory by dead connections of this process: a power cut would have emptied it.
    pub(crate) fn map_index(&mut self, ticket: Ticket, real: impl FnOnce(bool) -> c_int) -> c_int {
        if !self.is_live(ticket) {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
        let Some(file) = self.files.get_mut(&ticket.file) else { return real(false) };
        let code = real(file.index_generation < ticket.generation);
        if code == ffi::SQLITE_OK {
            file.index_generation = ticket.generation;
        }
        code
    }

    pub(crate) fn set_fault(&mut self, fault: Option<(u64, Fault)>) {
        self.fault = fault.map(|(operations_until, fault)| Pending { operations_until, fault });
    }

    pub(crate) fn unsynced_bytes(&self) -> u64 {
        let files = self.files.values().filter(|file| !file.deleted);
        files.map(|file| file.ledger.unsynced_bytes()).sum()
    }

    /// Brings the files back to what is durable, and to a part of the rest if there is a `chance`.
    pub(crate) fn power_cut(&mut self, mut chance: Option<Chance>) -> io::Result<()> {
        self.powered = false;
        self.generation += 1;
        for file in self.files.values_mut().filter(|file| !file.deleted) {
            file.power_cut(chance.as_mut())?;
        }
        self.files.retain(|_, file| file.tickets > 0);
        Ok(())
    }

    pub(crate) fn power_on(&mut self) {
        self.powered = true;
    }

    fn current_fault(&self) -> Option<Fault> {
        let begun = self.fault.as_ref().filter(|pending| pending.operations_until == 0);
        begun.map(|pending| pending.fault)
    }

    fn count_operation(&mut self) -> Option<Fault> {
        let pending = self.fault.as_mut()?;
        pending.operations_until = pending.operations_until.saturating_sub(1);
        self.current_fault()
    }

    fn forget(&mut self, path: &Path) {
        for file in self.files.values_mut().filter(|file| file.path == path) {
            file.deleted = true;
        }
        self.files.retain(|_, file| !file.deleted || file.tickets > 0);
    }

    fn save(
        &mut self,
        ticket: Ticket,
        save: impl FnOnce(&mut Ledger, &File) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(tracked) = self.files.get_mut(&ticket.file).filter(|file| !file.deleted) else {
            return Ok(());
        };
        let file = match tracked.file.take() {
            Some(file) => file,
            None => open_file(&tracked.path)?,
        };
        save(&mut tracked.ledger, tracked.file.insert(file))
    }
}

impl Tracked {
    fn power_cut(&mut self, chance: Option<&mut Chance>) -> io::Result<()> {
        let now_bytes = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            // Removed with its directory, without SQLite's knowing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.ledger.is_clean(now_bytes) {
            return Ok(());
        }
        let undo = match chance {
            Some(chance) => self.ledger.undo_some(now_bytes, chance),
            None => self.ledger.undo(),
        };
        let file = match self.file.take() {
            Some(file) => file,
            None => open_file(&self.path)?,
        };
        // Kept, not dropped: SQLite may have the file open and locked.
        apply(self.file.insert(file), &undo)?;
        self.ledger = Ledger::new(undo.file_bytes);
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn apply(file: &File, undo: &Undo) -> io::Result<()> {
    for (offset, bytes) in &undo.writes {
        file.write_all_at(bytes, *offset)?;
    }
    file.set_len(undo.file_bytes)
}

fn read_block(file: &File, start: u64) -> io::Result<Vec<u8>> {
    let mut block = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let offset = start + u64::try_from(filled).unwrap_or_default();
        match file.read_at(rest, offset) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(filled);
    Ok(block)
}
