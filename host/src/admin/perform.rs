//! What operators change, noted down and told to whoever looks on.

use tracing::{info, warn};

use super::auth::Actor;
use super::{Backend, unix_ms};
pub(super) use crate::store::records::Deed;
use crate::store::records::{ChangeKind, Operation, Report, RequestError};
use crate::telemetry::live::Notice;

/// Does one step of an operation, and notes it where it changed something. A
/// note that cannot be written is no reason to say that nothing was done.
pub(super) async fn operate(
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
