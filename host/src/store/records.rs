//! What can be read from a store and asked of it by an operator. These types
//! travel over the control socket as JSON, and `--json` prints them: their names
//! are part of the program's interface.

mod deed;
mod review;
mod state;
mod view;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::deed::Deed;
pub use self::review::{ChangeKind, ChangeRecord, DeliveryRecord, NewChange, RefusalRecord};
pub use self::state::{NewState, StateEntry, StateKey, StateSummary};
pub use self::view::{EventView, event_view};

/// Which events or deliveries. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Ids of events, or of deliveries where deliveries are meant; none: any.
    /// At most [`Filter::IDS_MAX`].
    pub ids: Vec<String>,
    /// The source's name.
    pub source: Option<String>,
    /// The event's name, such as `sd_encoded`.
    pub event: Option<String>,
    /// The plugin of a delivery.
    pub plugin: Option<String>,
    /// A state of a delivery, or `unrouted`.
    pub state: Option<State>,
    /// Received (dead letters: died) then or later: milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// Received (died) before then: milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
    /// A text with which the event's id begins, or that its name or body has
    /// anywhere; upper and lower case of ASCII alike. At most 200 bytes, and not
    /// together with `ids`. Empty: any.
    pub text: Option<String>,
}

impl Filter {
    /// Ids in one filter: as many as one step of an operation can change.
    pub const IDS_MAX: usize = 500;

    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not begun.
    Pending,
    /// In a call of its plugin.
    Running,
    /// Failed, and tried again at a time.
    Waiting,
    /// Held up by an earlier one about the same entity.
    Blocked,
    /// Held up since its plugin is gone or paused, or its breaker is open.
    Parked,
    /// Done.
    Succeeded,
    /// Given up.
    Dead,
    /// Given up, and the operator does not want it.
    Discarded,
    /// Of an event: nobody was subscribed, and nobody got it since.
    Unrouted,
}

impl State {
    /// All there are, in the order of a delivery's life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Blocked,
        Self::Parked,
        Self::Succeeded,
        Self::Dead,
        Self::Discarded,
        Self::Unrouted,
    ];

    /// Its name, as in JSON and in the journal's views.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Parked => "parked",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
            Self::Unrouted => "unrouted",
        }
    }

    /// The way back from [`State::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// One page of a list, newest first. It can have fewer items than were asked
/// for, or none, and still not be the last: a page ends too when enough rows
/// were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; none: this is the last.
    pub next: Option<String>,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its name.
    pub name: String,
    /// Milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// Length of its document.
    pub bytes: u64,
    /// How often the same body came again, and was answered with this id.
    pub repeats: u64,
    /// Its deliveries, by plugin. In a list the first 100 of each kind (owed,
    /// dead, succeeded), in a detail the first 1,000.
    pub deliveries: Vec<DeliverySummary>,
}

/// A delivery of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliverySummary {
    /// Its id.
    pub id: String,
    /// The plugin that it is for.
    pub plugin: String,
    /// Where it stands.
    pub state: State,
    /// Attempts begun so far.
    pub attempts: u32,
    /// Whether it was asked for by an operator.
    pub replay: bool,
    /// When it is tried again: milliseconds since the Unix epoch.
    pub due_at_ms: Option<u64>,
    /// The delivery that must end before.
    pub waits_for: Option<String>,
    /// Why it is dead.
    pub reason: Option<String>,
}

/// All that is known of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    /// The same as in a list.
    pub summary: EventSummary,
    /// The name of the secret that it came with.
    pub secret: String,
    /// The body without the secret.
    pub document: String,
    /// The calls of plugins with it, in order; the first 1,000.
    pub attempts: Vec<AttemptRecord>,
}

/// One call of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "each field is a column that schema.sql documents")]
pub struct AttemptRecord {
    pub delivery: String,
    pub plugin: String,
    pub number: u32,
    pub digest: String,
    pub generation: u64,
    pub started_at_ms: u64,
    pub duration_us: u64,
    pub outcome: String,
    pub blame: Option<String>,
    pub error: Option<String>,
    pub log: Option<String>,
    pub became: String,
    /// The requests that it sent, in order; the first 1,000 of the event.
    pub calls: Vec<CallRecord>,
}

/// A request that a call of a plugin sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "each field is a column that schema-2.sql documents")]
pub struct CallRecord {
    pub started_at_ms: u64,
    pub duration_us: u64,
    pub method: String,
    pub url: String,
    pub address: Option<String>,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub error: Option<String>,
    pub request: BodyRecord,
    pub response: BodyRecord,
}

/// One of the two bodies of a [`CallRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BodyRecord {
    /// Bytes that passed.
    pub bytes: u64,
    /// SHA-256 of them, where it passed whole.
    pub sha256: Option<String>,
    /// The first of it, where the plugin's configuration says so.
    pub kept: Option<Content>,
}

/// Bytes as JSON: as text where they are UTF-8, else as base64 (RFC 4648,
/// section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "each field is a column that schema.sql documents")]
pub struct DeadLetter {
    pub delivery: String,
    pub plugin: String,
    pub event: String,
    pub name: String,
    pub source: String,
    pub attempts: u32,
    pub died_at_ms: u64,
    pub reason: String,
    pub error: Option<String>,
    pub discarded_at_ms: Option<u64>,
}

