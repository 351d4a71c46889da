//! Events: lists, one with all that is known of it, and handing one over again.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
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
) -> Result<Json<EventView>, Problem> {
    let detail: EventDetail = ask(&app, Query::Event { id }).await?;
    Ok(Json(event_view(detail, false)))
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
) -> Result<Json<EventView>, Problem> {
    let detail: EventDetail = ask(&app, Query::Event { id }).await?;
    let deed = Deed {
        kind: ChangeKind::Revealed,
        plugin: None,
        subject: Some(detail.summary.id.clone()),
        text: format!("saw all of event {}", detail.summary.id),
    };
    perform::note(&*app.backend, &actor, deed).await.map_err(|error| {
        let text = format!("nothing is shown, since it cannot be noted: {}", error.message);
        RequestError::unavailable(text)
    })?;
    Ok(Json(event_view(detail, true)))
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
