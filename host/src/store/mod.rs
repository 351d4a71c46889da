//! Where events are kept from the moment they are acknowledged.
//!
//! [`Store`] is what the pipeline needs of it: an event and its deliveries are
//! accepted as one, a delivery is claimed by a worker of its plugin, and a claim
//! is settled once it is known what became of it.
//!
//! [`sqlite`] is the embedded default: one file that any SQLite tool can open.
//! The trait is there so that a store which several processes share can take
//! its place; whatever assumes one process stays behind it.

pub mod records;
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use hookbox_core::breaker::BreakerPolicy;
use hookbox_core::effects::{OutboundCall, StateChange};
use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::Outcome;
use hookbox_core::retry::{DeadReason, RetryPolicy};

/// An event to accept, with the plugins that get it.
#[derive(Debug)]
pub struct Accept {
    /// Its id, which the sender is told.
    pub id: EventId,
    /// The event.
    pub event: Arc<Event>,
    /// When it arrived: milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// How long the same body counts as a duplicate; 0: never.
    pub duplicate_window_ms: u64,
    /// One for each plugin that is subscribed now. None: it is unrouted.
    pub deliveries: Vec<NewDelivery>,
    /// The span that the event's later spans belong to, as the value of a W3C
    /// `traceparent` field. None: it is not traced.
    pub trace: Option<String>,
}

/// A delivery to accept.
#[derive(Debug)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The plugin that it is for.
    pub plugin: PluginName,
    /// Deliveries that may be owed to that plugin at most; past it this one is
    /// dead at once.
    pub backlog_max: u64,
    /// Whether the plugin's deliveries about one entity go one after another.
    pub ordered: bool,
}

/// What became of an [`Accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept.
    New {
        /// Plugins whose own backlog is full, so that their delivery is dead.
        overflowed: Vec<PluginName>,
    },
    /// The same body came before; nothing was added.
    Duplicate {
        /// The id that it got then.
        of: EventId,
    },
}

/// A delivery that a worker has to itself.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its place in the store.
    pub key: Key,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The event's id.
    pub event_id: EventId,
    /// The event, shared by its deliveries where it never left memory.
    pub event: Arc<Event>,
    /// The plugin that it is for.
    pub plugin: PluginName,
    /// When the event arrived: milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// 1 at first. It is counted in the store before the claim is handed out.
    pub attempt: u32,
    /// Of these, how many came before the delivery was last redriven.
    pub forgiven: u32,
    /// [`Accept::trace`] of the event, over restarts too.
    pub trace: Option<String>,
}

impl Claim {
    /// Whether someone asked for the event to be handed over once more.
    pub fn is_replay(&self) -> bool {
        self.key.replay > 0
    }
}

/// A delivery's place in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which event, in order of acceptance.
    pub event: i64,
    /// 0 for the event's own delivery; else which replay of it.
    pub replay: i64,
}

/// One call of a plugin, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// SHA-256 of the plugin's file.
    pub digest: Digest,
    /// The generation in which that code became live.
    pub generation: u64,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// From entering the plugin's code to its end.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// What the plugin logged, bounded.
    pub log: String,
    /// What it changed in its state. Counts only where the outcome is
    /// `Handled`, and is committed with it.
    pub changes: Vec<StateChange>,
    /// The requests that it sent, in order, bounded.
    pub calls: Vec<OutboundCall>,
}

/// What became of a delivery by an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is done.
    Succeeded,
    /// It is tried again.
    Waiting {
        /// Milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// It is given up.
    Dead(DeadReason),
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who sent it.
    pub peer: String,
    /// The source that it asked for, bounded.
    pub source: String,
    /// The status that it was answered with.
    pub status: u16,
    /// The reason's stable code.
    pub code: &'static str,
    /// Length of its body, where that was read.
    pub bytes: Option<usize>,
    /// The body's digest, unless it may hold a right secret, which could be
    /// guessed from it.
    pub digest: Option<Digest>,
}

