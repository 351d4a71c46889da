//! The journal of a stopped server, for the operator's questions and changes.
//! It has the server's lock meanwhile, so that no server starts on top of it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use super::operate::{self, Context};
use super::schema::{self, OpenError};
use super::{Lock, LockError, PluginRecord, delivery_id, known, query, rows, unix_ms, vfs};
use crate::store::records::{Deed, Operation, Query, Report, RequestError};

/// Who changes something without a server, as over the control socket.
const ACTOR: &str = "local";

/// See the module's text.
pub struct Offline {
    connection: Connection,
    // Dropped last: the file is closed by then.
    _lock: Lock,
}

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A server runs, or another command.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No server has run there.
    #[error(
        "{}: there is no journal; name the data directory by --data-dir, or the server's configuration by --config",
        .file.display()
    )]
    Missing {
        /// Where it would be.
        file: PathBuf,
    },
    /// It cannot even be seen whether there is one.
    #[error("{}: {error}; run this as the server's user", .file.display())]
    Unreachable {
        /// Where it would be.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be opened.
    #[error("{}: {error}", .file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        error: OpenError,
    },
}

impl Offline {
    /// Opens the journal in a data directory of which no server has the lock.
    ///
    /// # Errors
    /// See [`OfflineError`]; [`LockError::Held`] where a server runs.
    pub fn open(data_dir: &Path) -> Result<Self, OfflineError> {
        let file = data_dir.join(schema::FILE);
        // Looked for first: taking the lock would leave a file of it in any folder.
        match file.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(OfflineError::Missing { file }),
            Err(error) => return Err(OfflineError::Unreachable { file, error }),
        }
        let lock = Lock::take(data_dir)?;
        match schema::open(&file, vfs()) {
            Ok(connection) => Ok(Self { connection, _lock: lock }),
            Err(error) => Err(OfflineError::Open { file, error }),
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn query(&self, question: &Query) -> Result<Value, RequestError> {
        query::answer(&self.connection, question)
    }

    /// The plugins that the journal knows.
    ///
    /// # Errors
    /// [`RequestError::UNAVAILABLE`] where the file cannot be read.
    pub fn plugins(&self) -> Result<Vec<PluginRecord>, RequestError> {
        known::plugins(&self.connection).map_err(|error| {
            RequestError::unavailable(format!("the journal cannot be read: {error}"))
        })
    }

    /// Does one step of an operation, durably.
    ///
    /// # Errors
    /// See [`RequestError`]; then nothing was changed.
    pub fn operate(&self, operation: &Operation) -> Result<Report, RequestError> {
        let done = self.step(operation);
        if !self.connection.is_autocommit() {
            let _also_undone_when_closed = self.connection.execute_batch("ROLLBACK");
        }
        done.unwrap_or_else(|error| {
            Err(RequestError::unavailable(format!("the journal cannot be written: {error}")))
        })
    }

    fn step(&self, operation: &Operation) -> rusqlite::Result<Result<Report, RequestError>> {
        let now_ms = unix_ms();
        let mut context = Context {
            now_ms,
            // Which plugins are ordered is not known here. Where one is not, an
            // order that nobody asked for does no harm.
            ordered: &|_| true,
            live: &|_| false,
            new_id: &mut || delivery_id(now_ms),
        };
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let step = operate::step(&self.connection, operation, &mut context)?;
        if let Ok(step) = &step {
            // With what it notes, or neither is there.
            if let Some(deed) = Deed::of(operation).and_then(|deed| deed.done(&step.report)) {
                rows::insert_change(&self.connection, &deed.by(ACTOR, now_ms))?;
            }
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(step.map(|step| step.report))
    }
}
