//! What operators change, noted down and told to whoever looks on.

use std::sync::Arc;

use tracing::{info, warn};

use super::auth::Actor;
use super::{Backend, unix_ms};
pub(super) use crate::store::records::Deed;
use crate::store::records::{ChangeKind, Operation, Report, RequestError};
use crate::telemetry::live::Notice;

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
    let deed = Deed::of(&operation);
    let report = backend.operate(operation).await?;
    if let Some(deed) = deed.and_then(|deed| deed.done(&report))
        && let Err(error) = note(backend, actor, deed).await
    {
        warn!(%error, "what an operator did cannot be noted in the journal");
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
    let at_ms = unix_ms();
    let change = deed.by(&actor.0, at_ms);
    let (kind, plugin, text) = (change.kind, change.plugin.clone(), change.text.clone());
    info!(
        operator = actor.0,
        change = kind.code(),
        plugin,
        subject = change.subject,
        text,
        "an operator did something"
    );
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
