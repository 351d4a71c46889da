//! The embedded store: one SQLite file in the data directory, written by one
//! thread that commits all that waits at once.
//!
//! ```text
//! accept ─┐                          ┌─▶ answers
//! settle ─┼─▶ inbox ─▶ writer ─▶ commit
//! claim  ─┘   bounded   one thread   └─▶ claims
//! ```
//!
//! There is no artificial delay: a batch is what came while the one before it
//! was committed, so it grows with the load.

mod dead;
mod failure;
#[cfg(test)]
mod fixture;
mod forget;
mod inbox;
mod journal;
mod keyvalue;
mod known;
mod lanes;
mod lock;
mod matching;
mod offline;
mod operate;
mod pause;
mod query;
mod readers;
mod retain;
mod rows;
pub mod schema;
mod search;
mod state;
mod status;
mod walk;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hookbox_core::ids::{DeliveryId, PluginName};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};

use self::inbox::{Inbox, Reply};
pub use self::journal::{Batch, Command, Done, Failure, Journal, Limits, News};
pub use self::known::PluginRecord;
pub use self::lanes::LaneCounts;
pub use self::lock::{Lock, LockError};
pub use self::offline::{Offline, OfflineError};
use self::readers::Readers;
use self::schema::OpenError;
use self::status::Counts;
use super::records::{Operation, Query, Report, RequestError};
use super::{
    Accept, Accepted, Attempt, Claim, Health, KnownPlugin, LaneStatus, LivePlugin, RefusedRequest,
    Settled, Store, StoreError,
};
use crate::telemetry::live::Live;
use crate::telemetry::metrics::Metrics;

/// Questions of operators that are answered at once. Each has a connection of
/// its own, so that none waits for the writer, nor the writer for it.
const QUERIES_MAX: usize = 2;

/// Longest time of a question: as long as it reads, the write-ahead log grows.
const QUERY_MAX: Duration = Duration::from_secs(5);

/// Instructions of SQLite's between two looks at the clock.
const QUERY_STEP: i32 = 10_000;

/// How many webhooks may wait to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Their number.
    pub count_max: usize,
    /// What their events take in memory.
    pub bytes_max: usize,
}

/// See the module's text.
pub struct SqliteStore {
    inbox: Arc<Inbox>,
    path: PathBuf,
    queries: Arc<Semaphore>,
    readers: Arc<Readers>,
    counts: Counts,
    // Taken by whoever waits for the thread's end.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A store that was opened.
pub struct Opened {
    /// The store.
    pub store: SqliteStore,
    /// Plugins that are owed events though they may not be live yet.
    pub known: Vec<KnownPlugin>,
}

impl SqliteStore {
    /// Opens the journal in a data directory, of which the caller has the
    /// [`Lock`], and starts its writer.
    ///
    /// `answers`: the runtime on which those who wait are told. `metrics`: told of
    /// each commit, and of what is owed. `live`: told of what the journal decides by
    /// itself.
    ///
    /// # Errors
    /// See [`OpenError`]; also where no thread can be started.
    pub fn open(
        data_dir: &Path,
        waiting: Waiting,
        limits: Limits,
        answers: Handle,
        metrics: Arc<Metrics>,
        live: Live,
    ) -> Result<Opened, OpenError> {
        let path = data_dir.join(schema::FILE);
        let journal = Journal::open(&path, vfs(), limits, unix_ms())?;
        let known = journal.known()?;
        let inbox = Arc::new(Inbox::new(waiting));
        inbox.owed.store(journal.owed(), Ordering::Relaxed);
        let counts = Counts::new(journal.counts());
        let readers = Readers::new(path.clone(), answers.clone());
        metrics.owed(journal.owed());
        let writer = writer::Writer::new(journal, Arc::clone(&inbox), answers, metrics, live);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        let store = Self {
            inbox,
            path,
            queries: Arc::new(Semaphore::new(QUERIES_MAX)),
            readers,
            counts,
            thread: Mutex::new(Some(thread)),
        };
        Ok(Opened { store, known })
    }

