//! What the writer keeps in memory of each plugin: a bounded part of what is
//! owed to it, and who runs.
//!
//! Invariants:
//! - Memory does not grow with what is owed: past the window only counts are
//!   kept, and the rest is read from the file when its turn comes.
//! - Everything here can be thrown away and read again, but for `running`,
//!   which says what this process has handed out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use hookbox_core::breaker::{Breaker, BreakerState, Permit};
use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, EventId, PluginName};
use hookbox_core::retry::Next;

use crate::store::{Claim, Key, LivePlugin, Policy};

/// Deliveries of one plugin that are kept in memory with their events, and the
/// bytes of these.
pub(super) const WINDOW: usize = 256;
pub(super) const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// A delivery that can be handed out.
pub(super) struct Ready {
    pub(super) key: Key,
    pub(super) delivery: DeliveryId,
    pub(super) event_id: EventId,
    pub(super) event: Arc<Event>,
    pub(super) received_at_ms: u64,
    /// Begun before.
    pub(super) attempts: u32,
    pub(super) forgiven: u32,
    /// The span that the event's later spans belong to.
    pub(super) trace: Option<String>,
}

impl Ready {
    /// The claim that begins the next attempt.
    pub(super) fn claim(self, plugin: &PluginName) -> Claim {
        Claim {
            key: self.key,
            delivery: self.delivery,
            event_id: self.event_id,
            event: self.event,
            plugin: plugin.clone(),
            received_at_ms: self.received_at_ms,
            attempt: self.attempts.saturating_add(1),
            forgiven: self.forgiven,
            trace: self.trace,
        }
    }
}

/// A delivery that was handed out.
#[derive(Default)]
pub(super) struct Running {
    /// The breaker's leave, until the result is known.
    pub(super) permit: Option<Permit>,
    /// What was decided of it. Kept while the decision is not durable, so that
    /// it is made once.
    pub(super) decided: Option<Next>,
    /// Its end could not be written and is given up.
    pub(super) abandoned: bool,
}

/// See the module's text.
pub(super) struct Lane {
    /// The plugin, while it is live.
    pub(super) live: Option<LivePlugin>,
    /// How its failures are handled; kept for calls that end when it is gone.
    pub(super) policy: Option<Policy>,
    pub(super) breaker: Breaker,
    /// Until when the file says that the breaker is open.
    pub(super) breaker_noted: Option<u64>,
    /// Workers that wait for a delivery.
    pub(super) wants: usize,
    /// The first of those that were never tried, in order.
    pub(super) fresh: Window,
    /// Whether the file has more of these, past `cursor`.
    pub(super) behind: bool,
    /// The event up to which they are in memory, or done.
    pub(super) cursor: i64,
    /// The first of those that waited until now.
    pub(super) due: Window,
    /// When to look in the file for those that wait. None: there are none.
    pub(super) next_due_ms: Option<u64>,
    /// Whose turn it is when there are both.
    pub(super) due_was_last: bool,
    pub(super) running: HashMap<Key, Running>,
    /// How many are owed in all.
    pub(super) owed: u64,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            live: None,
            policy: None,
            breaker: Breaker::default(),
            breaker_noted: None,
            wants: 0,
            fresh: Window::default(),
            behind: true,
            cursor: 0,
            due: Window::default(),
            next_due_ms: Some(0),
            due_was_last: false,
            running: HashMap::new(),
            owed: 0,
        }
    }

    /// Forgets what can be read again.
    pub(super) fn forget(&mut self) {
        self.fresh = Window::default();
        self.due = Window::default();
        self.behind = true;
        self.cursor = 0;
        self.next_due_ms = Some(0);
        self.owed = 0;
    }

    /// Whether a delivery could be handed out now, if there is one.
    pub(super) fn takes(&self, now_ms: u64) -> bool {
        self.live.is_some()
            && self.wants > 0
            && !self.waits_for_one()
            && self.breaker.allows(now_ms)
    }

    /// Whether nothing is handed out until what runs has ended: calls of the
    /// plugin go one after another. What ends is out of `running` in the batch
    /// that settles it, so that the next goes with the same commit.
    fn waits_for_one(&self) -> bool {
        self.policy.is_some_and(|policy| policy.serial) && !self.running.is_empty()
    }

    /// Whether one that was just accepted is next.
    pub(super) fn takes_at_once(&self, now_ms: u64) -> bool {
        self.takes(now_ms)
            && !self.behind
            && self.fresh.is_empty()
            && self.due.is_empty()
            && self.next_due_ms.is_none_or(|due| due > now_ms)
    }

    /// When something can be handed out that cannot be now, by time alone.
    pub(super) fn wakes_at_ms(&self) -> Option<u64> {
        if self.live.is_none() || self.wants == 0 || self.waits_for_one() {
            return None;
        }
        let open = match self.breaker.wakes_at_ms() {
            Some(until) => until,
            // A trial runs, or it is closed.
            None if self.breaker.allows(u64::MAX) => 0,
            None => return None,
        };
        let has_some = self.behind || !self.fresh.is_empty() || !self.due.is_empty();
        let some = if has_some { Some(0) } else { self.next_due_ms };
        some.map(|due| due.max(open))
    }

    /// Something waits until then.
    pub(super) fn waits_until(&mut self, due_ms: u64) {
        self.next_due_ms = Some(self.next_due_ms.map_or(due_ms, |now| now.min(due_ms)));
    }

    /// Until when the breaker is open, as the file should say it.
    pub(super) fn breaker_until_ms(&self, now_ms: u64) -> Option<u64> {
        match self.breaker.state(now_ms) {
            BreakerState::Closed => None,
            BreakerState::Open { until_ms } => Some(until_ms),
            BreakerState::HalfOpen => Some(self.breaker_noted.unwrap_or(now_ms)),
        }
    }
}

/// Deliveries in order, and what their events take.
#[derive(Default)]
pub(super) struct Window {
    items: VecDeque<Ready>,
    bytes: usize,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.items.len() < WINDOW && self.bytes < WINDOW_BYTES
    }

    pub(super) fn push(&mut self, ready: Ready) {
        self.bytes += ready.event.bytes();
        self.items.push_back(ready);
    }

    pub(super) fn pop(&mut self) -> Option<Ready> {
        let ready = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(ready.event.bytes());
        Some(ready)
    }
}
