//! Connections that only read, for what calls of plugins ask while they run.
//!
//! Invariants:
//! - Reading never blocks a thread of the runtime that waits for it.
//! - A read sees all that was committed before it began, so a call sees what
//!   every call that was settled before it was handed out has changed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{schema, vfs};

/// Reads at once. Each takes some tens of microseconds as a rule, so that more
/// would only take memory: each connection has pages of the file.
const READERS_MAX: usize = 4;

/// Kibibytes of the file that each keeps in memory.
const CACHE_KIB: i64 = 4 * 1024;

/// See the module's text.
pub(super) struct Readers {
    path: PathBuf,
    runtime: Handle,
    permits: Arc<Semaphore>,
    /// Those that nobody uses. By a lock, since threads that read put them back.
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// `runtime`: on whose threads for blocking work is read.
    pub(super) fn new(path: PathBuf, runtime: Handle) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(READERS_MAX));
        Arc::new(Self { path, runtime, permits, idle: Mutex::default() })
    }

    /// Reads. Where the returned future is dropped, what has begun goes on to
    /// its end, and still counts as one.
    ///
    /// # Errors
    /// What SQLite says; or that the store is closed.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| "the server is ending".to_owned())?;
        let readers = Arc::clone(self);
        let reading = self.runtime.spawn_blocking(move || {
            let _permit = permit;
            let done = readers.with(work);
            done.map_err(|error| error.to_string())
        });
        reading.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, schema::OpenError> {
        // Apart, so that the lock is not held while the file is opened.
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        // One state of the file for all that is read.
        connection.execute_batch("BEGIN")?;
        let done = work(&connection)?;
        connection.execute_batch("COMMIT")?;
        // One that failed is closed instead: it may know what is not so any more.
        let mut idle = self.idle();
        // Asked for with the lock held, so that `close` misses none.
        if !self.permits.is_closed() {
            idle.push(connection);
        }
        Ok(done)
    }

    fn open(&self) -> Result<Connection, schema::OpenError> {
        let connection = schema::open_reader(&self.path, vfs())?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what nobody uses, so that the writer is the last to close the file
    /// and tidies it up. Nothing is read any more.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }
}