    /// Answers an operator's question.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn query(&self, query: Query) -> Result<Value, RequestError> {
        let permit = Arc::clone(&self.queries).acquire_owned().await;
        let path = self.path.clone();
        let asking = tokio::task::spawn_blocking(move || {
            // Here, since it is answered to its end also where nobody waits any more.
            let _permit = permit;
            let mut connection =
                schema::open_reader(&path, vfs()).map_err(|error| unavailable(&error))?;
            let until = Instant::now() + QUERY_MAX;
            connection
                .progress_handler(QUERY_STEP, Some(move || Instant::now() > until))
                .map_err(|error| unavailable(&error))?;
            query::answer(&connection, &query)
        });
        asking.await.unwrap_or_else(|error| Err(unavailable(&error)))
    }

    /// The committed values of keys of a plugin's state, in the keys' order. The
    /// inner one is none where they have over `bytes_max` bytes in all.
    ///
    /// # Errors
    /// Why it cannot be read now.
    pub async fn state_values(
        &self,
        plugin: &PluginName,
        keys: Vec<String>,
        bytes_max: u64,
    ) -> Result<Option<Vec<Option<Vec<u8>>>>, String> {
        let plugin = plugin.clone();
        let read = move |conn: &_| state::values(conn, plugin.as_str(), &keys, bytes_max);
        self.readers.read(read).await
    }

    /// The bytes of a plugin's state in all, and those of the values of keys, in
    /// the keys' order.
    ///
    /// # Errors
    /// Why it cannot be read now.
    pub async fn state_lengths(
        &self,
        plugin: &PluginName,
        keys: Vec<String>,
    ) -> Result<(u64, Vec<Option<u64>>), String> {
        let plugin = plugin.clone();
        let read = move |conn: &_| {
            let lengths = keys.iter().map(|key| state::length(conn, plugin.as_str(), key));
            Ok((state::size(conn, plugin.as_str())?.bytes, lengths.collect::<Result<_, _>>()?))
        };
        self.readers.read(read).await
    }

    /// The first keys of a plugin's state after one, in the order of their bytes.
    ///
    /// # Errors
    /// Why it cannot be read now.
    pub async fn state_keys(
        &self,
        plugin: &PluginName,
        after: String,
        limit: usize,
    ) -> Result<Vec<String>, String> {
        let plugin = plugin.clone();
        self.readers.read(move |conn| state::keys(conn, plugin.as_str(), &after, limit)).await
    }

    /// Each plugin that was ever live and has a file, is paused, is owed something
    /// or has dead letters that are not discarded, by name. Cheap enough to be
    /// asked every second.
    ///
    /// What is counted is as of a commit within the last half second; while the
    /// journal cannot be written, or the disk is slow, as it was told last.
    ///
    /// # Errors
    /// Where the file cannot be read now.
    pub async fn lanes(&self) -> Result<Vec<LaneStatus>, RequestError> {
        let counts = self.counts.ask(&self.inbox).await;
        let read = self.readers.read(move |conn: &_| status::lanes(conn, &counts)).await;
        read.map_err(|error| unavailable(&error))
    }

    /// Bytes that the journal takes on disk, its write-ahead log among them.
    pub fn journal_bytes(&self) -> u64 {
        let log = self.path.with_extension("sqlite-wal");
        // One that cannot be looked at counts as none: the log goes with each end.
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        bytes(&self.path).saturating_add(bytes(&log))
    }

