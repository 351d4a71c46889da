//! What an operator looks through: deliveries over all events, refused requests,
//! and what changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::State;

/// A delivery in a list over all events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: String,
    /// The event's id.
    pub event: String,
    /// The event's name.
    pub name: String,
    /// The event's source.
    pub source: String,
    /// When the event arrived: milliseconds since the Unix epoch.
    pub received_at_ms: u64,
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
    /// What its last attempt failed with.
    pub error: Option<String>,
}

/// A request that was refused, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalRecord {
    /// Counted up.
    pub id: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who sent it.
    pub peer: String,
    /// The source that it asked for, bounded.
    pub source: String,
    /// The status that it was answered with.
    pub status: u16,
    /// The reason's stable code.
    pub code: String,
    /// Length of its body, where that was read.
    pub bytes: Option<u64>,
    /// SHA-256 of the body, unless it may hold a right secret.
    pub sha256: Option<String>,
}

/// Something that changed: what runs, or what an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRecord {
    /// Counted up.
    pub id: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What kind; see [`ChangeKind`].
    pub kind: ChangeKind,
    /// The plugin that it concerns.
    pub plugin: Option<String>,
    /// The event or delivery that it concerns.
    pub subject: Option<String>,
    /// The operator who did it: the name of a token, or `local`. None: hookbox.
    pub actor: Option<String>,
    /// In words, bounded, without secrets.
    pub text: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each name says it")]
pub enum ChangeKind {
    ServerStarted,
    ServerEnded,
    PluginLive,
    PluginRefused,
    PluginGone,
    PluginWaits,
    BreakerOpen,
    BreakerClosed,
    Configured,
    ConfigurationRefused,
    LogLevel,
    Paused,
    Resumed,
    Replayed,
    Redriven,
    Discarded,
    Forgotten,
    Revealed,
    StateChanged,
    LoggedIn,
}

impl ChangeKind {
    /// All there are.
    pub const ALL: [Self; 20] = [
        Self::ServerStarted,
        Self::ServerEnded,
        Self::PluginLive,
        Self::PluginRefused,
        Self::PluginGone,
        Self::PluginWaits,
        Self::BreakerOpen,
        Self::BreakerClosed,
        Self::Configured,
        Self::ConfigurationRefused,
        Self::LogLevel,
        Self::Paused,
        Self::Resumed,
        Self::Replayed,
        Self::Redriven,
        Self::Discarded,
        Self::Forgotten,
        Self::Revealed,
        Self::StateChanged,
        Self::LoggedIn,
    ];

    /// Its name, as in JSON and in the journal.
    pub fn code(self) -> &'static str {
        match self {
            Self::ServerStarted => "server-started",
            Self::ServerEnded => "server-ended",
            Self::PluginLive => "plugin-live",
            Self::PluginRefused => "plugin-refused",
            Self::PluginGone => "plugin-gone",
            Self::PluginWaits => "plugin-waits",
            Self::BreakerOpen => "breaker-open",
            Self::BreakerClosed => "breaker-closed",
            Self::Configured => "configured",
            Self::ConfigurationRefused => "configuration-refused",
            Self::LogLevel => "log-level",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Replayed => "replayed",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
            Self::Forgotten => "forgotten",
            Self::Revealed => "revealed",
            Self::StateChanged => "state-changed",
            Self::LoggedIn => "logged-in",
        }
    }

    /// The way back from [`ChangeKind::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A change to note down; the journal adds its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewChange {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What kind.
    pub kind: ChangeKind,
    /// The plugin that it concerns.
    pub plugin: Option<String>,
    /// The event or delivery that it concerns.
    pub subject: Option<String>,
    /// The operator who did it: the name of a token, or `local`. None: hookbox.
    pub actor: Option<String>,
    /// In words. At most [`NewChange::TEXT_BYTES_MAX`] are kept.
    pub text: String,
}

impl NewChange {
    /// Bytes of its text that are kept.
    pub const TEXT_BYTES_MAX: usize = 4_096;
}
