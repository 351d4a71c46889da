//! What happens, as it happens: server-sent events (HTML Standard, section 9.2).
//!
//! Each stream has a task that fills a short queue. Where its reader is slow the
//! queue is full, the notices that wait are overwritten, and the reader is told
//! how many it missed; a reader that takes nothing for long is cut off. So the
//! memory of a stream is bounded, and nobody waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use crate::admin::connection::Activity;
use crate::admin::extract::Parameters;
use crate::admin::problem::Problem;
use crate::admin::{App, STREAMS_MAX, ticks};
use crate::shutdown::Ending;
use crate::telemetry::live::Notice;

/// Events that wait for the connection.
const QUEUE_MAX: usize = 64;

/// A reader that takes nothing for this long is gone.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Comments between events: less than what proxies wait for.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The kinds of notices.
const KINDS: [&str; 7] =
    ["received", "refused", "attempt", "dead", "plugin", "journal", "operator"];

/// Which notices. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::admin) struct Which {
    /// Only these kinds, separated by commas: `received`, `refused`, `attempt`,
    /// `dead`, `plugin`, `journal`, `operator`.
    #[param(required = false)]
    kinds: Option<String>,
    /// Only those about this plugin.
    #[param(required = false)]
    plugin: Option<String>,
}

/// Checked.
struct Chosen {
    kinds: Option<Vec<String>>,
    plugin: Option<String>,
}

impl Which {
    fn check(self) -> Result<Chosen, Problem> {
        let kinds: Option<Vec<String>> =
            self.kinds.map(|kinds| kinds.split(',').map(|kind| kind.trim().to_owned()).collect());
        let unknown = kinds.iter().flatten().find(|kind| !KINDS.contains(&kind.as_str()));
        if let Some(unknown) = unknown {
            return Err(Problem::invalid(format!(
                "`kinds`: there is no kind {unknown:?}; there are {}",
                KINDS.join(", ")
            )));
        }
        Ok(Chosen { kinds, plugin: self.plugin })
    }
}

impl Chosen {
    fn event(&self, notice: &Notice) -> Option<Event> {
        let value = serde_json::to_value(notice).ok()?;
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        let kind = text("kind")?;
        let wanted = self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|have| have == kind));
        let about = self.plugin.is_none() || self.plugin.as_deref() == text("plugin");
        (wanted && about).then(|| Event::default().event(kind).data(value.to_string()))
    }
}

/// What happens, as server-sent events: each notice under the name of its kind;
/// `tick` once a second, with the status of the server without its series; and
/// `missed` with a count, where the reader was too slow, or more happened in a
/// second than anyone could read.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    tag = "server",
    params(Which),
    responses((
        status = 200,
        description = "The stream; it ends with the server",
        body = String,
        content_type = "text/event-stream"
    ))
)]
pub(in crate::admin) async fn stream(
    State(app): State<App>,
    Extension(activity): Extension<Arc<Activity>>,
    Parameters(which): Parameters<Which>,
) -> Result<Response, Problem> {
    let chosen = which.check()?;
    let permit = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable(format!("there are {STREAMS_MAX} streams already; close one"))
    })?;
    let (queue, events) = mpsc::channel(QUEUE_MAX);
    let streaming = activity.stream();
    let ending = app.ending.clone();
    tokio::spawn(async move {
        let _held = (permit, streaming);
        // Whatever is under way is dropped when the server or the reader ends.
        let ended = ended(ending, queue.clone());
        tokio::select! {
            () = ended => {}
            () = fill(app, chosen, queue) => {}
        }
    });
    let events = ReceiverStream::new(events);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

async fn ended(mut ending: Ending, queue: Queue) {
    tokio::select! {
        () = ending.begun() => {}
        () = queue.closed() => {}
    }
}

type Queue = mpsc::Sender<Result<Event, Infallible>>;

/// Returns when the reader is gone.
async fn fill(app: App, chosen: Chosen, queue: Queue) {
    let mut notices = app.backend.live().subscribe();
    let mut ticks = app.ticks.subscribe();
    let mut left_out = app.backend.live().left_out();
    let mut next = ticks::tick(&*app.backend).await.map(|tick| named("tick", &*tick));
    loop {
        if let Some(event) = next.take()
            && !sent(&queue, event).await
        {
            return;
        }
        next = tokio::select! {
            notice = notices.recv() => match notice {
                Ok(notice) => chosen.event(&notice),
                Err(RecvError::Lagged(count)) => {
                    Some(named("missed", json!({ "count": count }).to_string()))
                }
                Err(RecvError::Closed) => return,
            },
            changed = ticks.changed() => match changed {
                Ok(()) => {
                    let before = std::mem::replace(&mut left_out, app.backend.live().left_out());
                    let tick = named("tick", &*ticks.borrow_and_update());
                    let missed = left_out.saturating_sub(before);
                    let missed = named("missed", json!({ "count": missed }).to_string());
                    if left_out > before && !sent(&queue, missed).await {
                        return;
                    }
                    Some(tick)
                }
                Err(_) => return,
            },
        };
    }
}

/// Whether the reader is there and takes it in time.
async fn sent(queue: &Queue, event: Event) -> bool {
    matches!(tokio::time::timeout(STALL_MAX, queue.send(Ok(event))).await, Ok(Ok(())))
}

fn named(name: &str, data: impl AsRef<str>) -> Event {
    Event::default().event(name).data(data)
}
