//! Where events wait between being acknowledged and being handled.
//!
//! [`Store`] has the shape that a durable journal needs: an event and its
//! deliveries are accepted as one, a delivery is claimed by the lane of its
//! plugin, and a claim is settled once it is known what became of it.
//!
//! [`memory`] is the store there is so far: bounded, and **not durable**. What
//! it holds is lost when the process ends without having drained.

pub mod memory;

use std::sync::Arc;

use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, EventId, PluginName};
use hookbox_core::outcome::Outcome;

/// An event to accept, with the plugins that get it.
#[derive(Debug)]
pub struct Accept {
    /// Its id, which the sender is told.
    pub id: EventId,
    /// The event.
    pub event: Arc<Event>,
    /// When it arrived: milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// One for each plugin that is subscribed now. None: the event is kept
    /// nowhere.
    pub deliveries: Vec<NewDelivery>,
}

/// A delivery to accept.
#[derive(Debug)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The plugin that it is for.
    pub plugin: PluginName,
    /// Deliveries that may wait for that plugin at most.
    pub backlog_max: usize,
    /// Bytes that their events may take at most.
    pub backlog_bytes_max: usize,
}

/// What became of an [`Accept`].
#[derive(Debug, Default)]
pub struct Accepted {
    /// Plugins whose own backlog is full, so that they do not get the event.
    pub overflowed: Vec<PluginName>,
}

/// A delivery that its lane is working on.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The event's id.
    pub event_id: EventId,
    /// The event, shared by its deliveries.
    pub event: Arc<Event>,
    /// The plugin that it is for.
    pub plugin: PluginName,
    /// When the event arrived: milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// 1 at first.
    pub attempt: u32,
}

/// Why an event was not accepted. The sender should try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too many deliveries wait, or their events take too much memory.
    #[error("too many deliveries wait")]
    Full,
    /// The server is ending.
    #[error("the server is ending")]
    Closed,
}

/// See the module's text.
pub trait Store: Send + Sync + 'static {
    /// Takes an event and its deliveries, all or none. When it returns, the
    /// sender may be told so.
    fn accept(&self, accept: Accept) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// The plugin's next delivery, waiting for one; none once the store is
    /// closed and nothing waits for the plugin. Nothing is lost when the
    /// returned future is dropped.
    fn claim(&self, plugin: &PluginName) -> impl Future<Output = Option<Claim>> + Send;

    /// Gives a claim back untouched: it is the plugin's next again.
    fn release(&self, claim: Claim);

    /// Ends a claim.
    fn settle(&self, claim: &Claim, outcome: &Outcome) -> impl Future<Output = ()> + Send;

    /// Accepts nothing from now on; what waits can still be claimed.
    fn close(&self);

    /// Whether it is closed.
    fn is_closed(&self) -> bool;

    /// Returns once the store is closed.
    fn closed(&self) -> impl Future<Output = ()> + Send;

    /// How many deliveries wait or run.
    fn unsettled(&self) -> usize;

    /// How many deliveries wait for that plugin.
    fn waiting(&self, plugin: &PluginName) -> usize;
}
