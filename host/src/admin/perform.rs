//! What operators change, noted down and told to whoever looks on.

use std::sync::Arc;

use tracing::{info, warn};

use super::auth::Actor;
use super::{Backend, unix_ms};
use crate::store::records::{ChangeKind, Filter, NewChange, Operation, Report, RequestError};
use crate::telemetry::live::Notice;

/// Bytes of a filter's text in a note.
const FILTER_BYTES_MAX: usize = 1_024;

/// Something an operator did, before it has a time and a name.
pub(super) struct Deed {
    pub(super) kind: ChangeKind,
    pub(super) plugin: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) text: String,
}

/// Does one step of an operation, and notes it where it changed something. A
/// note that cannot be written is no reason to say that nothing was done.
///
/// Both happen also where nobody waits for the answer any more: a client that
/// goes away in between must not leave a change without its note.
pub(super) async fn operate(
    backend: &Arc<dyn Backend>,
    actor: &Actor,
    operation: Operation,
) -> Result<Report, RequestError> {
    let (backend, actor) = (Arc::clone(backend), actor.clone());
    whole(async move { operate_and_note(&*backend, &actor, operation).await }).await
}

/// Puts another filter of log lines in force, and notes it, as [`operate`] does.
/// The filter.
pub(super) async fn set_log_level(
    backend: &Arc<dyn Backend>,
    actor: &Actor,
    level: String,
) -> Result<String, RequestError> {
    let (backend, actor) = (Arc::clone(backend), actor.clone());
    whole(async move {
        backend.set_log_level(&level)?;
        let level = backend.log_level();
        let text = format!("log lines are filtered by {level:?}");
        let deed = Deed { kind: ChangeKind::LogLevel, plugin: None, subject: None, text };
        if let Err(error) = note(&*backend, &actor, deed).await {
            warn!(%error, "what an operator did cannot be noted in the journal");
        }
        Ok(level)
    })
    .await
}

/// Runs to its end, whatever becomes of whoever waits for it.
async fn whole<T: Send + 'static>(
    deed: impl Future<Output = Result<T, RequestError>> + Send + 'static,
) -> Result<T, RequestError> {
    let ended = tokio::spawn(deed).await;
    ended.unwrap_or_else(|error| Err(RequestError::unavailable(format!("it broke off: {error}"))))
}

async fn operate_and_note(
    backend: &dyn Backend,
    actor: &Actor,
    operation: Operation,
) -> Result<Report, RequestError> {
    let deed = deed(&operation);
    // Its last step removes the plugin itself, however little it was owed.
    let forgets = matches!(operation, Operation::Forget { .. });
    let report = backend.operate(operation).await?;
    if let Some(mut deed) = deed
        && (report.count > 0 || (forgets && report.next.is_none()))
    {
        if !matches!(deed.kind, ChangeKind::Paused | ChangeKind::Resumed) {
            deed.text = format!("{} ({})", deed.text, report.count);
        }
        if let Err(error) = note(backend, actor, deed).await {
            warn!(%error, "what an operator did cannot be noted in the journal");
        }
    }
    Ok(report)
}

/// Notes a deed. Returns once it is durable.
///
/// # Errors
/// Where it cannot be written.
pub(super) async fn note(
    backend: &dyn Backend,
    actor: &Actor,
    deed: Deed,
) -> Result<(), RequestError> {
    let Deed { kind, plugin, subject, text } = deed;
    let at_ms = unix_ms();
    info!(
        operator = actor.0,
        change = kind.code(),
        plugin,
        subject,
        text,
        "an operator did something"
    );
    let change = NewChange {
        at_ms,
        kind,
        plugin: plugin.clone(),
        subject,
        actor: Some(actor.0.clone()),
        text: text.clone(),
    };
    backend.operate(Operation::Note { change }).await?;
    let live = backend.live();
    live.tell(|| Notice::Operator {
        at_ms,
        actor: actor.0.clone(),
        change: kind.code().to_owned(),
        text,
    });
    if let (ChangeKind::Paused | ChangeKind::Resumed, Some(plugin)) = (kind, plugin) {
        live.tell(|| Notice::Plugin {
            at_ms,
            plugin,
            change: kind.code().to_owned(),
            digest: None,
            generation: None,
            text: None,
        });
    }
    Ok(())
}

/// None: it changes nothing, or is a note itself.
fn deed(operation: &Operation) -> Option<Deed> {
    let plain = |kind, plugin: &str, text: &str| {
        let plugin = Some(plugin.to_owned());
        Some(Deed { kind, plugin, subject: None, text: text.to_owned() })
    };
    let chosen = |kind, plugin: Option<&String>, filter: &Filter, text: &str| {
        let (subject, which) = match filter.ids.as_slice() {
            [id] => (Some(id.clone()), id.clone()),
            _ => (None, words(filter)),
        };
        let plugin = plugin.or(filter.plugin.as_ref()).cloned();
        Some(Deed { kind, plugin, subject, text: format!("{text} {which}") })
    };
    match operation {
        Operation::Redrive { dry_run: true, .. }
        | Operation::Discard { dry_run: true, .. }
        | Operation::Replay { dry_run: true, .. }
        | Operation::Forget { dry_run: true, .. }
        | Operation::Note { .. } => None,
        Operation::Redrive { filter, .. } => {
            chosen(ChangeKind::Redriven, None, filter, "dead letters are owed again:")
        }
        Operation::Discard { filter, .. } => {
            chosen(ChangeKind::Discarded, None, filter, "dead letters were discarded:")
        }
        Operation::Replay { filter, plugin, .. } => {
            chosen(ChangeKind::Replayed, Some(plugin), filter, "events are handed over once more:")
        }
        Operation::Forget { plugin, .. } => {
            plain(ChangeKind::Forgotten, plugin, "all that it was owed was given up")
        }
        Operation::Pause { plugin } => plain(ChangeKind::Paused, plugin, "it gets no calls"),
        Operation::Resume { plugin } => plain(ChangeKind::Resumed, plugin, "it gets calls again"),
        Operation::SetState { plugin, .. } => {
            plain(ChangeKind::StateChanged, plugin, "keys of its state were set")
        }
        Operation::DeleteState { plugin, .. } => {
            plain(ChangeKind::StateChanged, plugin, "keys of its state were deleted")
        }
    }
}

/// A filter as it is noted.
fn words(filter: &Filter) -> String {
    if filter.is_everything() {
        return "all".to_owned();
    }
    let mut text = serde_json::to_value(filter)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, value)| !value.is_null() && *value != serde_json::json!([]))
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ");
    text.truncate(text.floor_char_boundary(FILTER_BYTES_MAX));
    text
}