/// A plugin that is live, as the store needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePlugin {
    /// Its name.
    pub name: PluginName,
    /// SHA-256 of its file.
    pub digest: Digest,
    /// The events that it asks for; none means all.
    pub asks_for: Vec<String>,
    /// How its failures are handled.
    pub policy: Policy,
}

/// How a plugin's failures are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// When a failed delivery is tried again, and when no more.
    pub retry: RetryPolicy,
    /// When the plugin is left alone for a while.
    pub breaker: BreakerPolicy,
    /// Whether its deliveries about one entity go one after another.
    pub ordered: bool,
    /// Whether all of its deliveries do, so that a call sees what every call
    /// before it changed in the plugin's state.
    pub serial: bool,
}

/// A plugin that was live when the server last ran, and whose file had not been
/// deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPlugin {
    /// Its name.
    pub name: PluginName,
    /// The events that it asked for; none means all.
    pub asks_for: Vec<String>,
}

/// What a plugin is owed now, and what holds it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStatus {
    /// The plugin.
    pub plugin: PluginName,
    /// SHA-256 of the file that was last live; empty where the plugin was forgotten.
    pub digest: String,
    /// Whether it is live.
    pub live: bool,
    /// Its file is gone since then: milliseconds since the Unix epoch.
    pub deleted_at_ms: Option<u64>,
    /// Deliveries that it is owed.
    pub owed: u64,
    /// When the event of the oldest of these arrived: milliseconds since the Unix epoch.
    pub oldest_at_ms: Option<u64>,
    /// Its calls that run.
    pub running: u64,
    /// Its dead letters that were not discarded.
    pub dead: u64,
    /// Paused since then: milliseconds since the Unix epoch.
    pub paused_at_ms: Option<u64>,
    /// Its breaker is open until then, at least: milliseconds since the Unix epoch.
    pub breaker_until_ms: Option<u64>,
}

/// Whether events can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They can.
    Good,
    /// They cannot; senders get 503 until they can.
    Failing {
        /// Since when: milliseconds since the Unix epoch.
        since_ms: u64,
        /// Why.
        error: String,
    },
}

/// Why an event was not accepted. The sender should try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// More deliveries are owed than may be.
    #[error("too many deliveries are owed")]
    Full,
    /// More webhooks wait to be committed than may.
    #[error("too many events wait to be committed")]
    Crowded,
    /// It could not be committed.
    #[error("the journal cannot be written")]
    Unwritable,
    /// The server is ending.
    #[error("the server is ending")]
    Closed,
}

/// See the module's text.
pub trait Store: Send + Sync + 'static {
    /// Takes an event and its deliveries, all or none. Once it returns, they
    /// are durable, and the sender may be told so.
    fn accept(&self, accept: Accept) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// Keeps a note of a refused request, at leisure. Dropped where too many
    /// come at once.
    fn refused(&self, refused: RefusedRequest);

    /// The plugin's next delivery, waiting for one; none once the store is
    /// closed. When it returns, the attempt is counted and durable. Nothing is
    /// lost when the returned future is dropped.
    fn claim(&self, plugin: &PluginName) -> impl Future<Output = Option<Claim>> + Send;

    /// Gives a claim back untouched: it is among the plugin's next again, and
    /// the attempt does not count.
    fn release(&self, claim: Claim);

    /// Ends a claim, at once; the returned future tells what became of the
    /// delivery once that is durable. None: the store ended before.
    fn settle(
        &self,
        claim: Claim,
        attempt: Attempt,
    ) -> impl Future<Output = Option<Settled>> + Send + 'static;

    /// Which plugins are live, and which have a file that cannot be loaded; those
    /// in neither list were deleted. What is owed to plugins that are not live
    /// is parked.
    fn plugins(&self, live: Vec<LivePlugin>, unloadable: Vec<PluginName>);

    /// Whether events can be kept.
    fn health(&self) -> tokio::sync::watch::Receiver<Health>;

    /// Accepts nothing and hands out nothing from now on; what runs can still
    /// be settled.
    fn close(&self);

    /// Returns once it is closed.
    fn closed(&self) -> impl Future<Output = ()> + Send;

    /// Deliveries that are owed.
    fn owed(&self) -> u64;
}
