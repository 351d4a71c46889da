//! Events: lists, one with all that is known of it, and handing one over again.

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use utoipa::{IntoParams, ToSchema};

use super::{ask, limit, time_ms};
use crate::admin::App;
use crate::admin::auth::Actor;
use crate::admin::extract::{Body, Name, Nothing, Parameters};
use crate::admin::perform::{self, Deed};
use crate::admin::problem::Problem;
use crate::store::records::State as Stands;
use crate::store::records::{
    ChangeKind, EventDetail, EventSummary, EventView, Filter, Operation, Page, Query, Report,
    RequestError, event_view,
};

/// Which events. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The source's name.
    #[param(required = false)]
    source: Option<String>,
    /// The event's name, such as `sd_encoded`.
    #[param(required = false)]
    event: Option<String>,
    /// A plugin that it has a delivery for.
    #[param(required = false)]
    plugin: Option<String>,
    /// A state that a delivery of it has, or `unrouted`.
    #[param(required = false)]
    state: Option<Stands>,
    /// Received then or later.
    #[serde(default, deserialize_with = "time_ms")]
    #[param(required = false)]
    since_ms: Option<u64>,
    /// Received before then.
    #[serde(default, deserialize_with = "time_ms")]
    #[param(required = false)]
    until_ms: Option<u64>,
    /// A text that its name, id or body has, upper and lower case alike.
    #[param(required = false)]
    text: Option<String>,
    /// Items on a page.
    #[serde(default = "limit")]
    #[param(required = false, minimum = 1, maximum = 1000, default = 50)]
    limit: u32,
    /// `next` of the page before.
    #[param(required = false)]
    cursor: Option<String>,
}

/// Events, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(Which),
    responses((status = 200, description = "A page of events", body = Page<EventSummary>))
)]
pub(super) async fn list(
    State(app): State<App>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        ids: Vec::new(),
        source: which.source,
        event: which.event,
        plugin: which.plugin,
        state: which.state,
        since_ms: which.since_ms,
        until_ms: which.until_ms,
        text: which.text,
    };
    ask(&app, Query::Events { filter, limit: which.limit, after: which.cursor }).await.map(Json)
}

/// One event, with what is sensitive hidden.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}",
    tag = "events",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event", body = EventView))
)]
pub(super) async fn one(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Name(id): Name,
) -> Result<Response, Problem> {
    let permit = turn(&app).await?;
    let answer = app.backend.query(Query::Event { id }).await?;
    shown(permit, answer, false).await
}

/// Waits until few enough events are looked at closely.
async fn turn(app: &App) -> Result<OwnedSemaphorePermit, RequestError> {
    let turn = Arc::clone(&app.events).acquire_owned().await;
    turn.map_err(|_| RequestError::unavailable("the server is ending"))
}

/// The event as JSON. Made where it holds up no webhooks: a large one takes its
/// time.
async fn shown(
    permit: OwnedSemaphorePermit,
    answer: Value,
    revealed: bool,
) -> Result<Response, Problem> {
    let writing = spawn_blocking(move || {
        // Until it is done, also where nobody waits for it any more.
        let _permit = permit;
        let detail: EventDetail = serde_json::from_value(answer)?;
        serde_json::to_vec(&event_view(detail, revealed))
    });
    let broken = |error: &dyn Display| {
        Problem::from(RequestError::unavailable(format!("the event cannot be shown: {error}")))
    };
    let text = writing.await.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], text).into_response())
}

/// One event with nothing hidden. That it was asked for is noted in the journal
/// first.
#[utoipa::path(
    post,
    path = "/api/v1/events/{id}/reveal",
    tag = "events",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event", body = EventView))
)]
pub(super) async fn reveal(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(id): Name,
) -> Result<Response, Problem> {
    let permit = turn(&app).await?;
    let answer = app.backend.query(Query::Event { id: id.clone() }).await?;
    // As the journal writes it, if it can be asked for in another way.
    let id = answer.pointer("/summary/id").and_then(Value::as_str).unwrap_or(&id).to_owned();
    let text = format!("saw all of event {id}");
    let deed = Deed { kind: ChangeKind::Revealed, plugin: None, subject: Some(id), text };
    perform::note(&*app.backend, &actor, deed).await.map_err(|error| {
        let text = format!("nothing is shown, since it cannot be noted: {}", error.message);
        RequestError::unavailable(text)
    })?;
    shown(permit, answer, true).await
}

/// Who gets an event again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    /// The plugin's name.
    plugin: String,
}

/// Hands an event over once more, as a new delivery.
#[utoipa::path(
    post,
    path = "/api/v1/events/{id}/replay",
    tag = "events",
    params(("id" = String, Path, description = "The event's id")),
    request_body = Replay,
    responses((status = 200, description = "How many deliveries that made", body = Report))
)]
pub(super) async fn replay(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(id): Name,
    Body(replay): Body<Replay>,
) -> Result<Json<Report>, Problem> {
    let filter = Filter { ids: vec![id], ..Filter::default() };
    let plugin = replay.plugin;
    let operation = Operation::Replay { filter, plugin, dry_run: false, after: None };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await?))
}
