//! One event through the real runtime without a server: for `hookbox invoke` and
//! `hookbox test`.
//!
//! ```text
//! bytes ─▶ Bench::judge ─▶ Code ┐
//! body  ─▶ event::genuine ──────┼─▶ Bench::run ─▶ Tried
//! state, answers ───────────────┘
//! ```
//!
//! Compiler, verdict, limits, grants, redaction and the call itself are the
//! server's own. What differs: state is in memory ([`state`]), and requests can be
//! answered by a script ([`script`]), whose seam is
//! [`outbound::script`](crate::outbound::script).
//!
//! Invariants:
//! - Nothing outlives a trial but what [`Tried`] says.
//! - What a view shows ([`view`]) holds no secret's value.

pub mod bench;
pub mod case;
pub mod event;
pub mod script;
pub mod state;
pub mod text;
pub mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::effects::OutboundCall;
use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, EventId};

use crate::outbound::script::Asked;
use crate::plugin::invoke::Attempt;
use crate::telemetry::Redactor;

/// What a plugin is handed.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The event.
    pub event: Arc<Event>,
    /// Its id.
    pub event_id: EventId,
    /// The delivery's id.
    pub delivery: DeliveryId,
    /// 1 at first.
    pub attempt: u32,
    /// Whether it is a replay.
    pub replay: bool,
    /// Milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// What the plugin's state has before.
    pub state: BTreeMap<String, Vec<u8>>,
}

/// What became of it.
pub struct Tried {
    /// As the server's journal would have it.
    pub attempt: Attempt,
    /// The requests, in the order in which the plugin began them.
    pub sent: Vec<Sent>,
    /// The plugin's state after the call.
    pub state: BTreeMap<String, Vec<u8>>,
    /// Requests that the script had no answer to: method and URL.
    pub unanswered: Vec<String>,
    /// What must not be shown.
    pub redactor: Arc<Redactor>,
}

/// A request of the plugin's.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What is recorded of it.
    pub call: OutboundCall,
    /// What came to the script; none where it was refused before, or where the
    /// network was used.
    pub asked: Option<Asked>,
}