/// A question that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "kebab-case")]
pub enum Query {
    /// Events, newest first.
    Events {
        /// Which.
        filter: Filter,
        /// Items on a page: 1 to 1,000. All that `ids` name are on one.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// One event.
    Event {
        /// Its id.
        id: String,
    },
    /// Dead letters, newest first.
    Dead {
        /// Which; `ids` are those of deliveries.
        filter: Filter,
        /// Items on a page: 1 to 1,000. All that `ids` name are on one.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// Deliveries over all events, newest event first: a page of
    /// [`DeliveryRecord`].
    Deliveries {
        /// Which; `ids` are those of deliveries.
        filter: Filter,
        /// Items on a page: 1 to 1,000. All that `ids` name are on one, and so
        /// are an event's, of each kind (owed, dead, succeeded) the first 1,000:
        /// so there can be more.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// Requests that were refused, newest first: a page of [`RefusalRecord`].
    Refusals {
        /// Only of this source.
        source: Option<String>,
        /// Only with this code.
        code: Option<String>,
        /// Only then or later: milliseconds since the Unix epoch.
        since_ms: Option<u64>,
        /// Only before then: milliseconds since the Unix epoch.
        until_ms: Option<u64>,
        /// Items on a page: 1 to 1,000.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// What changed, newest first: a page of [`ChangeRecord`].
    Changes {
        /// Only about this plugin.
        plugin: Option<String>,
        /// Only of this kind.
        kind: Option<ChangeKind>,
        /// Items on a page: 1 to 1,000.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// Plugins with state, by name: a page of [`StateSummary`].
    StatePlugins {
        /// Items on a page: 1 to 1,000.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// Keys of a plugin's state, in the order of their bytes: a page of
    /// [`StateKey`].
    StateKeys {
        /// The plugin.
        plugin: String,
        /// How they begin; empty: all.
        prefix: String,
        /// Items on a page: 1 to 1,000.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// The same with their values: a page of [`StateEntry`].
    StateEntries {
        /// The plugin.
        plugin: String,
        /// Items on a page: 1 to 1,000.
        limit: u32,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
    },
    /// One [`StateEntry`].
    StateEntry {
        /// The plugin.
        plugin: String,
        /// The key.
        key: String,
    },
}

/// Something that changes what is owed. Each runs in steps of bounded length;
/// `after` is where the next step begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum Operation {
    /// Dead letters are owed again, with as many attempts as a fresh delivery.
    Redrive {
        /// Which; `ids` are those of deliveries.
        filter: Filter,
        /// Count only.
        dry_run: bool,
        /// Where to begin.
        after: Option<String>,
    },
    /// Dead letters are not wanted.
    Discard {
        /// Which; `ids` are those of deliveries.
        filter: Filter,
        /// Count only.
        dry_run: bool,
        /// Where to begin.
        after: Option<String>,
    },
    /// Events are handed over once more, as new deliveries.
    Replay {
        /// Which events. Without ids, only those that the plugin asks for.
        filter: Filter,
        /// The plugin that gets them.
        plugin: String,
        /// Count only.
        dry_run: bool,
        /// Where to begin.
        after: Option<String>,
    },
    /// All that is owed to a plugin which is gone is given up and discarded.
    Forget {
        /// The plugin.
        plugin: String,
        /// Count only.
        dry_run: bool,
        /// Where to begin.
        after: Option<String>,
    },
    /// A plugin gets no calls, over restarts too, until it is resumed; its
    /// events wait.
    Pause {
        /// The plugin. It need not be live, but known.
        plugin: String,
    },
    /// The end of a pause.
    Resume {
        /// The plugin.
        plugin: String,
    },
    /// A change is noted down.
    Note {
        /// The change.
        change: NewChange,
    },
    /// Keys of a plugin's state get values, all in one step.
    SetState {
        /// The plugin.
        plugin: String,
        /// The keys.
        entries: Vec<NewState>,
    },
    /// A key of a plugin's state goes, or all of them.
    DeleteState {
        /// The plugin.
        plugin: String,
        /// None: all.
        key: Option<String>,
        /// Where to begin.
        after: Option<String>,
    },
}

impl Operation {
    /// The same, beginning at `next` of the step before.
    #[must_use]
    pub fn resumed(mut self, next: String) -> Self {
        match &mut self {
            Self::Redrive { after, .. }
            | Self::Discard { after, .. }
            | Self::Replay { after, .. }
            | Self::Forget { after, .. }
            | Self::DeleteState { after, .. } => *after = Some(next),
            // They are one step.
            Self::SetState { .. }
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Note { .. } => {}
        }
        self
    }
}

/// What a step of an [`Operation`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// How many it concerned.
    pub count: u64,
    /// Where the next step begins; none: it is complete.
    pub next: Option<String>,
}

/// Why a question or an operation cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct RequestError {
    /// For programs; stable: `not-found`, `invalid`, `unavailable`.
    pub code: String,
    /// For people: what is wrong, and what to do.
    pub message: String,
}

impl RequestError {
    /// Code of what does not exist.
    pub const NOT_FOUND: &str = "not-found";
    /// Code of a request that makes no sense, or none now.
    pub const INVALID: &str = "invalid";
    /// Code of what may work later.
    pub const UNAVAILABLE: &str = "unavailable";

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: Self::NOT_FOUND.to_owned(), message: message.into() }
    }

    /// It cannot be asked like this.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: Self::INVALID.to_owned(), message: message.into() }
    }

    /// It cannot be answered now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { code: Self::UNAVAILABLE.to_owned(), message: message.into() }
    }
}
