//! The store in memory: one bounded queue for each plugin.
//!
//! Invariant: `unsettled` counts each delivery from accept to settle; `held` has
//! each event with such deliveries, and `bytes` is the sum of what they take.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::ids::{EventId, PluginName};
use hookbox_core::outcome::Outcome;
use tokio::sync::{Notify, watch};

use super::{Accept, Accepted, Claim, NewDelivery, Store, StoreError};
use crate::config::Queue;

/// See the module's text.
pub struct MemoryStore {
    limits: Queue,
    // One lock for all queues, held for a few instructions at a time: accepting
    // must be all or nothing over several of them.
    state: Mutex<State>,
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    closed: bool,
    unsettled: usize,
    bytes: usize,
    held: HashMap<EventId, Held>,
    // Never removed: their number is bounded by the names that were ever live.
    queues: HashMap<PluginName, PluginQueue>,
}

/// An event in memory.
struct Held {
    bytes: usize,
    deliveries: usize,
}

#[derive(Default)]
struct PluginQueue {
    /// Of the events that wait.
    bytes: usize,
    waiting: VecDeque<Claim>,
    /// Wakes the plugin's one lane.
    arrived: Arc<Notify>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: Queue) -> Self {
        Self { limits, state: Mutex::default(), closed: watch::Sender::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn accept(&self, accept: Accept) -> Result<Accepted, StoreError> {
        let mut state = self.state();
        let state = &mut *state;
        if state.closed {
            return Err(StoreError::Closed);
        }
        let bytes = accept.event.bytes();
        let fits = |new: &NewDelivery| {
            state.queues.get(&new.plugin).is_none_or(|queue| {
                queue.waiting.len() < new.backlog_max
                    && queue.bytes + bytes <= new.backlog_bytes_max
            })
        };
        let (taken, overflowed): (Vec<_>, Vec<_>) = accept.deliveries.into_iter().partition(fits);
        let overflowed = overflowed.into_iter().map(|new| new.plugin).collect();
        if taken.is_empty() {
            return Ok(Accepted { overflowed });
        }
        if state.unsettled + taken.len() > self.limits.deliveries_max
            || state.bytes + bytes > self.limits.bytes_max
        {
            return Err(StoreError::Full);
        }
        state.unsettled += taken.len();
        state.bytes += bytes;
        state.held.insert(accept.id, Held { bytes, deliveries: taken.len() });
        for NewDelivery { id: delivery, plugin, .. } in taken {
            let queue = state.queues.entry(plugin.clone()).or_default();
            queue.bytes += bytes;
            queue.waiting.push_back(Claim {
                delivery,
                event_id: accept.id,
                event: Arc::clone(&accept.event),
                plugin,
                received_at_ms: accept.received_at_ms,
                attempt: 1,
            });
            queue.arrived.notify_one();
        }
        Ok(Accepted { overflowed })
    }

    async fn claim(&self, plugin: &PluginName) -> Option<Claim> {
        loop {
            let arrived = {
                let mut state = self.state();
                let closed = state.closed;
                let queue = state.queues.entry(plugin.clone()).or_default();
                if let Some(claim) = queue.waiting.pop_front() {
                    queue.bytes = queue.bytes.saturating_sub(claim.event.bytes());
                    return Some(claim);
                }
                if closed {
                    return None;
                }
                Arc::clone(&queue.arrived)
            };
            arrived.notified().await;
        }
    }

    fn release(&self, claim: Claim) {
        let mut state = self.state();
        let queue = state.queues.entry(claim.plugin.clone()).or_default();
        queue.bytes += claim.event.bytes();
        queue.waiting.push_front(claim);
        queue.arrived.notify_one();
    }

    async fn settle(&self, claim: &Claim, _outcome: &Outcome) {
        let mut state = self.state();
        let state = &mut *state;
        state.unsettled = state.unsettled.saturating_sub(1);
        if let Entry::Occupied(mut held) = state.held.entry(claim.event_id) {
            held.get_mut().deliveries -= 1;
            if held.get().deliveries == 0 {
                state.bytes = state.bytes.saturating_sub(held.remove().bytes);
            }
        }
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.queues.values().for_each(|queue| queue.arrived.notify_one());
        self.closed.send_replace(true);
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        let _sender_is_ours = closed.wait_for(|closed| *closed).await;
    }

    fn unsettled(&self) -> usize {
        self.state().unsettled
    }

    fn waiting(&self, plugin: &PluginName) -> usize {
        self.state().queues.get(plugin).map_or(0, |queue| queue.waiting.len())
    }
}