    /// Does one step of what an operator asks for.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn operate(&self, operation: Operation) -> Result<Report, RequestError> {
        let (reply, told) = oneshot::channel();
        self.inbox.push(Command::Operate(operation), Reply::Operate(reply));
        told.await.unwrap_or_else(|_| Err(unavailable(&StoreError::Closed)))
    }

    /// Returns once the writer has taken a turn. While it stands still, or after
    /// its end, it does not return.
    pub async fn turn(&self) {
        let mut turns = self.inbox.turns.subscribe();
        self.inbox.nudge();
        let _sender_is_ours = turns.changed().await;
    }

    /// Ends the writer once all that was given to it is written, and waits for
    /// that. For a thread that may wait.
    pub fn end(&self) {
        self.readers.close();
        self.inbox.end();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _it_said_why = thread.join();
        }
    }

    /// Returns once the writer has ended, which it does only when told to, or
    /// by a mistake in hookbox.
    pub async fn ended(&self) {
        let mut health = self.inbox.health.subscribe();
        let _sender_is_ours = health.wait_for(|_| self.inbox.is_gone()).await;
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.inbox.end();
    }
}

impl Store for SqliteStore {
    async fn accept(&self, accept: Accept) -> Result<Accepted, StoreError> {
        let (reply, told) = oneshot::channel();
        self.inbox.push_accept(accept, reply)?;
        told.await.unwrap_or(Err(StoreError::Closed))
    }

    fn refused(&self, refused: RefusedRequest) {
        self.inbox.push_refused(refused);
    }

    async fn claim(&self, plugin: &PluginName) -> Option<Claim> {
        let (reply, handed) = oneshot::channel();
        self.inbox.push_want(plugin.clone(), reply);
        // Where this future is dropped with a claim in the channel, the channel
        // gives it back.
        Handed { inbox: &self.inbox, channel: handed }.claim().await
    }

    fn release(&self, claim: Claim) {
        self.inbox.push(Command::Release(claim), Reply::Nobody);
    }

    fn settle(
        &self,
        claim: Claim,
        attempt: Attempt,
    ) -> impl Future<Output = Option<Settled>> + Send + 'static {
        let (reply, told) = oneshot::channel();
        self.inbox.push(Command::Settle(claim, attempt), Reply::Settle(reply));
        async { told.await.ok() }
    }

    fn plugins(&self, live: Vec<LivePlugin>, unloadable: Vec<PluginName>) {
        self.inbox.push(Command::Plugins { live, unloadable }, Reply::Nobody);
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.inbox.health.subscribe()
    }

    fn close(&self) {
        self.inbox.close();
    }

    async fn closed(&self) {
        let mut closed = self.inbox.closed.subscribe();
        let _sender_is_ours = closed.wait_for(|closed| *closed).await;
    }

    fn owed(&self) -> u64 {
        self.inbox.owed.load(Ordering::Relaxed)
    }
}

/// The place where a claim arrives.
struct Handed<'a> {
    inbox: &'a Inbox,
    channel: oneshot::Receiver<Claim>,
}

impl Handed<'_> {
    async fn claim(mut self) -> Option<Claim> {
        (&mut self.channel).await.ok()
    }
}

impl Drop for Handed<'_> {
    fn drop(&mut self) {
        self.channel.close();
        if let Ok(claim) = self.channel.try_recv() {
            self.inbox.push(Command::Release(claim), Reply::Nobody);
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> RequestError {
    RequestError {
        code: "unavailable".to_owned(),
        message: format!("the journal cannot be used now: {error}"),
    }
}

/// Another one of SQLite's file layers, in tests.
fn vfs() -> Option<&'static str> {
    #[cfg(feature = "faults")]
    let vfs = hookbox_faults::vfs();
    #[cfg(not(feature = "faults"))]
    let vfs = None;
    vfs
}

/// Milliseconds since the Unix epoch.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A new delivery's id.
fn delivery_id(now_ms: u64) -> DeliveryId {
    let mut random = [0; 10];
    // Where the system gives none, the time alone tells ids apart; the place in
    // the queue, not the id, is what must be unique.
    let _by_time_alone = getrandom::fill(&mut random);
    DeliveryId::new(now_ms, random)
}
