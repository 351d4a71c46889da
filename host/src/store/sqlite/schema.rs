//! Opening the journal's file: its version, its migrations, its settings.
//!
//! Invariants:
//! - A file of an older version is brought forward in one transaction, or left
//!   as it was.
//! - A file of a newer version, or one that is no journal, is never written to.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// The journal's name in the data directory.
pub const FILE: &str = "journal.sqlite";

/// "hbox": tells the file apart from other databases (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6862_6f78;

/// Each brings the schema from its index to the next version. A released one is
/// never edited.
pub(super) const MIGRATIONS: [&str; 3] =
    [include_str!("schema.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// The version that this program writes.
pub const VERSION: usize = MIGRATIONS.len();

/// A reader that finds the file locked waits this long, such as while another
/// connection recovers it.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Pages of 4 KiB in the write-ahead log past which a commit copies them into
/// the main file. Larger: fewer copies of a page that many commits touch, and a
/// longer pause when it is its turn.
const CHECKPOINT_PAGES: u32 = 4_000;

/// Bytes that the write-ahead log keeps on disk after it was copied: it grows
/// past that only while someone reads for long.
const LOG_BYTES_KEPT: u32 = 64 << 20;

/// Kibibytes of the file that a connection keeps in memory.
const CACHE_KIB: u32 = 32 * 1024;

/// Why the journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Written by a later version.
    #[error(
        "it was written by a later version of hookbox (schema {found}; this one knows up to {VERSION}): use that version"
    )]
    Newer {
        /// Its version.
        found: i64,
    },
    /// A database of something else.
    #[error("it is a database, but no journal of hookbox: move it away")]
    Foreign,
    /// Damaged.
    #[error("it is damaged ({0}): move it away, or restore it from a backup")]
    Damaged(String),
    /// The system gives no thread to write it.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
    /// Anything else that SQLite says.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Sqlite(error),
        }
    }
}

/// Opens the file for writing, made where it is missing.
///
/// `vfs`: another one of SQLite's than the system's.
///
/// # Errors
/// See [`OpenError`].
pub fn open(path: &Path, vfs: Option<&str>) -> Result<Connection, OpenError> {
    make_private(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags, vfs)?;
    connection.busy_timeout(BUSY_MAX)?;
    let found = version(&connection)?;
    if found as usize > VERSION || found < 0 {
        return Err(OpenError::Newer { found });
    }
    settings(&connection)?;
    migrate(&connection, found)?;
    Ok(connection)
}

/// Makes the file where it is missing, for its owner alone: the folder may be
/// open to others. SQLite gives its other files the same mode.
fn make_private(path: &Path) {
    // Where it cannot be made, opening it says why.
    let _is_there_or_cannot_be =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Opens the file for reading only.
///
/// # Errors
/// See [`OpenError`].
pub fn open_reader(path: &Path, vfs: Option<&str>) -> Result<Connection, OpenError> {
    let connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX, vfs)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags, vfs: Option<&str>) -> rusqlite::Result<Connection> {
    match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    }
}

/// The schema's version; 0 for an empty file.
fn version(connection: &Connection) -> Result<i64, OpenError> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match application {
        APPLICATION => Ok(version),
        0 if tables == 0 && version == 0 => Ok(0),
        _ => Err(OpenError::Foreign),
    }
}

fn settings(connection: &Connection) -> Result<(), OpenError> {
    // Write-ahead log: readers never block the writer, nor it them. Full: each
    // commit is synced before it returns. It is the whole promise.
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::Damaged(format!("its journal mode stays {mode}")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    #[cfg(feature = "faults")]
    if hookbox_faults::synchronous_off() {
        connection.pragma_update(None, "synchronous", "OFF")?;
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    // References say what belongs to what. To enforce them, SQLite would look
    // through all that is owed for each event that is removed.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -i64::from(CACHE_KIB))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn migrate(connection: &Connection, found: i64) -> Result<(), OpenError> {
    let from = usize::try_from(found).unwrap_or(VERSION);
    if from == VERSION {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = MIGRATIONS.iter().skip(from).try_for_each(|text| connection.execute_batch(text));
    let stamped = migrated.and_then(|()| {
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", VERSION as i64)?;
        connection.execute_batch("COMMIT")
    });
    if stamped.is_err() {
        let _already_undone = connection.execute_batch("ROLLBACK");
    }
    Ok(stamped?)
}

/// Looks through the whole file for damage. Takes seconds for each gigabyte.
///
/// # Errors
/// [`OpenError::Damaged`] with the first of what is wrong.
pub fn check(connection: &Connection) -> Result<(), OpenError> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(OpenError::Damaged(said)) }
}

/// Writes all that is in the write-ahead log into the main file anew. After a
/// sync has failed, the system may hold pages for clean which it has not written
/// (the "fsyncgate" of 2018): syncing again would report success for nothing,
/// while pages that are written again are.
///
/// # Errors
/// SQLite's.
pub fn write_again(connection: &Connection) -> rusqlite::Result<()> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
        Some("a reader keeps the log from being written back".to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_commit_is_synced_and_references_cost_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = open(&folder.path().join(FILE), None).expect("a journal");
        let pragma = |name: &str| -> i64 {
            let row = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
            row.expect(name)
        };
        // FULL. `hookbox-tests` shows by power cuts that it matters.
        assert_eq!(pragma("synchronous"), 2);
        // To enforce them, removing an event would look through all that is owed.
        assert_eq!(pragma("foreign_keys"), 0);
    }
}
